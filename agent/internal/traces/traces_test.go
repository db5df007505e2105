package traces_test

import (
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/otlp"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

func TestSpansArrive(t *testing.T) {
	t.Parallel()
	for name, zipped := range map[string]bool{"as they are": false, "compressed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			leaktest.Run(t, func() { arriveTest(t, b, zipped) })
		})
	}
}

func arriveTest(t *testing.T, b *backend, zipped bool) {
	p, _ := start(t, b.URL+"/v1/traces", func(c *traces.Config) {
		c.Endpoint.Gzip = zipped
		c.Endpoint.Headers = map[string]string{"Authorization": "Bearer hunter2"}
	})
	tracer := p.Provider().Tracer("test", trace.WithInstrumentationVersion("1.2"))
	ctx, parent := tracer.Start(t.Context(), "GET /users/:id", trace.WithSpanKind(trace.SpanKindServer))
	_, child := tracer.Start(ctx, "SELECT users")
	child.SetAttributes(attribute.String("long", strings.Repeat("x", 10_000)))
	child.End()
	parent.End()
	stop(t, p)

	if got, want := p.Stats(), (batch.Stats{Produced: 2, Sent: 2, Up: true, Dropped: map[string]uint64{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if got := b.names(); !slices.Equal(got, []string{"SELECT users", "GET /users/:id"}) {
		t.Fatalf("spans %q", got)
	}
	select1, get := b.spans[0], b.spans[1]
	sc := parent.SpanContext()
	if got := hex.EncodeToString(get.GetTraceId()); got != sc.TraceID().String() {
		t.Errorf("trace %s, want %s", got, sc.TraceID())
	}
	if got := hex.EncodeToString(select1.GetParentSpanId()); got != sc.SpanID().String() {
		t.Errorf("the parent of the query is %s, want %s", got, sc.SpanID())
	}
	if n := len(select1.GetAttributes()[0].GetValue().GetStringValue()); n != 4096 {
		t.Errorf("an attribute of 10000 bytes has %d, want the limit of 4096", n)
	}
	resource := b.batches[0].GetResource().GetAttributes()
	if len(resource) != 1 || resource[0].GetKey() != catalog.ResServiceName || resource[0].GetValue().GetStringValue() != "shop" {
		t.Errorf("resource %v, want service.name=shop alone", resource)
	}
	h := b.headers[0]
	if got := h.Get("Authorization"); got != "Bearer hunter2" {
		t.Errorf("Authorization %q", got)
	}
	if got, want := h.Get("Content-Encoding"), map[bool]string{true: "gzip"}[zipped]; got != want {
		t.Errorf("Content-Encoding %q, want %q", got, want)
	}
	if p.BytesSent() == 0 {
		t.Error("no bytes are counted")
	}
}

func TestSpansThatAreNotSampledAreNotProduced(t *testing.T) {
	t.Parallel()
	remote := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags, Remote: true,
		}))
	}
	tests := map[string]struct {
		ratio  float64
		keep   int
		parent context.Context
		want   uint64
	}{
		"a ratio of 0": {0, 0, context.Background(), 0},
		"a ratio of 0, watched, with nothing to be seen": {0, 16, context.Background(), 0},
		"a ratio of 1": {1, 0, context.Background(), 1},
		"a parent that is sampled, at a ratio of 0":       {0, 0, remote(trace.FlagsSampled), 1},
		"a parent that is not sampled, at a ratio of 1":   {1, 0, remote(0), 0},
		"a parent that is not sampled, though we watch":   {0, 16, remote(0), 0},
		"a parent that is sampled needs no watching then": {0, 16, remote(trace.FlagsSampled), 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			p, _ := start(t, b.URL, func(c *traces.Config) { c.Ratio, c.Keep = test.ratio, test.keep })
			_, span := p.Provider().Tracer("test").Start(test.parent, "s")
			span.End()
			stop(t, p)
			if s := p.Stats(); s.Produced != test.want || s.Sent != test.want || len(b.names()) != int(test.want) {
				t.Errorf("produced %d, sent %d, arrived %d; want %d", s.Produced, s.Sent, len(b.names()), test.want)
			}
		})
	}
}

func TestStartNamesAnUnusableCertificate(t *testing.T) {
	t.Parallel()
	_, err := traces.Start(traces.Config{Endpoint: otlp.Endpoint{URL: "https://localhost", CAFile: "/nowhere/ca.pem"}})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// ownExporter is an exporter that a service brings along.
type ownExporter struct {
	names []string
	stops int
	hang  bool
}

func (e *ownExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		e.names = append(e.names, s.Name())
	}
	return nil
}

func (e *ownExporter) Shutdown(ctx context.Context) error {
	e.stops++
	if e.hang {
		<-ctx.Done()
	}
	return ctx.Err()
}

func TestAnExporterOfTheServicesOwn(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]bool{"that ends": false, "that hangs until its time is over": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &ownExporter{hang: hangs}
			p, _ := start(t, "", func(c *traces.Config) { c.Exporter = e })
			record(p, "s", 2)
			if err := p.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			record(p, "t", 1)
			err := p.Stop(t.Context())
			if hangs != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("stop: %v", err)
			}
			if !slices.Equal(e.names, []string{"s", "s", "t"}) || e.stops != 1 {
				t.Errorf("spans %q, %d stops", e.names, e.stops)
			}
			if p.BytesSent() != 0 {
				t.Errorf("%d bytes are counted without an endpoint", p.BytesSent())
			}
		})
	}
}

// TestTheEnvironmentIsNotRead sets variables that the SDK's exporter would
// follow: the pipeline's configuration is complete without them.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	b := newBackend(t)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_CERTIFICATE":     certtest.New(t).File,
		"OTEL_EXPORTER_OTLP_ENDPOINT":        "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_HEADERS":         "X-Secret=hunter2",
		"OTEL_EXPORTER_OTLP_COMPRESSION":     "gzip",
		"OTEL_EXPORTER_OTLP_PROTOCOL":        "http/json",
		"OTEL_TRACES_SAMPLER":                "always_off",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":    "0",
		"OTEL_SERVICE_NAME":                  "environment",
	} {
		t.Setenv(name, value)
	}
	p, _ := start(t, b.URL)
	_, span := p.Provider().Tracer("test").Start(t.Context(), "s", trace.WithAttributes(attribute.Int("n", 1)))
	span.End()
	stop(t, p)
	if got := b.names(); !slices.Equal(got, []string{"s"}) {
		t.Fatalf("arrived %q", got)
	}
	if h := b.headers[0]; h.Get("X-Secret") != "" || h.Get("Content-Encoding") != "" || h.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("headers %v", h)
	}
	if n := len(b.spans[0].GetAttributes()); n != 1 {
		t.Errorf("%d attributes, want 1", n)
	}
	if got := b.batches[0].GetResource().GetAttributes()[0].GetValue().GetStringValue(); got != "shop" {
		t.Errorf("service %q, want shop", got)
	}
}

func TestTheGlobalProviderIsLeftAlone(t *testing.T) {
	t.Parallel()
	before := otel.GetTracerProvider()
	p, _ := start(t, "", func(c *traces.Config) { c.Exporter = &ownExporter{} })
	defer stop(t, p)
	if otel.GetTracerProvider() != before {
		t.Error("the global tracer provider was replaced")
	}
}
