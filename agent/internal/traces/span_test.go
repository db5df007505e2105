package traces_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/internal/traces"
)

// memory keeps what it is given.
type memory struct{ spans []sdktrace.ReadOnlySpan }

func (m *memory) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	m.spans = append(m.spans, spans...)
	return nil
}

func (m *memory) Shutdown(context.Context) error { return nil }

func inMemory(t *testing.T) (*traces.Pipeline, *memory) {
	t.Helper()
	m := &memory{}
	p, err := traces.Start(traces.Config{Exporter: m, Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p, m
}

// The SDK may add a method to its interface. Then the embedded one would be
// called, which is nil.
func TestEveryMethodThatExportersCallIsTheSpansOwn(t *testing.T) {
	t.Parallel()
	p, m := inMemory(t)
	_, span := p.Tracer("test", "1").Start(t.Context(), traces.SpanStart{Name: "a"})
	span.EndAt(time.Now())
	stop(t, p)
	if len(m.spans) != 1 {
		t.Fatalf("%d spans, want 1", len(m.spans))
	}
	v := reflect.ValueOf(&m.spans[0]).Elem()
	called := 0
	for i := range v.NumMethod() {
		if method := v.Type().Method(i); method.IsExported() {
			v.Method(i).Call(nil) // panics where the span lacks it
			called++
		}
	}
	if called < 16 {
		t.Errorf("the interface has %d methods, want all 16 of version 1.47 called", called)
	}
}

// script does to a span what services do, bad manners included.
func script(s trace.Span, at time.Time) {
	long := strings.Repeat("ä", 5000)
	s.SetAttributes(attribute.String("a", "1"), attribute.Int("n", 7))
	s.SetAttributes(attribute.String("a", "2"), attribute.String("", "no key"), attribute.String("long", long),
		attribute.StringSlice("list", []string{"x", long}))
	for i := range 200 {
		s.SetAttributes(attribute.Int(fmt.Sprint("k", i), i))
	}
	s.SetAttributes(attribute.Int("k3", 33))
	s.SetStatus(codes.Error, "first")
	s.SetStatus(codes.Unset, "ignored")
	s.SetStatus(codes.Error, "second")
	for i := range 130 {
		s.AddEvent(fmt.Sprint("event", i), trace.WithTimestamp(at), trace.WithAttributes(attribute.Int("i", i)))
		s.AddLink(trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, byte(i)}, SpanID: trace.SpanID{1}})})
	}
	s.AddLink(trace.Link{})
	s.RecordError(errors.New("no stock"), trace.WithTimestamp(at))
	s.RecordError(nil)
	s.SetName("renamed")
	s.End(trace.WithTimestamp(at))
	s.SetName("too late")
	s.SetAttributes(attribute.Bool("too.late", true))
	s.AddEvent("too late")
	s.End(trace.WithTimestamp(at.Add(time.Hour)))
}

func TestASpanIsWhatTheSDKsWouldBe(t *testing.T) {
	t.Parallel()
	p, m := inMemory(t)
	at := time.Unix(1_800_000_000, 0)
	ctx, root := p.Provider().Tracer("test").Start(t.Context(), "root")
	_, theirs := p.Provider().Tracer("test", trace.WithInstrumentationVersion("1")).Start(ctx, "x",
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at.Add(-time.Second)))
	_, ours := p.Tracer("test", "1").Start(ctx, traces.SpanStart{Name: "x", Kind: trace.SpanKindClient, Time: at.Add(-time.Second)})
	script(theirs, at)
	script(ours, at)
	if theirs.IsRecording() || ours.IsRecording() {
		t.Error("an ended span records")
	}
	root.End()
	stop(t, p)
	want, got := describe(m.spans[0]), describe(m.spans[1])
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is\n%.300s\nthe SDK's is\n%.300s", key, got[key], value)
		}
	}
}

// describe prints everything of a span but its ID.
func describe(s sdktrace.ReadOnlySpan) map[string]string {
	attributes := s.Attributes()
	slices.SortFunc(attributes, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
	events := ""
	for _, e := range s.Events() {
		events += fmt.Sprintln(e.Name, e.Time.Unix(), e.Attributes, e.DroppedAttributeCount)
	}
	links := ""
	for _, l := range s.Links() {
		links += fmt.Sprintln(l.SpanContext.TraceID(), l.Attributes, l.DroppedAttributeCount)
	}
	return map[string]string{
		"name": s.Name(), "kind": s.SpanKind().String(), "trace": s.SpanContext().TraceID().String(),
		"flags": s.SpanContext().TraceFlags().String(), "parent": s.Parent().SpanID().String(),
		"start": s.StartTime().String(), "end": s.EndTime().String(), "attributes": fmt.Sprint(attributes),
		"events": events, "links": links, "status": fmt.Sprint(s.Status()), "scope": fmt.Sprint(s.InstrumentationScope()),
		"resource": fmt.Sprint(s.Resource()), "dropped": fmt.Sprint(s.DroppedAttributes(), s.DroppedEvents(), s.DroppedLinks()),
	}
}

func TestFamiliesOfBothKindsOfSpans(t *testing.T) {
	t.Parallel()
	p, m := inMemory(t)
	ctx, ours := p.Tracer("test", "").Start(t.Context(), traces.SpanStart{Name: "ours"})
	ctx, theirs := ours.TracerProvider().Tracer("test").Start(ctx, "theirs")
	_, grandchild := p.Tracer("test", "").Start(ctx, traces.SpanStart{Name: "grandchild"})
	_, alone := p.Tracer("test", "").Start(ctx, traces.SpanStart{
		Name: "alone", Root: true, Links: []trace.Link{{SpanContext: theirs.SpanContext()}},
	})
	for _, s := range []trace.Span{alone, grandchild, theirs, ours} {
		s.End()
	}
	stop(t, p)
	parents := map[string]trace.SpanID{}
	for _, s := range m.spans {
		parents[s.Name()] = s.Parent().SpanID()
		if same := s.SpanContext().TraceID() == ours.SpanContext().TraceID(); same != (s.Name() != "alone") {
			t.Errorf("%s is in trace %s", s.Name(), s.SpanContext().TraceID())
		}
	}
	want := map[string]trace.SpanID{
		"ours": {}, "theirs": ours.SpanContext().SpanID(), "grandchild": theirs.SpanContext().SpanID(), "alone": {},
	}
	if !reflect.DeepEqual(parents, want) {
		t.Errorf("parents %v, want %v", parents, want)
	}
	if links := m.spans[0].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != theirs.SpanContext().SpanID() {
		t.Errorf("links of the new root %v", links)
	}
}

func TestSpansThatAreNotRecordedIgnoreWhatTheyAreTold(t *testing.T) {
	t.Parallel()
	p, err := traces.Start(traces.Config{Exporter: &memory{}, Ratio: 0})
	if err != nil {
		t.Fatal(err)
	}
	var disabled *traces.Tracer
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	_, dropped := p.Tracer("test", "").Start(t.Context(), traces.SpanStart{Name: "x"})
	_, passing := disabled.Start(trace.ContextWithRemoteSpanContext(t.Context(), parent), traces.SpanStart{Name: "x"})
	for name, s := range map[string]*traces.Span{"nil": nil, "dropped": dropped, "disabled": passing} {
		script(s, time.Now())
		s.TracerProvider().Tracer("x")
		if s.IsRecording() {
			t.Errorf("%s: it records", name)
		}
	}
	if !dropped.SpanContext().IsValid() || dropped.SpanContext().IsSampled() {
		t.Errorf("the span that sampling dropped has the context %v", dropped.SpanContext())
	}
	if got := passing.SpanContext(); !got.Equal(parent) {
		t.Errorf("where traces are disabled, the caller's context became %v", got)
	}
	stop(t, p)
	if got := p.Stats().Produced; got != 0 {
		t.Errorf("%d spans were produced", got)
	}
}
