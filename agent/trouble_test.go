package agent_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// fate is what becomes of telemetry that a backend in trouble is sent.
type fate string

const (
	arrives fate = "it arrives"
	fails   fate = "it is dropped because the export failed"
	waits   fate = "it waits, and is dropped at the shutdown"
)

// What becomes of each signal in each trouble. Where a further attempt may
// help, OTLP's exporters make it; profiles have one attempt each.
func fates(signal catalog.Signal) map[way]fate {
	switch signal {
	case catalog.Traces, catalog.Logs:
		return map[way]fate{
			refuses: fails, blackHole: waits, slow: arrives, answers500: fails, answers429: waits,
			truncates: fails, talksRot: fails, wrongCert: fails,
		}
	case catalog.Profiles:
		// Pyroscope's answer to an upload has a status and nothing to read.
		return map[way]fate{
			refuses: fails, blackHole: waits, slow: arrives, answers500: fails, answers429: fails,
			truncates: arrives, talksRot: arrives, wrongCert: fails,
		}
	default: // a console knows neither statuses nor certificates
		return map[way]fate{refuses: fails, blackHole: waits, slow: arrives, truncates: fails, talksRot: fails}
	}
}

// troubledService is a service with one sink that can be put in trouble; its
// other sinks are well.
type troubledService struct {
	t        *testing.T
	signal   catalog.Signal
	behave   func(way)
	requests func() int // to the backend, since it last changed; nil: a console
	agent    *agent.Agent
	registry *prometheus.Registry
	out      *console
	handler  http.Handler

	// own is the most lines of the agent's own about its sink, which are in the
	// account of the sink where that takes lines.
	own float64
	// either says that what has ended, or failed, may have been sent instead.
	endedOrSent, failedOrSent bool
}

// bound is what a Shutdown with a context of 100 ms may take. It is far more
// than it does, and far less than the time-outs that it must not wait for.
const bound = 8 * time.Second

// queueSize is small, so that a few requests fill a queue.
const queueSize = 8

func newTroubledService(t *testing.T, signal catalog.Signal, first way) *troubledService {
	t.Helper()
	s := &troubledService{t: t, signal: signal, registry: prometheus.NewRegistry(), out: &console{}}
	c := agent.Config{Service: "shop", AdminAddr: agent.Off, Registry: s.registry}
	c.Traces.Disabled, c.Logs.Disabled, c.Profiles.Disabled = true, true, true
	c.Logs.Console = s.out
	var authority *certtest.Authority
	switch signal {
	case catalog.Traces, catalog.Logs:
		authority = certtest.New(t)
		b := newTroubled(t, authority)
		exporter := agent.Exporter{CAFile: authority.File, QueueCapacity: queueSize, Timeout: time.Minute, Endpoint: b.url("/v1/x")}
		if signal == catalog.Traces {
			c.Traces.Disabled, c.Traces.Exporter = false, exporter
		} else {
			c.Logs.Disabled, c.Logs.Exporter = false, exporter
		}
		s.behave, s.requests = b.behave, b.requests
	case catalog.Profiles:
		// Profiles trust the system's authorities alone, among which the test's
		// own is not: over TLS, all it has is a wrong certificate.
		if first == wrongCert {
			authority = certtest.New(t)
		}
		b := newTroubled(t, authority)
		c.Profiles = agent.Profiles{Address: b.url(""), Interval: time.Second}
		s.behave, s.requests = b.behave, b.requests
	case catalog.Stdout:
		b := newTroubledConsole()
		t.Cleanup(func() { b.behave(well) }) // lets go what hangs
		c.Logs.Console, c.Logs.QueueCapacity = b, queueSize
		s.behave = b.behave
	}
	if signal == catalog.Logs || signal == catalog.Stdout {
		s.own = 2
	}
	if first != well {
		s.behave(first)
	}
	var err error
	if s.agent, err = agent.Start(t.Context(), c); err != nil {
		t.Fatalf("the agent does not start: %v", err)
	}
	s.handler = agenthttp.Middleware(s.agent, agenthttp.WithAccessLog(false))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = s.agent.Logger(r.Context()).Log("msg", "served")
		_, _ = io.WriteString(w, "hello")
	}))
	return s
}

// serve serves n requests and wants each answered as ever. One that waited for
// the backend would not come back before the trouble ends.
func (s *troubledService) serve(n int) {
	s.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusOK || w.Body.String() != "hello" {
				s.t.Errorf("a request is answered %d %q", w.Code, w.Body)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(leaktest.Patience):
		s.t.Fatal("requests wait for the backend")
	}
}

// account is the sink's account in a scrape.
type account struct{ produced, sent, queued, full, failed, ended float64 }

func (s *troubledService) account() account {
	s.t.Helper()
	families, err := s.registry.Gather() // once: a scrape is consistent, two differ
	if err != nil {
		s.t.Fatal(err)
	}
	scrape := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	checkAccounts(s.t, scrape)
	signal := string(s.signal)
	dropped := values(s.t, scrape, catalog.TelemetryDropped.Desc().Name)
	return account{
		produced: values(s.t, scrape, catalog.TelemetryProduced.Desc().Name)[signal],
		sent:     values(s.t, scrape, catalog.TelemetrySent.Desc().Name)[signal],
		queued:   values(s.t, scrape, catalog.TelemetryQueue.Desc().Name)[signal],
		full:     dropped[catalog.ReasonQueueFull+" "+signal],
		failed:   dropped[catalog.ReasonExport+" "+signal],
		ended:    dropped[catalog.ReasonShutdown+" "+signal],
	}
}

// shutdown ends the agent: at once where telemetry waits for a backend that
// will not take it.
func (s *troubledService) shutdown(f fate) {
	s.t.Helper()
	patience := leaktest.Patience
	switch {
	case f == waits && s.signal == catalog.Profiles:
		patience = time.Second // the last profiles must have been taken by then
	case f == waits:
		patience = 100 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	begun := time.Now()
	err := s.agent.Shutdown(ctx)
	if took := time.Since(begun); f == waits && took > bound {
		s.t.Errorf("the shutdown took %s", took)
	}
	if (err != nil) != (f == waits) || err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.t.Errorf("shutdown: %v, though %s", err, f)
	}
	if f == waits && s.signal == catalog.Stdout {
		// A write that hangs cannot be cancelled. It ends now, and well.
		s.behave(well)
		s.endedOrSent = true
	}
	leaktest.Eventually(s.t, "nothing is queued", func() bool { return s.account().queued == 0 })
}

// expect compares the account with what it should be, but for the agent's own
// lines.
func (s *troubledService) expect(want account) {
	s.t.Helper()
	got, want := s.merged(s.account()), s.merged(want)
	own := got.produced - want.produced
	if own < 0 || own > s.own || got.sent < want.sent || got.queued < want.queued ||
		got.full != want.full || got.failed < want.failed || got.ended < want.ended {
		s.t.Errorf("the account is %+v, want %+v and at most %g lines more", got, want, s.own)
	}
}

func (s *troubledService) merged(a account) account {
	if s.endedOrSent {
		a.sent, a.ended = a.sent+a.ended, 0
	}
	if s.failedOrSent {
		a.sent, a.failed = a.sent+a.failed, 0
	}
	return a
}

// lost is the account of n items that meet with a fate.
func lost(f fate, n float64) account {
	switch f {
	case fails:
		return account{produced: n, failed: n}
	case waits:
		return account{produced: n, ended: n}
	}
	return account{produced: n, sent: n}
}

func (a account) plus(b account) account {
	return account{a.produced + b.produced, a.sent + b.sent, a.queued + b.queued, a.full + b.full, a.failed + b.failed, a.ended + b.ended}
}

// states counts the lines that say that the sink fails, and that it is well.
func (s *troubledService) states() (down, up int) {
	signal := "signal=" + string(s.signal)
	return len(s.out.about("telemetry is not accepted", signal)), len(s.out.about("telemetry is accepted again", signal))
}

// checkStates wants one line for each change. A console that fails has nobody
// to tell.
func (s *troubledService) checkStates(down, up int) {
	s.t.Helper()
	gotDown, gotUp := s.states()
	if s.signal != catalog.Stdout && (gotDown != down || gotUp != up) {
		s.t.Errorf("%d lines say that it fails and %d that it is well again, want %d and %d: %q", gotDown, gotUp, down, up, s.out.lines())
	}
}

// TestTrouble is the matrix of what can be wrong with a sink and when. In every
// cell requests are served as ever, the agent starts and ends in time, and each
// item is accounted for by its reason. Profiles are in TestTroubleWithProfiles.
func TestTrouble(t *testing.T) {
	t.Parallel()
	phases := map[string]func(t *testing.T, signal catalog.Signal, bad way, f fate){
		"at the start": troubleAtStart, "under load": troubleUnderLoad, "at the shutdown": troubleAtShutdown,
	}
	for _, signal := range []catalog.Signal{catalog.Traces, catalog.Logs, catalog.Stdout} {
		for bad, f := range fates(signal) {
			for name, phase := range phases {
				t.Run(strings.Join([]string{string(signal), string(bad), name}, ", "), func(t *testing.T) {
					t.Parallel()
					phase(t, signal, bad, f)
				})
			}
		}
	}
}

func troubleAtStart(t *testing.T, signal catalog.Signal, bad way, f fate) {
	leaktest.Run(t, func() {
		s := newTroubledService(t, signal, bad)
		for range 2 {
			s.serve(2)
			if f != waits {
				flush(t, s.agent)
			}
		}
		s.shutdown(f)
		s.expect(lost(f, 4))
		s.checkStates(map[fate]int{fails: 1}[f], 0)
	})
}

func troubleAtShutdown(t *testing.T, signal catalog.Signal, bad way, f fate) {
	leaktest.Run(t, func() {
		s := newTroubledService(t, signal, well)
		s.serve(3)
		flush(t, s.agent)
		s.behave(bad)
		s.serve(4)
		s.shutdown(f)
		want := lost(arrives, 3).plus(lost(f, 4))
		s.expect(want)
		s.serve(2) // these are served, and not measured
		s.expect(want.plus(lost(waits, 2)))
	})
}

// troubleUnderLoad has a backend that fails, or more requests than the queue
// has room, and a recovery.
func troubleUnderLoad(t *testing.T, signal catalog.Signal, bad way, f fate) {
	s := newTroubledService(t, signal, well)
	s.serve(3)
	flush(t, s.agent)
	want := lost(arrives, 3)
	s.expect(want)
	s.behave(bad)
	if f == waits {
		s.serve(queueSize + 5)
		s.expect(want.plus(account{produced: queueSize + 5, queued: queueSize, full: 5}))
		want = want.plus(account{produced: queueSize + 5, sent: queueSize, full: 5})
		leaktest.Eventually(t, "the sink is in trouble", func() bool { return s.requests == nil || s.requests() > 0 })
	} else {
		for range 3 {
			s.serve(2)
			flush(t, s.agent)
		}
		want = want.plus(lost(f, 6))
		s.expect(want)
	}
	// Whoever hangs in a black hole is thrown out of it now, and its batch has
	// failed; others are tried again, by the exporter's own policy.
	failed := f == fails || bad == blackHole && signal != catalog.Stdout
	s.failedOrSent = failed && f == waits
	s.behave(well)
	flush(t, s.agent)
	s.serve(4)
	flush(t, s.agent)
	s.shutdown(arrives)
	s.expect(want.plus(lost(arrives, 4)))
	if failed {
		s.checkStates(1, 1)
	} else {
		s.checkStates(0, 0)
	}
}
