package profiles_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/profiles"
)

// The tests of this package do not run in parallel: a process has one CPU
// profiler.

func start(t *testing.T, address string, options ...func(*profiles.Config)) (*profiles.Session, *states) {
	t.Helper()
	s := &states{}
	config := profiles.Config{
		Service: "shop", Address: address, Interval: time.Hour, MutexFraction: -1, BlockRate: -1, OnState: s.add,
	}
	for _, set := range options {
		set(&config)
	}
	session, err := profiles.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), leaktest.Patience)
		defer cancel()
		_ = session.Stop(ctx)
	})
	return session, s
}

type states struct {
	mu   sync.Mutex
	errs []error
}

func (s *states) add(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *states) all() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errs)
}

// TestACertificateOfOnesOwn uploads to a server whose authority the system does
// not know, and that wants to see a client's certificate.
func TestACertificateOfOnesOwn(t *testing.T) {
	authority := certtest.New(t)
	client := authority.Issue("client", time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		ca, cert, key string
		sent          uint64
	}{
		"all that is needed":      {ca: authority.File, cert: client.CertFile, key: client.KeyFile, sent: 1},
		"an unknown authority":    {cert: client.CertFile, key: client.KeyFile},
		"no client's certificate": {ca: authority.File},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			server.secure(&tls.Config{
				Certificates: []tls.Certificate{authority.Issue("server", time.Now().Add(time.Hour)).TLS},
				ClientCAs:    authority.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
			})
			session, _ := start(t, server.URL, func(config *profiles.Config) {
				config.CAFile, config.CertFile, config.KeyFile = c.ca, c.cert, c.key
			})
			stop(t, session)
			stats := session.Stats()
			if got := min(stats.Sent, 1); got != c.sent || (stats.Dropped[catalog.ReasonExport] > 0) == (c.sent > 0) {
				t.Errorf("%d profiles are sent, %v dropped", stats.Sent, stats.Dropped)
			}
		})
	}
}

func TestAFileThatIsNotThereStopsTheStart(t *testing.T) {
	_, err := profiles.Start(profiles.Config{Service: "shop", Address: "https://localhost", CAFile: "/nowhere/ca.pem"})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("start: %v, want an error that names the file", err)
	}
}

func stop(t *testing.T, s *profiles.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), leaktest.Patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func checkAccount(t *testing.T, s batch.Stats) {
	t.Helper()
	sum := s.Sent + s.Queued
	for _, n := range s.Dropped {
		sum += n
	}
	if sum != s.Produced || s.Produced == 0 {
		t.Errorf("produced %d, sent %d + dropped %v + queued %d", s.Produced, s.Sent, s.Dropped, s.Queued)
	}
}

// burn is the function that the CPU profile must name.
//
//go:noinline
func burn(until time.Time) (sum int) {
	for time.Now().Before(until) {
		for i := range 1000 {
			sum += i * i
		}
	}
	return sum
}

func TestProfilesArrive(t *testing.T) {
	server := newServer(t)
	leaktest.Run(t, func() {
		session, s := start(t, server.URL+"/base", func(c *profiles.Config) {
			c.Interval = 100 * time.Millisecond
			c.Tags = map[string]string{"version": "1.2"}
			c.User, c.Password, c.Tenant = "me", "hunter2", "lab"
			c.Headers = map[string]string{"X-Own": "yes"}
			c.MutexFraction, c.BlockRate = 1, 1
		})
		labels := pprof.Labels(catalog.ProfileSpanID, "00f067aa0ba902b7", catalog.ProfileSpanName, "GET /users/:id")
		leaktest.Eventually(t, "a CPU profile names the function and its span", func() bool {
			pprof.Do(t.Context(), labels, func(context.Context) { burn(time.Now().Add(50 * time.Millisecond)) })
			return server.cpuProfileOf("profiles_test.burn", "00f067aa0ba902b7", "GET /users/:id")
		})
		runtime.GC() // the heap profile is of the last collection
		stop(t, session)
		stats := session.Stats()
		checkAccount(t, stats)
		if stats.Sent != stats.Produced || !stats.Up || len(s.all()) != 0 {
			t.Errorf("stats %+v, states %v; want all sent", stats, s.all())
		}
		if got := server.count(); uint64(got) != stats.Sent {
			t.Errorf("%d profiles arrived, %d are counted", got, stats.Sent)
		}
		if got, least := session.BytesSent(), server.profileBytes(); got < least {
			t.Errorf("%d bytes are counted, the profiles alone have %d", got, least)
		}
	})
	for _, u := range server.uploads {
		if u.path != "/base/ingest" || !strings.HasPrefix(u.name, "shop{") || !strings.Contains(u.name, "version=1.2") {
			t.Errorf("path %q, name %q", u.path, u.name)
		}
		if u.user != "me" || u.password != "hunter2" || u.header.Get("X-Scope-OrgID") != "lab" || u.header.Get("X-Own") != "yes" {
			t.Errorf("user %q, headers %v", u.user, u.header)
		}
	}
	for _, kind := range []string{"samples", "goroutine", "alloc_objects", "inuse_space", "contentions", "delay"} {
		if !server.has(kind) {
			t.Errorf("no profile with samples of %q arrived", kind)
		}
	}
}

func TestOneSessionAtATime(t *testing.T) {
	server := newServer(t)
	first, _ := start(t, server.URL)
	if _, err := profiles.Start(profiles.Config{Service: "shop", Address: server.URL}); !errors.Is(err, profiles.ErrRunning) {
		t.Errorf("second start: %v, want %v", err, profiles.ErrRunning)
	}
	var wg sync.WaitGroup
	for range 3 { // at the same time, and below once more
		wg.Go(func() { stop(t, first) })
	}
	wg.Wait()
	stop(t, first)
	second, _ := start(t, server.URL)
	stop(t, second)
}

func TestAServerInTrouble(t *testing.T) {
	refused := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return "http://" + l.Addr().String()
	}
	answering := func(answer http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			s := newServer(t)
			s.answer = answer
			return s.URL
		}
	}
	elsewhere := newServer(t)
	tests := map[string]struct {
		address func(*testing.T) string
		says    string
	}{
		"refuses connections": {refused, "refused"},
		"is broken":           {answering(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) }), "500"},
		"wants credentials":   {answering(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 401) }), "401"},
		"accepts, but is no Pyroscope": {answering(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}), "204"},
		"sends elsewhere": {answering(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}), "307"},
		"hangs up": {answering(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address := test.address(t)
			leaktest.Run(t, func() {
				session, s := start(t, address+"?token=hunter2", func(c *profiles.Config) {
					c.Tenant, c.Headers = "lab", map[string]string{"X-Key": "hunter2"}
				})
				stop(t, session)
				stats := session.Stats()
				checkAccount(t, stats)
				want := batch.Stats{Produced: stats.Produced, Dropped: map[string]uint64{catalog.ReasonExport: stats.Produced}}
				if !reflect.DeepEqual(stats, want) {
					t.Errorf("stats %+v, want %+v", stats, want)
				}
				errs := s.all()
				if len(errs) != 1 || errs[0] == nil || !strings.Contains(errs[0].Error(), test.says) {
					t.Fatalf("states %v, want one with %q", errs, test.says)
				}
				if strings.Contains(errs[0].Error(), "hunter2") {
					t.Errorf("the state %v shows a secret", errs[0])
				}
			})
		})
	}
	if n := elsewhere.count(); n != 0 {
		t.Errorf("%d uploads followed a redirect", n)
	}
}

func TestRecovery(t *testing.T) {
	server := newServer(t)
	server.behave(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 503) })
	session, s := start(t, server.URL, func(c *profiles.Config) { c.Interval = 20 * time.Millisecond })
	leaktest.Eventually(t, "several uploads fail", func() bool { return session.Stats().Dropped[catalog.ReasonExport] > 8 })
	server.behave(nil)
	leaktest.Eventually(t, "uploads succeed again", func() bool { return session.Stats().Sent > 8 })
	stop(t, session)
	checkAccount(t, session.Stats())
	errs := s.all()
	if len(errs) < 2 || len(errs)%2 != 0 || errs[0] == nil || errs[len(errs)-1] != nil {
		t.Errorf("states %v, want failures and successes by turn, the last a success", errs)
	}
}

// TestABlackHole: Stop ends with its context, and what was under way is booked
// as dropped by the shutdown, which is no fault of the server.
func TestABlackHole(t *testing.T) {
	server := newServer(t)
	server.behave(func(http.ResponseWriter, *http.Request) { <-server.hung })
	leaktest.Run(t, func() {
		session, s := start(t, server.URL)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begun := time.Now()
		err := session.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "profiles") {
			t.Errorf("stop: %v", err)
		}
		if took := time.Since(begun); took > leaktest.Patience {
			t.Errorf("stop took %s", took)
		}
		leaktest.Eventually(t, "the session ends", func() bool { return session.Stats().Queued == 0 && session.Stats().Produced > 0 })
		stop(t, session)
		stats := session.Stats()
		want := batch.Stats{Produced: stats.Produced, Up: true, Dropped: map[string]uint64{catalog.ReasonShutdown: stats.Produced}}
		if !reflect.DeepEqual(stats, want) {
			t.Errorf("stats %+v, want %+v", stats, want)
		}
		if errs := s.all(); len(errs) != 0 {
			t.Errorf("states %v, want none", errs)
		}
		next, _ := start(t, server.URL) // the profiler is free again
		expired, cancelNow := context.WithCancel(t.Context())
		cancelNow()
		_ = next.Stop(expired)
		stop(t, next)
	})
}

// TestProfilesThatDoNotFitAreCounted: pyroscope-go has a queue of its own, and
// tells only its logger what it drops.
func TestProfilesThatDoNotFitAreCounted(t *testing.T) {
	server := newServer(t)
	server.behave(func(http.ResponseWriter, *http.Request) { <-server.hung })
	session, _ := start(t, server.URL, func(c *profiles.Config) { c.Interval = 10 * time.Millisecond })
	leaktest.Eventually(t, "the queue is full", func() bool { return session.Stats().Dropped[catalog.ReasonQueueFull] > 3 })
	checkAccount(t, session.Stats())
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	_ = session.Stop(expired)
	stop(t, session)
	checkAccount(t, session.Stats())
}

func TestAFailedStartLeavesNothingBehind(t *testing.T) {
	before := runtime.SetMutexProfileFraction(-1)
	tests := map[string]profiles.Config{
		"a tag that is not allowed":    {Service: "shop", Address: "http://localhost:1", Tags: map[string]string{"a b": "c"}, MutexFraction: 7},
		"a name that is not allowed":   {Service: "my shop", Address: "http://localhost:1", MutexFraction: 7},
		"an address that is no URL":    {Service: "shop", Address: "http://me:hunter2@[", MutexFraction: 7},
		"an address with a bad escape": {Service: "shop", Address: "http://me:hunter2@localhost/%zz", MutexFraction: 7},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			leaktest.Run(t, func() {
				_, err := profiles.Start(config)
				if err == nil || errors.Is(err, profiles.ErrRunning) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v", err)
				}
			})
			if got := runtime.SetMutexProfileFraction(-1); got != before {
				t.Errorf("the mutex fraction is %d, want %d as before", got, before)
			}
		})
	}
}

func TestTheRuntimesSettingsComeBack(t *testing.T) {
	server := newServer(t)
	before := runtime.SetMutexProfileFraction(13)
	defer runtime.SetMutexProfileFraction(before)
	for name, test := range map[string]struct{ config, during int }{
		"a fraction of our own": {5, 5},
		"a negative one":        {-1, 13},
	} {
		session, _ := start(t, server.URL, func(c *profiles.Config) { c.MutexFraction = test.config })
		if got := runtime.SetMutexProfileFraction(-1); got != test.during {
			t.Errorf("%s: %d during the session, want %d", name, got, test.during)
		}
		stop(t, session)
		if got := runtime.SetMutexProfileFraction(-1); got != 13 {
			t.Errorf("%s: %d after the session, want 13 as before", name, got)
		}
	}
}

type foreignTransport struct{}

func (foreignTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("not for the agent")
}

// TestTheDefaultTransportIsNotUsed: services replace it by wrappers that trace
// or meter, of other types.
func TestTheDefaultTransportIsNotUsed(t *testing.T) {
	server := newServer(t)
	before := http.DefaultTransport
	http.DefaultTransport = foreignTransport{}
	defer func() { http.DefaultTransport = before }()
	session, _ := start(t, server.URL)
	stop(t, session)
	if stats := session.Stats(); stats.Sent == 0 || stats.Sent != stats.Produced {
		t.Errorf("stats %+v, want all sent", stats)
	}
}

// TestTheEnvironmentIsNotRead sets the variable by which pyroscope-go lets its
// address be changed.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	server, elsewhere := newServer(t), newServer(t)
	t.Setenv("PYROSCOPE_ADHOC_SERVER_ADDRESS", elsewhere.URL)
	session, _ := start(t, server.URL)
	stop(t, session)
	if server.count() == 0 || elsewhere.count() != 0 {
		t.Errorf("%d profiles at the address, %d elsewhere", server.count(), elsewhere.count())
	}
}
