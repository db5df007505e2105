package traces

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Limits of one span, so that a loop that adds events for ever costs the
// service a fixed amount of memory.
const (
	maxAttributes      = 128
	maxEvents          = 128
	maxLinks           = 128
	maxInner           = 32   // attributes of one event or link
	maxAttributeLength = 4096 // characters
)

// Span is a span that the agent made. The SDK's own costs three times as much:
// it copies its attributes into a map at the end to find those that were set
// twice, and itself into a snapshot. This one finds them when they are set, and
// is its own snapshot, because nothing changes it after its end.
//
// It is safe for concurrent use. A nil *Span, and one that is not recorded,
// ignores what it is told.
type Span struct {
	embedded.Span
	// The SDK keeps others from implementing its interface by a method that
	// they cannot write. Embedded, there is one; it is never called, and every
	// other method is declared below.
	sdktrace.ReadOnlySpan

	tracer *Tracer // nil where the span is not recorded
	kind   trace.SpanKind
	sc     trace.SpanContext
	parent trace.SpanContext
	start  time.Time

	// Keep asks for the trace to be stored although it is not sampled. It is
	// set before the end.
	Keep bool

	mu            sync.Mutex
	name          string
	end           time.Time // zero while it is recorded
	status        sdktrace.Status
	attributes    []attribute.KeyValue
	detail        Detail // what attributes lacks still
	events        []sdktrace.Event
	links         []sdktrace.Link
	lost          int // attributes past the limit
	droppedEvents int
	droppedLinks  int
}

var (
	_ trace.Span            = (*Span)(nil)
	_ sdktrace.ReadOnlySpan = (*Span)(nil)
)

// write calls f with the lock held, if the span is recorded and has not ended.
func (s *Span) write(f func()) {
	if s == nil || s.tracer == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.IsZero() {
		f()
	}
}

// IsRecording implements [trace.Span].
func (s *Span) IsRecording() bool {
	if s == nil || s.tracer == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end.IsZero()
}

// SpanContext implements [trace.Span].
func (s *Span) SpanContext() trace.SpanContext {
	if s == nil {
		return trace.SpanContext{}
	}
	return s.sc
}

// TracerProvider implements [trace.Span].
func (s *Span) TracerProvider() trace.TracerProvider {
	if s == nil || s.tracer == nil {
		return noProvider()
	}
	return s.tracer.pipeline.provider
}

// SetName implements [trace.Span].
func (s *Span) SetName(name string) { s.write(func() { s.name = name }) }

// SetStatus implements [trace.Span]. As the specification has it, Ok is final,
// and only errors have a description.
func (s *Span) SetStatus(code codes.Code, description string) {
	s.write(func() {
		if s.status.Code > code {
			return
		}
		s.status = sdktrace.Status{Code: code}
		if code == codes.Error {
			s.status.Description = description
		}
	})
}

// SetAttributes implements [trace.Span].
func (s *Span) SetAttributes(attributes ...attribute.KeyValue) { s.Describe(attributes) }

// Describe is [Span.SetAttributes] for a slice that the caller keeps: it is
// copied and does not escape.
func (s *Span) Describe(attributes []attribute.KeyValue) {
	if s == nil || s.tracer == nil || len(attributes) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.end.IsZero() {
		return
	}
	s.attributes = slices.Grow(s.attributes, min(len(attributes), maxAttributes-len(s.attributes)))
	for i := range attributes {
		s.set(&attributes[i])
	}
}

// Detail describes a span that has ended. Written out as attributes it takes
// three times the memory, and most spans never need that: it is asked for them
// when the span is exported.
type Detail interface {
	// AppendAttributes appends attributes with different keys.
	AppendAttributes(to []attribute.KeyValue) []attribute.KeyValue
}

// SetDetail describes the span; of what was set before, other keys stay. The
// detail must not change afterwards.
func (s *Span) SetDetail(d Detail) { s.write(func() { s.detail = d }) }

// expand writes the detail out. The caller has the lock.
func (s *Span) expand() {
	if s.detail == nil {
		return
	}
	attributes := s.detail.AppendAttributes(make([]attribute.KeyValue, 0, 16))
	s.detail = nil
	s.attributes = slices.Grow(s.attributes, min(len(attributes), maxAttributes-len(s.attributes)))
	for i := range attributes {
		s.set(&attributes[i])
	}
}

// set sets one attribute; the last value of a key counts.
func (s *Span) set(a *attribute.KeyValue) {
	if !a.Valid() {
		s.lost++
		return
	}
	for i := range s.attributes {
		if s.attributes[i].Key == a.Key {
			s.attributes[i] = short(*a)
			return
		}
	}
	if len(s.attributes) >= maxAttributes {
		s.lost++
		return
	}
	s.attributes = append(s.attributes, short(*a))
}

// short bounds the text of an attribute.
func short(a attribute.KeyValue) attribute.KeyValue {
	switch a.Value.Type() {
	case attribute.STRING:
		if text := a.Value.AsString(); len(text) > maxAttributeLength {
			a.Value = attribute.StringValue(cut(text))
		}
	case attribute.STRINGSLICE:
		texts := a.Value.AsStringSlice()
		for i := range texts {
			texts[i] = cut(texts[i])
		}
		a.Value = attribute.StringSliceValue(texts)
	}
	return a
}

// cut shortens a text to the first characters.
func cut(text string) string {
	if len(text) <= maxAttributeLength {
		return text
	}
	characters := 0
	for i := range text {
		if characters == maxAttributeLength {
			return text[:i]
		}
		characters++
	}
	return text
}

// inner bounds the attributes of an event or a link, and says how many it left
// out.
func inner(attributes []attribute.KeyValue) ([]attribute.KeyValue, int) {
	kept := make([]attribute.KeyValue, 0, min(len(attributes), maxInner))
	for _, a := range attributes[:min(len(attributes), maxInner)] {
		kept = append(kept, short(a))
	}
	return kept, len(attributes) - len(kept)
}

// AddEvent implements [trace.Span]. Past the limit the oldest event goes.
func (s *Span) AddEvent(name string, options ...trace.EventOption) {
	s.write(func() {
		config := trace.NewEventConfig(options...)
		attributes, lost := inner(config.Attributes())
		if len(s.events) >= maxEvents {
			s.events = s.events[:copy(s.events, s.events[1:])]
			s.droppedEvents++
		}
		s.events = append(s.events, sdktrace.Event{
			Name: name, Attributes: attributes, DroppedAttributeCount: lost, Time: config.Timestamp(),
		})
	})
}

// RecordError implements [trace.Span].
func (s *Span) RecordError(err error, options ...trace.EventOption) {
	if err == nil || !s.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{
		attribute.String("exception.type", typeName(err)), attribute.String("exception.message", err.Error()),
	}
	if config := trace.NewEventConfig(options...); config.StackTrace() {
		stack := make([]byte, 2048)
		attributes = append(attributes, attribute.String("exception.stacktrace", string(stack[:runtime.Stack(stack, false)])))
	}
	s.AddEvent(catalog.EventException, append(slices.Clip(options), trace.WithAttributes(attributes...))...)
}

// typeName is the name of an error's type with its whole package path.
func typeName(err error) string {
	t := reflect.TypeOf(err)
	if t.PkgPath() == "" {
		return t.String()
	}
	return fmt.Sprintf("%s.%s", t.PkgPath(), t.Name())
}

// AddLink implements [trace.Span]. Past the limit the oldest link goes.
func (s *Span) AddLink(l trace.Link) {
	if !l.SpanContext.IsValid() && len(l.Attributes) == 0 && l.SpanContext.TraceState().Len() == 0 {
		return
	}
	s.write(func() {
		attributes, lost := inner(l.Attributes)
		if len(s.links) >= maxLinks {
			s.links = s.links[:copy(s.links, s.links[1:])]
			s.droppedLinks++
		}
		s.links = append(s.links, sdktrace.Link{SpanContext: l.SpanContext, Attributes: attributes, DroppedAttributeCount: lost})
	})
}

// End implements [trace.Span].
func (s *Span) End(options ...trace.SpanEndOption) {
	if s == nil || s.tracer == nil {
		return
	}
	at := time.Now()
	if len(options) > 0 {
		config := trace.NewSpanEndConfig(options...)
		if t := config.Timestamp(); !t.IsZero() {
			at = t
		}
	}
	s.EndAt(at)
}

// EndAt ends the span. Only the first call means anything.
func (s *Span) EndAt(at time.Time) {
	if s == nil || s.tracer == nil {
		return
	}
	s.mu.Lock()
	ended := !s.end.IsZero()
	if !ended {
		s.end = at
	}
	s.mu.Unlock()
	if !ended {
		s.tracer.pipeline.ended(s)
	}
}

// The rest is read by exporters, after the end.

// Name implements [sdktrace.ReadOnlySpan].
func (s *Span) Name() string { s.mu.Lock(); defer s.mu.Unlock(); return s.name }

// Parent implements [sdktrace.ReadOnlySpan].
func (s *Span) Parent() trace.SpanContext { return s.parent }

// SpanKind implements [sdktrace.ReadOnlySpan].
func (s *Span) SpanKind() trace.SpanKind { return s.kind }

// StartTime implements [sdktrace.ReadOnlySpan].
func (s *Span) StartTime() time.Time { return s.start }

// EndTime implements [sdktrace.ReadOnlySpan].
func (s *Span) EndTime() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.end }

// Attributes implements [sdktrace.ReadOnlySpan].
func (s *Span) Attributes() []attribute.KeyValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expand()
	return slices.Clip(s.attributes)
}

// Links implements [sdktrace.ReadOnlySpan].
func (s *Span) Links() []sdktrace.Link { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clip(s.links) }

// Events implements [sdktrace.ReadOnlySpan].
func (s *Span) Events() []sdktrace.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.events)
}

// Status implements [sdktrace.ReadOnlySpan].
func (s *Span) Status() sdktrace.Status { s.mu.Lock(); defer s.mu.Unlock(); return s.status }

// InstrumentationScope implements [sdktrace.ReadOnlySpan].
func (s *Span) InstrumentationScope() instrumentation.Scope { return s.tracer.scope }

// InstrumentationLibrary implements [sdktrace.ReadOnlySpan], which has it for
// old exporters.
func (s *Span) InstrumentationLibrary() instrumentation.Library { //nolint:staticcheck // see above
	return s.tracer.scope
}

// Resource implements [sdktrace.ReadOnlySpan].
func (s *Span) Resource() *resource.Resource { return s.tracer.pipeline.resource }

// DroppedAttributes implements [sdktrace.ReadOnlySpan].
func (s *Span) DroppedAttributes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expand()
	return s.lost
}

// DroppedLinks implements [sdktrace.ReadOnlySpan].
func (s *Span) DroppedLinks() int { s.mu.Lock(); defer s.mu.Unlock(); return s.droppedLinks }

// DroppedEvents implements [sdktrace.ReadOnlySpan].
func (s *Span) DroppedEvents() int { s.mu.Lock(); defer s.mu.Unlock(); return s.droppedEvents }

// ChildSpanCount implements [sdktrace.ReadOnlySpan]. Children are not counted:
// OTLP has no field for their number.
func (s *Span) ChildSpanCount() int { return 0 }
