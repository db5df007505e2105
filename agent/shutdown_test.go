package agent_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// stack is all backends in one: it counts what comes to each path.
type stack struct {
	*httptest.Server
	hung chan struct{} // closed at the end: requests to paths that hang may go

	mu    sync.Mutex
	paths map[string]int
	bytes map[string]int64 // of the requests' bodies
	hangs map[string]bool
}

func newStack(t *testing.T, hangs ...string) *stack {
	t.Helper()
	s := &stack{hung: make(chan struct{}), paths: map[string]int{}, bytes: map[string]int64{}, hangs: map[string]bool{}}
	for _, path := range hangs {
		s.hangs[path] = true
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		close(s.hung)
		s.Close()
	})
	return s
}

func (s *stack) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	s.paths[r.URL.Path]++
	s.bytes[r.URL.Path] += n
	hangs := s.hangs[r.URL.Path]
	s.mu.Unlock()
	if hangs {
		<-s.hung
	}
}

func (s *stack) requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[path]
}

// config sends everything to the stack.
func (s *stack) config(set ...func(*agent.Config)) agent.Config {
	c := agent.Config{Service: "shop", AdminAddr: "127.0.0.1:0"}
	c.Traces.Endpoint, c.Logs.Endpoint, c.Profiles.Address = s.URL+"/v1/traces", s.URL+"/v1/logs", s.URL
	c.Logs.Console = io.Discard
	for _, f := range set {
		f(&c)
	}
	return c
}

// produce makes a span and a line.
func produce(a *agent.Agent, n int) {
	for range n {
		ctx, span := a.TracerProvider().Tracer("test").Start(context.Background(), "s")
		_ = a.Logger(ctx).Log("msg", "line")
		span.End()
	}
}

// Tests with profiles are not parallel: a process has one profiler.

func TestShutdownSendsWhatIsQueued(t *testing.T) {
	s, registry := newStack(t), prometheus.NewRegistry()
	leaktest.Run(t, func() {
		a, err := agent.Start(t.Context(), s.config(func(c *agent.Config) { c.Registry = registry }))
		if err != nil {
			t.Fatal(err)
		}
		produce(a, 5)
		shutdown(t, a)
		if _, err := http.Get("http://" + a.AdminAddr() + "/healthz"); err == nil {
			t.Error("the admin listener is still there")
		}
	})
	sent := values(t, registry, catalog.TelemetrySent.Desc().Name)
	if sent["traces"] != 5 || sent["logs"] != 5 || sent["profiles"] == 0 {
		t.Errorf("sent %v, want 5 spans, 5 lines and profiles", sent)
	}
	for path, least := range map[string]int{"/v1/traces": 1, "/v1/logs": 1, "/ingest": 2} {
		if got := s.requests(path); got < least {
			t.Errorf("%d requests to %s, want %d at least", got, path, least)
		}
	}
	checkAccounts(t, registry)
}

// TestABlackHoleTakesNobodyElsesTime: one backend hangs, the others get what
// is theirs, and Shutdown ends with its context.
func TestABlackHoleTakesNobodyElsesTime(t *testing.T) {
	paths := map[string]string{"traces": "/v1/traces", "logs": "/v1/logs", "profiles": "/ingest"}
	for hanging, path := range paths {
		t.Run(hanging+" hang", func(t *testing.T) {
			s, registry, out := newStack(t, path), prometheus.NewRegistry(), &console{}
			leaktest.Run(t, func() {
				a, err := agent.Start(t.Context(), s.config(func(c *agent.Config) { c.Registry, c.Logs.Console = registry, out }))
				if err != nil {
					t.Fatal(err)
				}
				produce(a, 3)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				if err := a.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("shutdown: %v, want its context's error", err)
				}
				if took := time.Since(begun); took > leaktest.Patience {
					t.Errorf("shutdown took %s", took)
				}
				leaktest.Eventually(t, "what hung is given up", func() bool {
					return values(t, registry, catalog.TelemetryQueue.Desc().Name)[hanging] == 0
				})
			})
			sent, dropped := values(t, registry, catalog.TelemetrySent.Desc().Name), values(t, registry, catalog.TelemetryDropped.Desc().Name)
			for signal := range paths {
				if (sent[signal] > 0) == (signal == hanging) {
					t.Errorf("%g %s are sent", sent[signal], signal)
				}
				if (dropped["shutdown "+signal] > 0) != (signal == hanging) {
					t.Errorf("%g %s are dropped by the shutdown", dropped["shutdown "+signal], signal)
				}
			}
			if n := len(out.about("msg=line")); n != 3 {
				t.Errorf("the console has %d lines, want 3: %q", n, out.lines())
			}
			checkAccounts(t, registry)
		})
	}
}

// TestAFailedStartDoesNotWaitForBackends: a taken port is reported soon, though
// the profiles of the half-started agent go nowhere.
func TestAFailedStartDoesNotWaitForBackends(t *testing.T) {
	s := newStack(t, "/ingest", "/v1/traces", "/v1/logs")
	leaktest.Run(t, func() {
		begun := time.Now()
		_, err := agent.Start(t.Context(), s.config(func(c *agent.Config) { c.AdminAddr = strings.TrimPrefix(s.URL, "http://") }))
		if err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("error %v, want that of the port", err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		// The profiler is free for the next try.
		leaktest.Eventually(t, "an agent starts", func() bool {
			a, err := agent.Start(t.Context(), s.config())
			if err != nil {
				return false
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_ = a.Shutdown(ctx)
			return true
		})
	})
}

func TestOneProfilerPerProcess(t *testing.T) {
	s := newStack(t)
	first := start(t, s.config())
	if _, err := agent.Start(t.Context(), s.config()); err == nil || !strings.Contains(err.Error(), "disable profiles on one of them") {
		t.Errorf("second agent with profiles: %v", err)
	}
	second := start(t, s.config(func(c *agent.Config) { c.Profiles.Disabled = true }))
	if first.AdminAddr() == second.AdminAddr() {
		t.Errorf("both listen at %s", first.AdminAddr())
	}
}

func TestShutdownTwiceAndAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := newStack(t, "/v1/traces")
	a, err := agent.Start(t.Context(), s.config(func(c *agent.Config) { c.Profiles.Disabled, c.Logs.Disabled = true, true }))
	if err != nil {
		t.Fatal(err)
	}
	produce(a, 1)
	long, cancelLong := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- a.Shutdown(long) }()
	leaktest.Eventually(t, "the first is under way", func() bool { return s.requests("/v1/traces") > 0 })

	// The second has less time, and does not get more.
	short, cancelShort := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancelShort()
	if err := a.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second shutdown: %v, want its own context's error", err)
	}
	select {
	case err := <-first:
		t.Errorf("the first ended with the second: %v", err)
	default:
	}
	response, err := http.Get("http://" + a.AdminAddr() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusServiceUnavailable || string(body) != "shutting down\n" {
		t.Errorf("/readyz meanwhile: status %d, %q, error %v", response.StatusCode, body, err)
	}

	cancelLong()
	want := <-first
	if !errors.Is(want, context.Canceled) || !strings.Contains(want.Error(), "spans") {
		t.Errorf("first shutdown: %v", want)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := a.Shutdown(t.Context()); got != want {
				t.Errorf("a later shutdown: %v, want the first one's %v", got, want)
			}
		})
	}
	wg.Wait()
}

// TestAnAgentThatHasEndedIsHarmless: requests that outlive the shutdown still
// have the agent in their hands.
func TestAnAgentThatHasEndedIsHarmless(t *testing.T) {
	t.Parallel()
	s, registry := newStack(t), prometheus.NewRegistry()
	a, err := agent.Start(t.Context(), s.config(func(c *agent.Config) { c.Profiles.Disabled, c.Registry = true, registry }))
	if err != nil {
		t.Fatal(err)
	}
	request, r := a.StartRequest(httptest.NewRequest(http.MethodGet, "/", nil), "/")
	shutdown(t, a)
	_, call := a.StartCall(r.Context(), agent.CallInfo{Component: catalog.DB, Name: "SELECT users"})
	call.End(nil)
	request.End(agent.Response{Status: 200})
	produce(a, 2)
	flush(t, a)
	dropped := values(t, registry, catalog.TelemetryDropped.Desc().Name)
	if dropped["shutdown traces"] != 4 || dropped["shutdown logs"] != 3 {
		t.Errorf("dropped %v, want 4 spans and 3 lines by the shutdown", dropped)
	}
	if got := scrape(t, a, ""); !strings.Contains(got, `http_route="/"`) {
		t.Error("the metrics of the last request are lost")
	}
	checkAccounts(t, registry)
}

// TestCertificatesReachBothExporters sends to a backend that wants to see a
// client's certificate.
func TestCertificatesReachBothExporters(t *testing.T) {
	t.Parallel()
	authority := certtest.New(t)
	client := authority.Issue("client", time.Now().Add(time.Hour))
	s := newMutualTLS(t, authority)
	registry := prometheus.NewRegistry()
	a := start(t, s.config(func(c *agent.Config) {
		c.Profiles.Disabled, c.Registry = true, registry
		for _, x := range []*agent.Exporter{&c.Traces.Exporter, &c.Logs.Exporter} {
			x.CAFile, x.CertFile, x.KeyFile = authority.File, client.CertFile, client.KeyFile
		}
	}))
	produce(a, 2)
	flush(t, a)
	if sent := values(t, registry, catalog.TelemetrySent.Desc().Name); sent["traces"] != 2 || sent["logs"] != 2 {
		t.Errorf("sent %v, want 2 spans and 2 lines", sent)
	}
	if s.requests("/v1/traces") == 0 || s.requests("/v1/logs") == 0 {
		t.Errorf("requests %v", s.paths)
	}
	for signal, n := range values(t, registry, catalog.TelemetryBytes.Desc().Name) {
		if n < 100 {
			t.Errorf("%g bytes of %s are counted", n, signal)
		}
	}
}

// newMutualTLS is a stack that speaks TLS and trusts clients of the authority.
func newMutualTLS(t *testing.T, authority *certtest.Authority) *stack {
	t.Helper()
	s := &stack{paths: map[string]int{}, bytes: map[string]int64{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{authority.Issue("server", time.Now().Add(time.Hour)).TLS},
		ClientCAs:    authority.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}
