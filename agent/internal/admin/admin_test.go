package admin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cacheu/plumbline/agent/internal/admin"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/profiles"
)

func start(t *testing.T, options ...func(*admin.Config)) *admin.Server {
	t.Helper()
	config := admin.Config{
		Addr:    "127.0.0.1:0",
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	}
	for _, set := range options {
		set(&config)
	}
	s, err := admin.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), leaktest.Patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func do(t *testing.T, ctx context.Context, method, url string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	dead := errors.New("postgres does not answer")
	tests := map[string]struct {
		method, path string
		ready        func(context.Context) error
		status       int
		body         string // the beginning
		content      string // the beginning of the content type
	}{
		"metrics are the given handler's":            {path: "/metrics", status: 200, body: "up 1\n"},
		"health is that the process answers":         {path: "/healthz", status: 200, body: "ok\n"},
		"health does not ask for readiness":          {path: "/healthz", ready: func(context.Context) error { return dead }, status: 200, body: "ok\n"},
		"without a check the service is ready":       {path: "/readyz", status: 200, body: "ready\n"},
		"a check that succeeds":                      {path: "/readyz", ready: func(context.Context) error { return nil }, status: 200, body: "ready\n"},
		"a check that fails says why":                {path: "/readyz", ready: func(context.Context) error { return dead }, status: 503, body: "postgres does not answer\n"},
		"the index lists the profiles":               {path: "/debug/pprof/", status: 200, body: "profile?seconds=30\ntrace?seconds=1\nallocs (", content: "text/plain"},
		"a profile as text":                          {path: "/debug/pprof/goroutine?debug=1", status: 200, body: "goroutine profile: total ", content: "text/plain"},
		"a profile in binary":                        {path: "/debug/pprof/heap", status: 200, body: "\x1f\x8b", content: "application/octet-stream"},
		"a heap profile after a collection":          {path: "/debug/pprof/heap?gc=1", status: 200, body: "\x1f\x8b", content: "application/octet-stream"},
		"a debug level that is no number":            {path: "/debug/pprof/heap?debug=x", status: 200, body: "\x1f\x8b", content: "application/octet-stream"},
		"a profile that does not exist":              {path: "/debug/pprof/secrets", status: 404, body: `unknown profile "secrets"; /debug/pprof/ lists`},
		"a hostile profile name is quoted":           {path: "/debug/pprof/%3Cscript%3E%0A", status: 404, body: `unknown profile "<script>\n"`, content: "text/plain"},
		"an execution trace":                         {path: "/debug/pprof/trace?seconds=0.01", status: 200, body: "go 1.", content: "application/octet-stream"},
		"anything else":                              {path: "/secrets", status: 404, body: "404 page not found\n"},
		"the root":                                   {path: "/", status: 404, body: "404 page not found\n"},
		"the command line is not shown":              {path: "/debug/pprof/cmdline", status: 404, body: "unknown profile"},
		"metrics are not written to":                 {method: "POST", path: "/metrics", status: 405, body: "Method Not Allowed\n"},
		"a profile is not deleted, whatever it does": {method: "DELETE", path: "/debug/pprof/heap", status: 405, body: "Method Not Allowed\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(test.path, "/trace") { // of which a process has one at a time
				t.Parallel()
			}
			s := start(t, func(c *admin.Config) { c.Ready = test.ready })
			got := do(t, t.Context(), test.method, "http://"+s.Addr()+test.path)
			if got.status != test.status || !bytes.HasPrefix(got.body, []byte(test.body)) {
				t.Errorf("status %d, body %.80q; want %d, %q...", got.status, got.body, test.status, test.body)
			}
			if !strings.HasPrefix(got.header.Get("Content-Type"), test.content) {
				t.Errorf("content type %q, want %q", got.header.Get("Content-Type"), test.content)
			}
		})
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	leaktest.Run(t, func() {
		s, err := admin.Start(admin.Config{Addr: "127.0.0.1:0", Metrics: http.NotFoundHandler()})
		if err != nil {
			t.Fatal(err)
		}
		do(t, t.Context(), http.MethodGet, "http://"+s.Addr()+"/healthz")
		for range 2 { // twice is legal
			if err := s.Stop(t.Context()); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		if c, err := net.Dial("tcp", s.Addr()); err == nil {
			_ = c.Close()
			t.Error("the port is still listened on")
		}
	})
}

// TestStopDoesNotWaitForALongRequest: a profile of 30 seconds must not hold a
// service's shutdown for as long.
func TestStopDoesNotWaitForALongRequest(t *testing.T) {
	t.Parallel()
	leaktest.Run(t, func() {
		entered := make(chan struct{})
		s, err := admin.Start(admin.Config{Addr: "127.0.0.1:0", Metrics: http.NotFoundHandler(), Ready: func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport}).Get("http://" + s.Addr() + "/readyz")
			if err == nil {
				err = response.Body.Close()
			}
			ended <- err
		}()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v, want its context's error", err)
		}
		if err := <-ended; err == nil {
			t.Error("the request was answered")
		}
	})
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = admin.Start(admin.Config{Addr: l.Addr().String(), Metrics: http.NotFoundHandler()})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{l.Addr().String(), "Config.AdminAddr", "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT", "address already in use"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// TestTheDefaultMuxIsLeftAlone: net/http/pprof adds its routes to the default
// mux when it is imported, and many services serve that mux to the public.
func TestTheDefaultMuxIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/profile", "/debug/pprof/heap", "/metrics", "/healthz"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if _, pattern := http.DefaultServeMux.Handler(r); pattern != "" {
			t.Errorf("%s is served by pattern %q", path, pattern)
		}
	}
}

// The tests below use the process's one CPU profiler, so they do not run in
// parallel.

// TestAProfileByHandBesideTheSession fetches a CPU profile while the continuous
// profiler runs. Both must get theirs.
func TestAProfileByHandBesideTheSession(t *testing.T) {
	uploads := make(chan string, 1000)
	pyroscope := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		uploads <- r.URL.Query().Get("units")
	}))
	defer pyroscope.Close()
	session, err := profiles.Start(profiles.Config{Service: "shop", Address: pyroscope.URL, Interval: 50 * time.Millisecond, MutexFraction: -1, BlockRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	got := do(t, t.Context(), http.MethodGet, "http://"+s.Addr()+"/debug/pprof/profile?seconds=1")
	if got.status != http.StatusOK {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	checkCPUProfile(t, got.body)
	for len(uploads) > 0 {
		<-uploads
	}
	cpu := 0
	leaktest.Eventually(t, "the session goes on with CPU profiles", func() bool {
		for len(uploads) > 0 {
			if <-uploads == "samples" {
				cpu++
			}
		}
		return cpu >= 2
	})
	ctx, cancel := context.WithTimeout(t.Context(), leaktest.Patience)
	defer cancel()
	if err := session.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestAProfileByHandWithoutASession(t *testing.T) {
	s := start(t)
	got := do(t, t.Context(), http.MethodGet, "http://"+s.Addr()+"/debug/pprof/profile?seconds=1")
	if got.status != http.StatusOK {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	checkCPUProfile(t, got.body)
}

// TestTheSessionEndsBesideAProfileByHand: Stop is bounded by its context while
// somebody fetches a long profile, and the session ends with that.
func TestTheSessionEndsBesideAProfileByHand(t *testing.T) {
	uploads := make(chan string, 1000)
	pyroscope := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		uploads <- r.URL.Query().Get("units")
	}))
	defer pyroscope.Close()
	leaktest.Run(t, func() {
		session, err := profiles.Start(profiles.Config{Service: "shop", Address: pyroscope.URL, Interval: 20 * time.Millisecond, MutexFraction: -1, BlockRate: -1})
		if err != nil {
			t.Fatal(err)
		}
		s, err := admin.Start(admin.Config{Addr: "127.0.0.1:0", Metrics: http.NotFoundHandler()})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			if response, err := (&http.Client{Transport: transport}).Get("http://" + s.Addr() + "/debug/pprof/profile?seconds=600"); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		}()
		for others := 0; others < 20; { // no CPU profiles any more: it is under way
			if others++; <-uploads == "samples" {
				others = 0
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := session.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop of the session: %v, want its context's error", err)
		}
		_ = s.Stop(ctx) // its time is over: the connection is closed, and the profile with it
		<-ended
		long, cancelLong := context.WithTimeout(t.Context(), leaktest.Patience)
		defer cancelLong()
		if err := session.Stop(long); err != nil {
			t.Errorf("second stop of the session: %v", err)
		}
	})
}

// checkCPUProfile wants a gzipped message Profile whose sample types are those
// of a CPU profile.
func checkCPUProfile(t *testing.T, zipped []byte) {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatalf("not gzip: %v", err)
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		t.Fatalf("cut off: %v", err)
	}
	types, text := 0, map[string]bool{}
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			t.Fatalf("not a profile: %v", protowire.ParseError(n))
		}
		data = data[n:]
		switch field {
		case 1: // sample_type
			types++
		case 6: // string_table
			s, _ := protowire.ConsumeBytes(data)
			text[string(s)] = true
		}
		if n = protowire.ConsumeFieldValue(field, kind, data); n < 0 {
			t.Fatalf("not a profile: %v", protowire.ParseError(n))
		}
		data = data[n:]
	}
	if types != 2 || !text["samples"] || !text["cpu"] || !text["nanoseconds"] {
		t.Errorf("%d sample types, strings %v; want samples and cpu nanoseconds", types, text)
	}
}
