// Package traces is the agent's trace pipeline: an OpenTelemetry tracer
// provider whose spans go through a bounded queue to one OTLP endpoint.
//
// Nothing here is global: the provider is handed to whoever needs it.
package traces

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// Config says where spans go and which are kept.
type Config struct {
	Endpoint otlp.Endpoint
	Resource *resource.Resource
	// Ratio is the share of new traces that are sampled, 0 to 1.
	Ratio float64
	// Keep is the number of traces that are watched after head sampling has
	// rejected them; 0 watches none. See keeper.
	Keep int
	// Capacity is the most spans that wait to be sent.
	Capacity int
	// OnState is told when the endpoint stops and starts answering.
	OnState func(error)
	// Exporter, if not nil, takes the spans in place of the endpoint.
	Exporter sdktrace.SpanExporter
}

// Pipeline is a running trace pipeline.
type Pipeline struct {
	provider *sdktrace.TracerProvider
	sampler  sdktrace.Sampler
	resource *resource.Resource
	queue    *batch.Queue[sdktrace.ReadOnlySpan]
	exporter sdktrace.SpanExporter
	sender   *otlp.Sender // nil where another exporter takes the spans
	keeper   *keeper      // nil when every trace is sampled, or none is kept
}

// Start builds the pipeline. It does not connect: an endpoint that cannot be
// reached shows in the account of [Pipeline.Stats].
func Start(c Config) (*Pipeline, error) {
	p := &Pipeline{exporter: c.Exporter, resource: c.Resource}
	if p.exporter == nil {
		shipper, err := newShipper(c.Endpoint, c.Resource)
		if err != nil {
			return nil, err
		}
		p.exporter, p.sender = shipper, shipper.sender
	}
	p.queue = batch.New(batch.Config[sdktrace.ReadOnlySpan]{
		Capacity: c.Capacity, Timeout: otlp.ExportTimeout(&c.Endpoint),
		Export: p.exporter.ExportSpans, OnState: c.OnState,
	})
	if c.Keep > 0 && c.Ratio < 1 {
		p.keeper = newKeeper(c.Keep,
			func(s sdktrace.ReadOnlySpan) { p.queue.Put(s) },
			func(n int) { p.queue.Discard(n, catalog.ReasonEvicted) })
	}
	p.sampler = Sampler(c.Ratio, p.keeper != nil)
	p.provider = sdktrace.NewTracerProvider(
		sdktrace.WithResource(c.Resource),
		sdktrace.WithSampler(p.sampler),
		sdktrace.WithRawSpanLimits(spanLimits()),
		sdktrace.WithSpanProcessor(processor{p}),
	)
	return p, nil
}

// spanLimits are the limits of [Span] for the SDK's spans.
func spanLimits() sdktrace.SpanLimits {
	return sdktrace.SpanLimits{
		AttributeValueLengthLimit: maxAttributeLength, AttributeCountLimit: maxAttributes,
		EventCountLimit: maxEvents, LinkCountLimit: maxLinks,
		AttributePerEventCountLimit: maxInner, AttributePerLinkCountLimit: maxInner,
		AttributeValueDepthLimit: sdktrace.DefaultAttributeValueDepthLimit,
	}
}

// Provider returns the tracer provider. It belongs to the pipeline.
func (p *Pipeline) Provider() *sdktrace.TracerProvider { return p.provider }

// Stats returns the account of the queue.
func (p *Pipeline) Stats() batch.Stats { return p.queue.Stats() }

// BytesSent returns the bytes sent to the endpoint so far.
func (p *Pipeline) BytesSent() uint64 {
	if p.sender == nil {
		return 0
	}
	return p.sender.BytesSent()
}

// CPU returns the processor time spent on exporting; see [batch.Queue.CPU].
func (p *Pipeline) CPU() time.Duration { return p.queue.CPU() }

// Flush sends every span that ended before the call.
func (p *Pipeline) Flush(ctx context.Context) error {
	if err := p.queue.Flush(ctx); err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	return nil
}

// exporterGrace is the time that an exporter has for its own end when the time
// for sending is over.
const exporterGrace = time.Second

// Stop sends what is queued and ends the pipeline. Spans that end afterwards
// are dropped and counted.
func (p *Pipeline) Stop(ctx context.Context) error {
	if p.keeper != nil {
		p.keeper.flush()
	}
	err := p.queue.Stop(ctx)
	if err != nil {
		err = fmt.Errorf("send the last spans: %w", err)
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), exporterGrace)
	defer cancel()
	if e := p.exporter.Shutdown(own); e != nil {
		err = errors.Join(err, fmt.Errorf("stop trace exporter: %w", e))
	}
	return err
}

// Keeps reports whether the pipeline may store a span that is not sampled.
func (p *Pipeline) Keeps() bool { return p.keeper != nil }

// began makes room for a trace that may be kept, where this span is the first
// of it in this process.
func (p *Pipeline) began(sc, parent trace.SpanContext) {
	if p.keeper != nil && !sc.IsSampled() && (!parent.IsValid() || parent.IsRemote()) {
		p.keeper.begin(sc)
	}
}

// ended hands an ended span to the queue, or to the keeper.
func (p *Pipeline) ended(s sdktrace.ReadOnlySpan) {
	switch {
	case s.SpanContext().IsSampled():
		p.queue.Put(s)
	case p.keeper != nil:
		p.keeper.end(s)
	}
}

// processor lets the SDK's spans begin and end like the agent's own.
type processor struct{ p *Pipeline }

var _ sdktrace.SpanProcessor = processor{}

// OnStart implements [sdktrace.SpanProcessor].
func (r processor) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	r.p.began(s.SpanContext(), s.Parent())
}

// OnEnd implements [sdktrace.SpanProcessor].
func (r processor) OnEnd(s sdktrace.ReadOnlySpan) { r.p.ended(s) }

// Shutdown implements [sdktrace.SpanProcessor]. The pipeline stops the queue.
func (processor) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (r processor) ForceFlush(ctx context.Context) error { return r.p.queue.Flush(ctx) }
