package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/sampleapp/internal/gateway"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

func TestEveryRouteOfTheGatewayHasItsShare(t *testing.T) {
	t.Parallel()
	share, sum := map[string]int{}, 0
	for _, target := range Targets() {
		share[target.Method+" "+target.Route] += target.Weight
		sum += target.Weight
	}
	if sum != 100 {
		t.Errorf("the weights add up to %d, want 100", sum)
	}
	for _, r := range gateway.Routes() {
		if share[r.Method+" "+r.Path] < 1 {
			t.Errorf("the load leaves out %s %s", r.Method, r.Path)
		}
		delete(share, r.Method+" "+r.Path)
	}
	if len(share) > 0 {
		t.Errorf("the gateway does not offer %v", share)
	}
}

func TestMixIsTheSameEveryTimeAndKeepsTheWeights(t *testing.T) {
	t.Parallel()
	one, two := newMix("run", seed.Default()), newMix("run", seed.Default())
	const n = 20_000
	count, bodies := map[string]int{}, map[string]bool{}
	for range n {
		a, b := one.next(), two.next()
		if a != b {
			t.Fatalf("the sequences differ: %+v, %+v", a, b)
		}
		count[a.Method+" "+a.Route]++
		if a.Route == "/api/invites" {
			if bodies[a.Body] {
				t.Fatalf("the invite %s comes twice", a.Body)
			}
			bodies[a.Body] = true
		}
	}
	for _, target := range Targets() {
		got, want := count[target.Method+" "+target.Route], n*target.Weight/100
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("%s %s came %d times of %d, want about %d", target.Method, target.Route, got, n, want)
		}
	}
	var first []string
	for again := newMix("run", seed.Default()); len(first) < 3; {
		first = append(first, again.next().Path)
	}
	if want := "[/api/products?limit=20&after=81 /api/posts?limit=20&before=178 /api/products/59]"; fmt.Sprint(first) != want {
		t.Errorf("it begins with %v, want %s: the sequence has changed", first, want)
	}
}

// shop is a gateway that is ready when told, and counts.
type shop struct {
	mu       sync.Mutex
	ready    bool
	probes   int
	requests map[string]int
	hold     chan struct{} // closed: answer at once
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if r.URL.Path == "/readyz" {
		defer s.mu.Unlock()
		s.probes++
		if !s.ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.requests[fmt.Sprintf("%s %v %v", r.Method, r.Header.Get("Content-Type"), len(body) > 0)]++
	s.mu.Unlock()
	<-s.hold
}

func (s *shop) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.requests {
		n += c
	}
	return n
}

func (s *shop) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func newShop(t *testing.T, ready bool) (*shop, string) {
	t.Helper()
	s := &shop{ready: ready, requests: map[string]int{}, hold: make(chan struct{})}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

// until waits for a condition that only a defect keeps from coming.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}

func start(t *testing.T, c Config) (r *agenttest.Recorder, stop func()) {
	t.Helper()
	r = agenttest.New(t)
	c.Agent, c.Client, c.Probe = r.Agent(), &http.Client{Timeout: 20 * time.Second}, http.DefaultClient
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, c) }()
	t.Cleanup(cancel)
	return r, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestNothingIsSentBeforeTheGatewayIsReady(t *testing.T) {
	t.Parallel()
	s, url := newShop(t, false)
	close(s.hold)
	recorder, stop := start(t, Config{Gateway: url, Rate: 500})
	probes := func() (n int) { s.set(func() { n = s.probes }); return n }
	until(t, "the second probe", func() bool { return probes() >= 2 })
	if n := s.total(); n != 0 {
		t.Errorf("%d requests to a gateway that is not ready, want 0", n)
	}
	s.set(func() { s.ready = true })
	until(t, "requests", func() bool { return s.total() > 30 })
	stop()
	waiting := 0
	for _, line := range recorder.Lines() {
		if strings.Contains(line, "waiting for the gateway") {
			waiting++
		}
	}
	if waiting != 1 {
		t.Errorf("the waiting was logged %d times, want 1", waiting)
	}
	s.set(func() {
		for request := range s.requests {
			if request != "GET  false" && request != "POST application/json true" {
				t.Errorf("sent %s, want GET without and POST with a JSON body", request)
			}
		}
	})
}

func TestGatewayThatHangsDoesNotSlowTheLoad(t *testing.T) {
	t.Parallel()
	s, url := newShop(t, true)
	recorder, stop := start(t, Config{Gateway: url, Rate: 400, MaxInFlight: 25, Report: 5 * time.Millisecond})
	// Nothing is answered; 25 are sent all the same, and the rest is skipped.
	until(t, "requests that are skipped", func() bool {
		_, _, skipped := summaries(t, recorder)
		return s.total() == 25 && skipped > 20
	})
	close(s.hold)
	until(t, "more requests", func() bool { return s.total() > 40 })
	stop()
	if sent, ok, _ := summaries(t, recorder); sent != ok || sent != s.total() {
		t.Errorf("the summaries say %d sent, %d ok; the gateway got %d", sent, ok, s.total())
	}
}

// summaries adds up what the load has logged.
func summaries(t *testing.T, recorder *agenttest.Recorder) (sent, ok, skipped int) {
	t.Helper()
	for _, line := range recorder.Lines() {
		_, rest, found := strings.Cut(line, `msg="load summary" `)
		if !found {
			continue
		}
		var a, b, c int
		if _, err := fmt.Sscanf(rest, "sent=%d ok=%d refused=0 server_errors=0 failed=0 skipped=%d", &a, &b, &c); err != nil {
			t.Fatalf("the summary is %s: %v", line, err)
		}
		sent, ok, skipped = sent+a, ok+b, skipped+c
	}
	return sent, ok, skipped
}

func TestEveryRequestIsCountedOnce(t *testing.T) {
	t.Parallel()
	s := newStats()
	for _, r := range []loadgen.Result{
		{Route: "/a", Status: 200, Done: 2 * time.Millisecond},
		{Route: "/a", Status: 204, Done: 2 * time.Millisecond},
		{Route: "/a", Status: 404, Done: 2 * time.Millisecond},
		{Route: "/b", Status: 503, Done: 80 * time.Millisecond},
		{Route: "/c", Err: errors.New("refused"), Planned: time.Second, Sent: 5 * time.Second, Done: 6 * time.Second},
		{WasSkipped: true}, {WasSkipped: true}, {WasSkipped: true},
	} {
		s.add(r)
	}
	got := s.take()
	counts := fmt.Sprint(got.sent, got.ok, got.refused, got.serverErrors, got.failed, got.skipped, got.lastError)
	if want := "5 2 1 1 1 3/c: refused"; strings.ReplaceAll(counts, " /c", "/c") != want {
		t.Errorf("counted %s, want %s", counts, want)
	}
	for q, want := range map[float64]float64{0.5: 0.002, 0.8: 0.08, 0.99: 5} {
		if p := got.quantile(q); p < want || p > want*1.05 {
			t.Errorf("quantile %v is %v, want %v to %v", q, p, want, want*1.05)
		}
	}
	if empty := s.take(); empty != (summary{}) || empty.quantile(0.99) != 0 {
		t.Errorf("the next period begins with %+v, want nothing", empty)
	}
}

func TestRateOfNothingIsRefused(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), Config{})
	if err == nil || err.Error() != "load rate is 0, want more than 0 requests per second" {
		t.Errorf("got %v", err)
	}
}
