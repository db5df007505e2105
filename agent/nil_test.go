package agent_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
)

// TestANilAgent calls every method of *Agent there is on nil. A new method that
// needs arguments of its own is to be added to the table.
func TestANilAgent(t *testing.T) {
	t.Parallel()
	var a *agent.Agent
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	calls := map[string]func(t *testing.T){
		"Shutdown": func(t *testing.T) {
			if err := a.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"Flush": func(t *testing.T) {
			if err := a.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"MetricsHandler": func(t *testing.T) {
			w := httptest.NewRecorder()
			if a.MetricsHandler().ServeHTTP(w, r); w.Code != http.StatusNotFound {
				t.Errorf("status %d, want 404", w.Code)
			}
		},
		"Registerer": func(t *testing.T) {
			c := prometheus.NewCounter(prometheus.CounterOpts{Name: "c_total", Help: "C."})
			for range 2 { // each time with a registry of its own
				a.Registerer().MustRegister(c)
			}
		},
		"Logger": func(t *testing.T) {
			if err := level.Error(a.Logger(t.Context())).Log("a", "b"); err != nil {
				t.Error(err)
			}
		},
		"SlogHandler": func(t *testing.T) {
			if a.SlogHandler().Enabled(t.Context(), 8) {
				t.Error("it wants lines")
			}
		},
		"TracerProvider": func(t *testing.T) {
			_, span := a.TracerProvider().Tracer("x").Start(t.Context(), "y")
			if span.End(); span.IsRecording() || span.SpanContext().IsValid() {
				t.Error("it records spans")
			}
		},
		"Propagator": func(t *testing.T) {
			h := propagation.HeaderCarrier{}
			if a.Propagator().Inject(t.Context(), h); len(h) != 0 {
				t.Errorf("it injects %v", h)
			}
		},
		"AdminAddr": func(t *testing.T) {
			if got := a.AdminAddr(); got != "" {
				t.Errorf("address %q", got)
			}
		},
		"StartRequest": func(t *testing.T) {
			q, same := a.StartRequest(r, "/")
			q.SetRoute("/x")
			if q.End(agent.Response{Panic: "x"}); same != r {
				t.Error("the request is another")
			}
		},
		"StartCall": func(t *testing.T) {
			ctx, c := a.StartCall(t.Context(), agent.CallInfo{Name: "x"})
			c.Pause()
			c.Resume().End()
			c.SetRows(1)
			if c.End(errors.New("x")); ctx != t.Context() || c.SpanContext().IsValid() || c.Exemplar().IsValid() || c.Elapsed() != (agent.Elapsed{}) {
				t.Error("the call is measured")
			}
		},
		"StartOperation": func(t *testing.T) {
			ctx, o := a.StartOperation(t.Context(), agent.OperationInfo{Name: "x"})
			if d := o.End(agent.Outcome{Panic: "x"}); d != 0 || ctx != t.Context() {
				t.Errorf("it took %s", d)
			}
		},
		"Charge": func(t *testing.T) {
			if d := a.Charge(t.Context(), catalog.DB, true).End(); d != 0 {
				t.Errorf("%s are charged", d)
			}
		},
		"Saturation": func(t *testing.T) {
			if _, ok := a.Saturation().Utilization(catalog.ResourceCPU); ok {
				t.Error("it knows something")
			}
		},
		"ObserveUsage": func(t *testing.T) {
			stop, err := a.ObserveUsage(catalog.ResourceWorkers, nil)
			if err != nil {
				t.Error(err)
			}
			stop()
		},
		"Kit": func(t *testing.T) {
			if got := a.Kit("key", func(given *agent.Agent) any { return given == nil }); got != true {
				t.Errorf("kit %v", got)
			}
		},
	}
	for i := range reflect.TypeOf(a).NumMethod() {
		name := reflect.TypeOf(a).Method(i).Name
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := calls[name]
			if call == nil {
				t.Fatal("add this method to the table")
			}
			call(t)
		})
	}
}
