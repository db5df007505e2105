package traces

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Tracer makes the agent's own spans. They have parents, children, sampling
// and limits in common with the spans that a service makes by
// [Pipeline.Provider]. It is safe for concurrent use. A nil *Tracer makes spans
// that are not recorded and have the context of their parent.
type Tracer struct {
	pipeline *Pipeline
	scope    instrumentation.Scope
	sampler  sdktrace.Sampler
}

// Tracer returns a tracer for one instrumentation scope.
func (p *Pipeline) Tracer(scope, version string) *Tracer {
	return &Tracer{pipeline: p, scope: instrumentation.Scope{Name: scope, Version: version}, sampler: p.sampler}
}

// SpanStart says what a span begins as.
type SpanStart struct {
	Name string
	// Kind is the span's kind; the zero value means an internal one.
	Kind trace.SpanKind
	// Time is when it begins; the zero value means now.
	Time time.Time
	// Root begins a new trace, whatever span the context has.
	Root bool
	// Links are to other spans.
	Links []trace.Link
}

// Start begins a span. It is in the context that is returned, and ends with
// [Span.EndAt].
func (t *Tracer) Start(ctx context.Context, s SpanStart) (context.Context, *Span) {
	parent := trace.SpanContextFromContext(ctx)
	if t == nil {
		return ctx, &Span{sc: parent}
	}
	outer := ctx
	if s.Root {
		parent, outer = trace.SpanContext{}, context.Background()
	}
	if s.Time.IsZero() {
		s.Time = time.Now()
	}
	if s.Kind == trace.SpanKindUnspecified {
		s.Kind = trace.SpanKindInternal
	}
	id := parent.TraceID()
	if !id.IsValid() {
		id = newTraceID()
	}
	sampled := t.sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: outer, TraceID: id, Name: s.Name, Kind: s.Kind})
	config := trace.SpanContextConfig{TraceID: id, SpanID: newSpanID(), TraceState: sampled.Tracestate}
	if sampled.Decision == sdktrace.RecordAndSample {
		config.TraceFlags = trace.FlagsSampled
	}
	span := &Span{sc: trace.NewSpanContext(config)}
	if sampled.Decision != sdktrace.Drop {
		span.tracer, span.name, span.kind, span.start, span.parent = t, s.Name, s.Kind, s.Time, parent
		for _, l := range s.Links {
			span.AddLink(l)
		}
		t.pipeline.began(span.sc, parent)
	}
	return trace.ContextWithSpan(ctx, span), span
}

// IDs come from the runtime's random numbers, which need no lock and which the
// SDK takes for them too.

func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// noProvider is what a span that is not recorded belongs to.
func noProvider() trace.TracerProvider { return noop.NewTracerProvider() }
