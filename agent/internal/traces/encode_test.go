package traces_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// everyType is an attribute of each type, zeros and odd values among them.
var everyType = []attribute.KeyValue{
	attribute.String("string", "日本"), attribute.String("empty", ""), attribute.String("broken", "a\xffb"),
	attribute.Bool("true", true), attribute.Bool("false", false),
	attribute.Int64("int", -7), attribute.Int64("zero", 0), attribute.Float64("float", 0.25),
	attribute.StringSlice("strings", []string{"a", ""}), attribute.BoolSlice("bools", []bool{true, false}),
	attribute.Int64Slice("ints", []int64{0, 1 << 40}), attribute.Float64Slice("floats", []float64{-1}),
	attribute.String("long", strings.Repeat("x", 3000)),
	{Key: "bytes", Value: attribute.ByteSliceValue([]byte{0, 255})},
	{Key: "map", Value: attribute.MapValue(attribute.Int("inner", 1))},
	{Key: "mixed", Value: attribute.SliceValue(attribute.StringValue("s"), attribute.IntValue(2))},
}

// everyTypeOTLP is everyType as OTLP has it.
func everyTypeOTLP() []*commonpb.KeyValue {
	text := func(s string) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
	}
	yes := func(b bool) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: b}}
	}
	whole := func(n int64) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}}
	}
	real := func(f float64) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: f}}
	}
	list := func(values ...*commonpb.AnyValue) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
	}
	return []*commonpb.KeyValue{
		{Key: "string", Value: text("日本")}, {Key: "empty", Value: text("")}, {Key: "broken", Value: text("a\uFFFDb")},
		{Key: "true", Value: yes(true)}, {Key: "false", Value: yes(false)},
		{Key: "int", Value: whole(-7)}, {Key: "zero", Value: whole(0)}, {Key: "float", Value: real(0.25)},
		{Key: "strings", Value: list(text("a"), text(""))}, {Key: "bools", Value: list(yes(true), yes(false))},
		{Key: "ints", Value: list(whole(0), whole(1<<40))}, {Key: "floats", Value: list(real(-1))},
		{Key: "long", Value: text(strings.Repeat("x", 3000))},
		{Key: "bytes", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 255}}}},
		{Key: "map", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{
			KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{{Key: "inner", Value: whole(1)}}},
		}}},
		{Key: "mixed", Value: list(text("s"), whole(2))},
	}
}

// TestEveryFieldIsSent compares what a backend reads with what was recorded,
// field by field.
func TestEveryFieldIsSent(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	const schema = "https://opentelemetry.io/schemas/1.37.0"
	p, _ := start(t, b.URL, func(c *traces.Config) {
		c.Resource = resource.NewWithAttributes(schema, attribute.String(catalog.ResServiceName, "shop"), attribute.Int("n", 3))
	})
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	remote := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
	})
	local := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{9}, SpanID: trace.SpanID{8}})
	begin := time.Unix(1_700_000_000, 5)
	at := begin.Add(time.Millisecond)

	scoped := p.Provider().Tracer("scope", trace.WithInstrumentationVersion("1.2"), trace.WithSchemaURL(schema), trace.WithInstrumentationAttributes(attribute.Bool("own", true)))
	_, span := scoped.Start(trace.ContextWithRemoteSpanContext(context.Background(), remote), "everything",
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(begin), trace.WithAttributes(everyType...),
		trace.WithLinks(trace.Link{SpanContext: remote, Attributes: everyType[:1]}, trace.Link{SpanContext: local}))
	span.AddEvent("event", trace.WithTimestamp(at), trace.WithAttributes(everyType[:2]...))
	span.SetStatus(codes.Error, "broken")
	span.End(trace.WithTimestamp(at.Add(time.Second)))
	_, plain := p.Provider().Tracer("other").Start(context.Background(), "plain", trace.WithTimestamp(begin))
	plain.SetStatus(codes.Ok, "")
	plain.End(trace.WithTimestamp(at))
	_, again := scoped.Start(context.Background(), "again", trace.WithTimestamp(begin))
	again.End(trace.WithTimestamp(at))
	stop(t, p)

	root := func(s trace.Span, name string, code tracepb.Status_StatusCode) *tracepb.Span {
		traceID, spanID := s.SpanContext().TraceID(), s.SpanContext().SpanID()
		return &tracepb.Span{
			TraceId: traceID[:], SpanId: spanID[:], Name: name, Kind: tracepb.Span_SPAN_KIND_INTERNAL, Flags: 0x101,
			StartTimeUnixNano: uint64(begin.UnixNano()), EndTimeUnixNano: uint64(at.UnixNano()), Status: &tracepb.Status{Code: code},
		}
	}
	remoteTrace, remoteSpan, localTrace, localSpan := remote.TraceID(), remote.SpanID(), local.TraceID(), local.SpanID()
	spanID := span.SpanContext().SpanID()
	attributes := everyTypeOTLP()
	want := &tracepb.ResourceSpans{
		SchemaUrl: schema,
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
			{Key: "n", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 3}}},
			{Key: catalog.ResServiceName, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "shop"}}},
		}},
		ScopeSpans: []*tracepb.ScopeSpans{
			{
				Scope: &commonpb.InstrumentationScope{Name: "scope", Version: "1.2", Attributes: []*commonpb.KeyValue{
					{Key: "own", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}},
				}},
				SchemaUrl: schema,
				Spans: []*tracepb.Span{
					{
						TraceId: remoteTrace[:], SpanId: spanID[:], ParentSpanId: remoteSpan[:], TraceState: "vendor=1",
						Flags: 0x301, Name: "everything", Kind: tracepb.Span_SPAN_KIND_CONSUMER,
						StartTimeUnixNano: uint64(begin.UnixNano()), EndTimeUnixNano: uint64(at.Add(time.Second).UnixNano()),
						Attributes: attributes,
						Events: []*tracepb.Span_Event{
							{TimeUnixNano: uint64(at.UnixNano()), Name: "event", Attributes: attributes[:2]},
						},
						Links: []*tracepb.Span_Link{
							{TraceId: remoteTrace[:], SpanId: remoteSpan[:], TraceState: "vendor=1", Flags: 0x301, Attributes: attributes[:1]},
							{TraceId: localTrace[:], SpanId: localSpan[:], Flags: 0x100},
						},
						Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "broken"},
					},
					root(again, "again", tracepb.Status_STATUS_CODE_UNSET),
				},
			},
			{
				Scope: &commonpb.InstrumentationScope{Name: "other"},
				Spans: []*tracepb.Span{root(plain, "plain", tracepb.Status_STATUS_CODE_OK)},
			},
		},
	}
	if len(b.batches) != 1 || !proto.Equal(b.batches[0], want) {
		t.Errorf("arrived\n%v\nwant\n%v", b.batches, want)
	}
}

// TestARefusalIsAnError: a backend that took a request and says that it kept
// only a part of it has lost the rest; one that only warns has lost nothing.
func TestARefusalIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rejected int64
		sent     uint64
	}{"refused": {1, 0}, "a warning": {0, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			b.behave(partial(test.rejected))
			p, s := start(t, b.URL)
			record(p, "s", 2)
			stop(t, p)
			if got := p.Stats(); got.Sent != test.sent || got.Produced != 2 {
				t.Errorf("stats %+v, want %d of 2 sent", got, test.sent)
			}
			if refused := len(s.errs) == 1 && strings.Contains(s.errs[0].Error(), "refused 1 of a batch: too old"); refused != (test.rejected > 0) {
				t.Errorf("states %v", s.errs)
			}
		})
	}
}
