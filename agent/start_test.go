package agent_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// TestBackendsThatCannotBeReached is the promise of D1: no error, no delay, one
// line for each backend however much fails, and everything is counted. It is
// not parallel, because a process has one profiler.
func TestBackendsThatCannotBeReached(t *testing.T) {
	leaktest.Run(t, func() {
		out, registry := &console{}, prometheus.NewRegistry()
		c := agent.Config{Service: "shop", Registry: registry, AdminAddr: "127.0.0.1:0"}
		c.Traces.Endpoint, c.Logs.Endpoint = "http://"+refused(t)+"/v1/traces", "http://"+refused(t)+"/v1/logs"
		c.Profiles.Address, c.Profiles.Interval = "http://"+refused(t), time.Second
		c.Logs.Console = out
		a, err := agent.Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
			span.End()
			_ = a.Logger(t.Context()).Log("msg", "business as usual")
			flush(t, a)
		}
		leaktest.Eventually(t, "profiles fail", func() bool {
			return values(t, registry, catalog.TelemetryDropped.Desc().Name)["export_failed profiles"] > 0
		})
		shutdown(t, a)

		for signal, address := range map[string]string{"traces": c.Traces.Endpoint, "logs": c.Logs.Endpoint, "profiles": c.Profiles.Address} {
			if lines := out.about("telemetry is not accepted", "signal="+signal, "endpoint="+address, "refused", "level=warn"); len(lines) != 1 {
				t.Errorf("%d lines about %s, want 1: %q", len(lines), signal, lines)
			}
		}
		if n := len(out.lines()); n != 6 {
			t.Errorf("%d lines, want 3 of the service and 3 of the agent: %q", n, out.lines())
		}
		up, dropped := values(t, registry, catalog.ExporterUp.Desc().Name), values(t, registry, catalog.TelemetryDropped.Desc().Name)
		if want := map[string]float64{"traces": 0, "logs": 0, "profiles": 0, "stdout": 1}; !maps.Equal(up, want) {
			t.Errorf("up %v, want %v", up, want)
		}
		if dropped["export_failed traces"] != 3 || dropped["export_failed logs"] < 3 || dropped["export_failed profiles"] == 0 {
			t.Errorf("dropped %v", dropped)
		}
		checkAccounts(t, registry)
	})
}

// checkAccounts wants produced = sent + dropped + queued for each signal.
func checkAccounts(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	produced, sent := values(t, g, catalog.TelemetryProduced.Desc().Name), values(t, g, catalog.TelemetrySent.Desc().Name)
	queued, dropped := values(t, g, catalog.TelemetryQueue.Desc().Name), values(t, g, catalog.TelemetryDropped.Desc().Name)
	for signal := range produced {
		sum := sent[signal] + queued[signal]
		for labels, n := range dropped {
			if strings.HasSuffix(labels, " "+signal) {
				sum += n
			}
		}
		if sum != produced[signal] {
			t.Errorf("%s: produced %g, but sent, dropped and queued are %g", signal, produced[signal], sum)
		}
	}
	if len(produced) == 0 {
		t.Error("nothing is exported about the signals")
	}
}

func TestABackendThatComesBack(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	status := http.StatusInternalServerError
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
	}))
	defer backend.Close()
	out, registry := &console{}, prometheus.NewRegistry()
	a := start(t, silent(func(c *agent.Config) {
		c.Registry, c.Logs.Console = registry, out
		c.Traces.SpanExporter, c.Traces.Endpoint = nil, backend.URL+"/v1/traces"
	}))
	for _, s := range []int{500, 500, 200, 200, 500, 200} {
		mu.Lock()
		status = s
		mu.Unlock()
		_, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
		span.End()
		flush(t, a)
	}
	shutdown(t, a)
	if n := len(out.about("telemetry is not accepted", "signal=traces", "500")); n != 2 {
		t.Errorf("%d lines about the failure, want one for each: %q", n, out.lines())
	}
	if n := len(out.about("telemetry is accepted again", "signal=traces", "level=info")); n != 2 {
		t.Errorf("%d lines about the recovery, want one for each: %q", n, out.lines())
	}
	if n := len(out.lines()); n != 4 {
		t.Errorf("%d lines: %q", n, out.lines())
	}
	if got := values(t, registry, catalog.TelemetrySent.Desc().Name)["traces"]; got != 3 {
		t.Errorf("%g spans are sent, want 3", got)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	registry := prometheus.NewRegistry()
	leaktest.Run(t, func() {
		c := silent(func(c *agent.Config) { c.AdminAddr, c.Registry = l.Addr().String(), registry })
		_, err := agent.Start(t.Context(), c)
		if err == nil {
			t.Fatal("no error")
		}
		for _, part := range []string{l.Addr().String(), "Config.AdminAddr", "OTEL_EXPORTER_PROMETHEUS_PORT", "in use"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
	})
	// The next try, with the same registry, is not hindered by the first.
	a := start(t, silent(func(c *agent.Config) { c.Registry = registry }))
	_, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
	span.End()
	if got := values(t, registry, catalog.TelemetryProduced.Desc().Name)["traces"]; got != 1 {
		t.Errorf("the account of the running agent says %g spans, want 1", got)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: catalog.HTTPServerRequestDuration.Desc().Name, Help: "Mine."}))
	tests := map[string]struct {
		ctx  context.Context
		set  func(*agent.Config)
		want string
	}{
		"with a context that has ended":            {ended, func(*agent.Config) {}, "context canceled"},
		"with an authority file that is not there": {t.Context(), func(c *agent.Config) { c.Traces.SpanExporter, c.Traces.CAFile = nil, "/nowhere/ca.pem" }, "/nowhere/ca.pem"},
		"with a log certificate that is not there": {t.Context(), func(c *agent.Config) {
			c.Logs.Disabled, c.Logs.CertFile, c.Logs.KeyFile = false, "/nowhere/c.pem", "/nowhere/k.pem"
		}, "/nowhere/c.pem"},
		"with a metric of the same name in the registry": {t.Context(), func(c *agent.Config) { c.Registry = taken }, catalog.HTTPServerRequestDuration.Desc().Name},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaktest.Run(t, func() {
				a, err := agent.Start(test.ctx, silent(test.set))
				if a != nil || err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("agent %v, error %v; want no agent and %q", a, err, test.want)
				}
			})
		})
	}
}

// TestARegistryOfTheServicesOwn has what such registries usually have.
func TestARegistryOfTheServicesOwn(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	own := prometheus.NewCounter(prometheus.CounterOpts{Name: "own_total", Help: "Mine."})
	registry.MustRegister(own)
	for round := 1; round <= 2; round++ { // also after an agent that has ended
		a, err := agent.Start(t.Context(), silent(func(c *agent.Config) { c.Registry = registry }))
		if err != nil {
			t.Fatal(err)
		}
		for range round {
			_, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
			span.End()
		}
		shutdown(t, a)
		if got := values(t, registry, catalog.TelemetrySent.Desc().Name)["traces"]; got != float64(round) {
			t.Errorf("agent %d: %g spans are sent, want %d", round, got, round)
		}
	}
	if got := values(t, registry, catalog.GoGoroutines.Desc().Name); len(got) != 1 {
		t.Errorf("go_goroutines has %d series, want the service's own", len(got))
	}
	if got := values(t, registry, "own_total"); len(got) != 1 {
		t.Errorf("the service's own metric has %d series", len(got))
	}
}
