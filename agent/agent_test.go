package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// console keeps what is written to it.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(p)
}

func (c *console) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Split(strings.TrimSuffix(c.buf.String(), "\n"), "\n")
}

// about returns the lines that hold all of the parts.
func (c *console) about(parts ...string) []string {
	return slices.DeleteFunc(c.lines(), func(line string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
	})
}

// silent is a configuration that sends nothing and opens no port.
func silent(set ...func(*agent.Config)) agent.Config {
	c := agent.Config{Service: "shop", AdminAddr: agent.Off}
	c.Traces.SpanExporter = tracetest.NewInMemoryExporter()
	c.Logs.Disabled, c.Profiles.Disabled = true, true
	c.Logs.Console = io.Discard
	for _, f := range set {
		f(&c)
	}
	return c
}

// start starts an agent that is shut down when the test ends.
func start(t *testing.T, c agent.Config) *agent.Agent {
	t.Helper()
	a, err := agent.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, a) })
	return a
}

// shutdown shuts an agent down, with all the time that it may take.
func shutdown(t *testing.T, a *agent.Agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), leaktest.Patience)
	defer cancel()
	if err := a.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func flush(t *testing.T, a *agent.Agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), leaktest.Patience)
	defer cancel()
	if err := a.Flush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
}

// refused is the address of a port at which nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// values reads one metric: from the values of its labels, without those of the
// agent, in alphabetical order of the labels' names, to its value.
func values(t *testing.T, g prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetName() != string(catalog.ServiceName) {
					labels = append(labels, l.GetValue())
				}
			}
			found[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return found
}

func TestMetricsCarryTheService(t *testing.T) {
	t.Parallel()
	a := start(t, silent(func(c *agent.Config) { c.Environment, c.Version = "test", "1.2" }))
	jobs := prometheus.NewCounter(prometheus.CounterOpts{Name: "jobs_done_total", Help: "Mine."})
	a.Registerer().MustRegister(jobs)
	jobs.Inc()
	request, _ := a.StartRequest(httptest.NewRequest(http.MethodGet, "/users/7", nil), "/users/:id")
	request.End(agent.Response{Status: 200})

	text := scrape(t, a, "")
	for _, line := range []string{
		`jobs_done_total{deployment_environment_name="test",service_name="shop"} 1`,
		`plumbline_build_info{deployment_environment_name="test",goversion="`,
		`version="1.2"`,
		`go_goroutines{deployment_environment_name="test",service_name="shop"}`,
		`process_start_time_seconds{deployment_environment_name="test",service_name="shop"}`,
		`http_server_request_duration_seconds_count{deployment_environment_name="test",http_request_method="GET",http_response_status_code="200",http_route="/users/:id",service_name="shop"} 1`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, `service_name="shop"`) {
			t.Errorf("without the service: %s", line)
		}
	}
	if strings.Contains(text, catalog.LogTraceID) {
		t.Error("the text format has exemplars")
	}
	if open := scrape(t, a, "application/openmetrics-text; version=1.0.0"); !strings.Contains(open, ` # {trace_id="`) {
		t.Error("OpenMetrics has no exemplar")
	}
}

func scrape(t *testing.T, a *agent.Agent, accept string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	a.MetricsHandler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d", w.Code)
	}
	return w.Body.String()
}

// TestNothingGlobal: D1 again.
func TestNothingGlobal(t *testing.T) {
	t.Parallel()
	provider, propagator, logger := otel.GetTracerProvider(), otel.GetTextMapPropagator(), slog.Default()
	a := start(t, silent())
	_, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
	span.End()
	if otel.GetTracerProvider() != provider || !reflect.DeepEqual(otel.GetTextMapPropagator(), propagator) || slog.Default() != logger {
		t.Error("a global of OpenTelemetry or slog was replaced")
	}
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "plumbline_") || strings.HasPrefix(f.GetName(), "http_server_") {
			t.Errorf("the default registry has %s", f.GetName())
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/profile"} {
		if _, pattern := http.DefaultServeMux.Handler(httptest.NewRequest(http.MethodGet, path, nil)); pattern != "" {
			t.Errorf("the default mux serves %s", path)
		}
	}
}

// TestTheEnvironmentIsNotRead: a configuration that is given is complete.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	for variable, value := range map[string]string{
		"OTEL_SERVICE_NAME": "environment", "OTEL_TRACES_SAMPLER": "always_off", "OTEL_SDK_DISABLED": "true",
		"OTEL_EXPORTER_PROMETHEUS_PORT": "1", "OTEL_LOG_LEVEL": "error", "OTEL_PROPAGATORS": "b3",
	} {
		t.Setenv(variable, value)
	}
	spans, out := tracetest.NewInMemoryExporter(), &console{}
	a := start(t, silent(func(c *agent.Config) { c.Traces.SpanExporter, c.Logs.Console = spans, out }))
	ctx, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
	_ = a.Logger(ctx).Log("msg", "hi")
	span.End()
	flush(t, a)
	got := spans.GetSpans()
	if len(got) != 1 || len(out.about("msg=hi")) != 1 {
		t.Fatalf("%d spans, lines %q", len(got), out.lines())
	}
	for _, kv := range got[0].Resource.Attributes() {
		if kv.Key == catalog.ResServiceName && kv.Value.AsString() != "shop" {
			t.Errorf("the service is %q", kv.Value.AsString())
		}
	}
	header := make(http.Header)
	a.Propagator().Inject(ctx, headerCarrier(header))
	if header.Get("Traceparent") == "" || header.Get("B3") != "" {
		t.Errorf("headers %v", header)
	}
}

func TestResource(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	a := start(t, silent(func(c *agent.Config) {
		c.Version, c.Environment, c.Instance = "1.2", "test", "one"
		c.Attributes = map[string]string{"team": "a", "k8s.pod.name": "shop-1"}
		c.Traces.SpanExporter = spans
	}))
	_, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
	span.End()
	flush(t, a)
	got := map[string]string{}
	for _, kv := range spans.GetSpans()[0].Resource.Attributes() {
		got[string(kv.Key)] = kv.Value.AsString()
	}
	want := map[string]string{
		catalog.ResServiceName: "shop", catalog.ResServiceVersion: "1.2", catalog.ResEnvironment: "test", catalog.ResServiceInstance: "one",
		"team": "a", "k8s.pod.name": "shop-1",
		"telemetry.sdk.language": "go", "telemetry.sdk.name": "opentelemetry", "telemetry.distro.name": "plumbline",
	}
	if !maps.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func TestLoggersCarryTheSpanAndKeepTheLevel(t *testing.T) {
	t.Parallel()
	out := &console{}
	a := start(t, silent(func(c *agent.Config) { c.Logs.Console, c.Logs.Level = out, "warn" }))
	ctx, span := a.TracerProvider().Tracer("test").Start(t.Context(), "s")
	defer span.End()
	_ = a.Logger(ctx).Log("level", "warn", "msg", "one")
	_ = a.Logger(ctx).Log("msg", "not kept")
	slog.New(a.SlogHandler()).ErrorContext(ctx, "two")
	slog.New(a.SlogHandler()).InfoContext(ctx, "not kept")
	_ = a.Logger(t.Context()).Log("level", "error", "msg", "three")
	flush(t, a)
	ids := " trace_id=" + span.SpanContext().TraceID().String() + " span_id=" + span.SpanContext().SpanID().String()
	var got []string
	for _, line := range out.lines() {
		_, rest, _ := strings.Cut(line, " ") // without the time
		got = append(got, rest)
	}
	if want := []string{"level=warn msg=one" + ids, "level=error msg=two" + ids, "level=error msg=three"}; !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// headerCarrier adapts a header for propagators.
type headerCarrier http.Header

func (h headerCarrier) Get(key string) string { return http.Header(h).Get(key) }
func (h headerCarrier) Set(key, value string) { http.Header(h).Set(key, value) }
func (h headerCarrier) Keys() []string        { return slices.Collect(maps.Keys(h)) }

func TestPropagators(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xab, 15: 1}, SpanID: trace.SpanID{0xcd, 7: 2}, TraceFlags: trace.FlagsSampled,
	})
	const traceID, spanID = "ab000000000000000000000000000001", "cd00000000000002"
	tests := map[string]struct {
		names []string
		want  http.Header
	}{
		"the defaults": {nil, http.Header{"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}}},
		"B3 in one":    {[]string{"b3"}, http.Header{"B3": {traceID + "-" + spanID + "-1"}}},
		"B3 in many": {[]string{"b3multi"}, http.Header{
			"X-B3-Traceid": {traceID}, "X-B3-Spanid": {spanID}, "X-B3-Sampled": {"1"},
		}},
		"Jaeger": {[]string{"jaeger"}, http.Header{"Uber-Trace-Id": {traceID + ":" + spanID + ":0:1"}}},
		"two at once": {[]string{"tracecontext", "b3"}, http.Header{
			"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}, "B3": {traceID + "-" + spanID + "-1"},
		}},
		"none": {[]string{"none"}, http.Header{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, silent(func(c *agent.Config) { c.Propagators = test.names }))
			header := make(http.Header)
			a.Propagator().Inject(trace.ContextWithSpanContext(t.Context(), sc), headerCarrier(header))
			if !reflect.DeepEqual(header, test.want) {
				t.Errorf("injected %v, want %v", header, test.want)
			}
			got := trace.SpanContextFromContext(a.Propagator().Extract(t.Context(), headerCarrier(header)))
			if len(test.want) > 0 && (got.TraceID() != sc.TraceID() || got.SpanID() != sc.SpanID() || !got.IsSampled()) {
				t.Errorf("extracted %v, want %v", got, sc)
			}
		})
	}
}

func TestAdminListener(t *testing.T) {
	t.Parallel()
	a := start(t, silent(func(c *agent.Config) { c.AdminAddr = "127.0.0.1:0" }))
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "# HELP "} {
		response, err := http.Get("http://" + a.AdminAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: status %d, body %.40q, error %v", path, response.StatusCode, body, err)
		}
	}
	if off := start(t, silent()); off.AdminAddr() != "" {
		t.Errorf("an agent without a listener has the address %q", off.AdminAddr())
	}
}
