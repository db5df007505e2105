package traces

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// maxKept is the largest buffer that is kept between two batches.
const maxKept = 4 << 20

// shipper sends spans to an OTLP endpoint. It is used by the queue's goroutine
// alone.
type shipper struct {
	sender   *otlp.Sender
	resource []byte // the field of it, encoded
	schema   string
	buf      []byte
	scopes   []instrumentation.Scope
}

var _ sdktrace.SpanExporter = (*shipper)(nil)

func newShipper(e otlp.Endpoint, res *resource.Resource) (*shipper, error) {
	sender, err := otlp.NewSender(e)
	if err != nil {
		return nil, err
	}
	return &shipper{sender: sender, resource: otlp.Resource(res), schema: res.SchemaURL()}, nil
}

// ExportSpans implements [sdktrace.SpanExporter].
func (s *shipper) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	s.buf = s.encode(s.buf[:0], spans)
	err := s.sender.Send(ctx, s.buf)
	if cap(s.buf) > maxKept {
		s.buf = nil
	}
	return err
}

// Shutdown implements [sdktrace.SpanExporter].
func (s *shipper) Shutdown(context.Context) error {
	s.sender.Close()
	return nil
}

// encode appends an ExportTraceServiceRequest: one resource, and in it the
// spans of each scope.
func (s *shipper) encode(b []byte, spans []sdktrace.ReadOnlySpan) []byte {
	s.scopes = s.scopes[:0]
	for _, span := range spans {
		// A service has a handful of scopes, and nearly every span has the last
		// one: no map is faster.
		if scope := span.InstrumentationScope(); !slices.Contains(s.scopes, scope) {
			s.scopes = append(s.scopes, scope)
		}
	}
	b, message := otlp.Begin(b, 1)
	b = append(b, s.resource...)
	for _, scope := range s.scopes {
		var group int
		b, group = otlp.Begin(b, 2)
		b = otlp.Scope(b, scope)
		for _, span := range spans {
			if len(s.scopes) == 1 || span.InstrumentationScope() == scope {
				b = appendSpan(b, 2, span)
			}
		}
		b = otlp.End(otlp.String(b, 3, scope.SchemaURL), group)
	}
	return otlp.End(otlp.String(b, 3, s.schema), message)
}

func appendSpan(b []byte, f otlp.Field, span sdktrace.ReadOnlySpan) []byte {
	b, message := otlp.Begin(b, f)
	sc, parent, status := span.SpanContext(), span.Parent(), span.Status()
	b = ids(b, sc)
	b = otlp.String(b, 3, sc.TraceState().String())
	if id := parent.SpanID(); id.IsValid() {
		b = otlp.Bytes(b, 4, id[:])
	}
	b = otlp.String(b, 5, span.Name())
	b = otlp.Varint(b, 6, uint64(span.SpanKind())) // the numbers are OTLP's
	b = otlp.Time(b, 7, span.StartTime())
	b = otlp.Time(b, 8, span.EndTime())
	b = otlp.Attributes(b, 9, span.Attributes())
	b = otlp.Count(b, 10, span.DroppedAttributes())
	for _, e := range span.Events() {
		b = appendEvent(b, e)
	}
	b = otlp.Count(b, 12, span.DroppedEvents())
	for _, l := range span.Links() {
		b = appendLink(b, l)
	}
	b = otlp.Count(b, 14, span.DroppedLinks())
	b, inner := otlp.Begin(b, 15)
	b = otlp.String(b, 2, status.Description)
	b = otlp.Varint(b, 3, statusCode(status.Code))
	b = otlp.End(b, inner)
	b = otlp.Fixed32(b, 16, flags(sc, parent))
	return otlp.End(b, message)
}

func appendEvent(b []byte, e sdktrace.Event) []byte {
	b, message := otlp.Begin(b, 11)
	b = otlp.Time(b, 1, e.Time)
	b = otlp.String(b, 2, e.Name)
	b = otlp.Attributes(b, 3, e.Attributes)
	b = otlp.Count(b, 4, e.DroppedAttributeCount)
	return otlp.End(b, message)
}

func appendLink(b []byte, l sdktrace.Link) []byte {
	b, message := otlp.Begin(b, 13)
	b = ids(b, l.SpanContext)
	b = otlp.String(b, 3, l.SpanContext.TraceState().String())
	b = otlp.Attributes(b, 4, l.Attributes)
	b = otlp.Count(b, 5, l.DroppedAttributeCount)
	b = otlp.Fixed32(b, 6, flags(l.SpanContext, l.SpanContext))
	return otlp.End(b, message)
}

func ids(b []byte, sc trace.SpanContext) []byte {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	return otlp.Bytes(otlp.Bytes(b, 1, traceID[:]), 2, spanID[:])
}

// statusCode: OTLP has Ok before Error, the API has it the other way round.
func statusCode(c codes.Code) uint64 {
	switch c {
	case codes.Ok:
		return 1
	case codes.Error:
		return 2
	}
	return 0
}

// The bits of a span's or link's flags above those of W3C: that it is known
// whether the other span is in another process, and that it is.
const (
	flagHasRemote = 1 << 8
	flagRemote    = 1 << 9
)

func flags(sc, other trace.SpanContext) uint32 {
	f := uint32(sc.TraceFlags()) | flagHasRemote
	if other.IsRemote() {
		f |= flagRemote
	}
	return f
}
