package agent_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

func pass(ms int) { <-time.After(time.Duration(ms) * time.Millisecond) }

// TestWhatIsChargedOfACallInSteps has the clock of synctest, so that the
// numbers are exact.
func TestWhatIsChargedOfACallInSteps(t *testing.T) {
	t.Parallel()
	start := func(ctx context.Context, a *agent.Agent) *agent.Call {
		_, call := a.StartCall(ctx, agent.CallInfo{Component: catalog.DB, Name: "q"})
		return call
	}
	tests := map[string]struct {
		run     func(ctx context.Context, a *agent.Agent)
		seconds float64 // of db
		calls   float64
	}{
		"a call without a pause is charged whole": {seconds: 0.03, calls: 1, run: func(ctx context.Context, a *agent.Agent) {
			call := start(ctx, a)
			pass(30)
			call.End(nil)
		}},
		"what comes after the pause is charged by steps": {seconds: 0.035, calls: 1, run: func(ctx context.Context, a *agent.Agent) {
			call := start(ctx, a)
			pass(30)
			if d := call.Pause(); d != 30*time.Millisecond {
				t.Errorf("the first step took %s", d)
			}
			pass(200)
			step := call.Resume()
			pass(5)
			if d := step.End(); d != 5*time.Millisecond {
				t.Errorf("the second step took %s", d)
			}
			pass(400)
			if d := call.End(nil).Duration; d != 635*time.Millisecond {
				t.Errorf("the call took %s", d)
			}
		}},
		"the end of a paused call takes nothing from another one": {seconds: 0.05, calls: 2, run: func(ctx context.Context, a *agent.Agent) {
			paused, other := start(ctx, a), start(ctx, a)
			paused.Pause()
			pass(20)
			paused.End(nil)
			pass(30)
			other.End(nil)
		}},
		"steps that overlap are charged once": {seconds: 0.03, calls: 1, run: func(ctx context.Context, a *agent.Agent) {
			call := start(ctx, a)
			call.Pause()
			one := call.Resume()
			pass(10)
			two := call.Resume()
			pass(10)
			one.End()
			pass(10)
			two.End()
			call.End(nil)
		}},
		"a step that is counted is a call, another one is not": {seconds: 0.03, calls: 1, run: func(ctx context.Context, a *agent.Agent) {
			step := a.Charge(ctx, catalog.DB, true)
			pass(10)
			step.End()
			step = a.Charge(ctx, catalog.DB, false)
			pass(20)
			step.End()
		}},
		"outside of a request there is nobody to charge": {run: func(_ context.Context, a *agent.Agent) {
			step := a.Charge(context.Background(), catalog.DB, true)
			pass(10)
			if d := step.End(); d != 0 {
				t.Errorf("the step took %s", d)
			}
		}},
		"a nil agent charges nobody": {run: func(ctx context.Context, _ *agent.Agent) {
			var a *agent.Agent
			call := start(ctx, a)
			call.Pause()
			call.Resume().End()
			a.Charge(ctx, catalog.DB, true).End()
			call.End(nil)
		}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rec := agenttest.New(t)
				ledger := &ledger{}
				ctx, operation := rec.Agent().StartOperation(t.Context(), agent.OperationInfo{Name: "work"})
				c.run(ctx, rec.Agent())
				operation.End(agent.Outcome{Series: ledger})
				if ledger.seconds != c.seconds || ledger.calls != int(c.calls) {
					t.Errorf("charged %v s in %v calls, want %v in %v", ledger.seconds, ledger.calls, c.seconds, c.calls)
				}
			})
		})
	}
}

// ledger is a series that keeps what is charged to db.
type ledger struct {
	noHistogram
	seconds float64
	calls   int
}

// Charge implements [agent.OperationSeries].
func (l *ledger) Charge(c catalog.Component, d time.Duration, calls int) {
	if c == catalog.DB {
		l.seconds, l.calls = d.Seconds(), calls
	}
}

// noHistogram is a series without a histogram.
type noHistogram struct{}

func (noHistogram) Slow(time.Duration) bool              { return false }
func (noHistogram) Wants(time.Duration, time.Time) bool  { return false }
func (noHistogram) Observe(time.Duration, trace.TraceID) {}
