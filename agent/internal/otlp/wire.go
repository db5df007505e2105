package otlp

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"
)

// What is sent is written straight into a buffer: the generated types of OTLP
// would be some fifty objects for each span, made to be read once and thrown
// away. The field numbers are those of opentelemetry-proto 1.x, which cannot
// change.

// Field is the number of a field in its message.
type Field = protowire.Number

// Begin opens a message in a field. [End] closes it, with the mark returned
// here.
func Begin(b []byte, f Field) (_ []byte, mark int) {
	b = append(protowire.AppendTag(b, f, protowire.BytesType), 0)
	return b, len(b)
}

// End closes a message: its length goes before it.
func End(b []byte, mark int) []byte {
	n := len(b) - mark
	more := protowire.SizeVarint(uint64(n)) - 1 // than the byte that Begin left
	for range more {
		b = append(b, 0)
	}
	if more > 0 {
		copy(b[mark+more:], b[mark:mark+n])
	}
	binary.PutUvarint(b[mark-1:], uint64(n))
	return b
}

// String appends a string; the empty one is left out, as protobuf has it.
func String(b []byte, f Field, s string) []byte {
	if s == "" {
		return b
	}
	return text(b, f, s)
}

// text appends a string. One that is not UTF-8 is mended: backends refuse a
// whole batch for it.
func text(b []byte, f Field, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return protowire.AppendString(protowire.AppendTag(b, f, protowire.BytesType), s)
}

// Bytes appends bytes; none are left out.
func Bytes(b []byte, f Field, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, f, protowire.BytesType), v)
}

// Varint appends a number of one of protobuf's variable types; 0 is left out.
func Varint(b []byte, f Field, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, f, protowire.VarintType), v)
}

// Count appends a number of things that were left out; 0 and less is left out.
func Count(b []byte, f Field, n int) []byte {
	return Varint(b, f, uint64(min(max(n, 0), math.MaxUint32)))
}

// Fixed32 appends a number of four bytes; 0 is left out.
func Fixed32(b []byte, f Field, v uint32) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed32(protowire.AppendTag(b, f, protowire.Fixed32Type), v)
}

// Time appends a time in nanoseconds since 1970; what was before is left out.
func Time(b []byte, f Field, t time.Time) []byte {
	ns := t.UnixNano()
	if ns <= 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, f, protowire.Fixed64Type), uint64(ns))
}

// Attributes appends attributes, each in a field of the given number.
func Attributes(b []byte, f Field, attributes []attribute.KeyValue) []byte {
	for i := range attributes {
		b = keyValue(b, f, &attributes[i])
	}
	return b
}

func keyValue(b []byte, f Field, a *attribute.KeyValue) []byte {
	b, mark := Begin(b, f)
	b = String(b, 1, string(a.Key))
	b = AnyValue(b, 2, a.Value)
	return End(b, mark)
}

// AnyValue appends a value of any type.
func AnyValue(b []byte, f Field, v attribute.Value) []byte {
	b, mark := Begin(b, f)
	b = anyValue(b, v)
	return End(b, mark)
}

// anyValue appends the one field of an AnyValue. Here a zero is not left out:
// which field there is says what type the value has.
func anyValue(b []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.STRING:
		return text(b, 1, v.AsString())
	case attribute.BOOL:
		return protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		return protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(v.AsInt64()))
	case attribute.FLOAT64:
		return protowire.AppendFixed64(protowire.AppendTag(b, 4, protowire.Fixed64Type), math.Float64bits(v.AsFloat64()))
	case attribute.BYTESLICE:
		return protowire.AppendBytes(protowire.AppendTag(b, 7, protowire.BytesType), v.AsByteSlice())
	case attribute.MAP:
		b, mark := Begin(b, 6)
		return End(Attributes(b, 1, v.AsMap()), mark)
	case attribute.EMPTY:
		return b
	}
	b, mark := Begin(b, 5)
	for _, e := range elements(v) {
		b = AnyValue(b, 1, e)
	}
	return End(b, mark)
}

// elements are those of a list, of which OpenTelemetry has one type for each
// type of element.
func elements(v attribute.Value) []attribute.Value {
	switch v.Type() {
	case attribute.STRINGSLICE:
		return each(v.AsStringSlice(), attribute.StringValue)
	case attribute.BOOLSLICE:
		return each(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return each(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return each(v.AsFloat64Slice(), attribute.Float64Value)
	}
	return v.AsSlice()
}

func each[T any](values []T, value func(T) attribute.Value) []attribute.Value {
	list := make([]attribute.Value, len(values))
	for i, v := range values {
		list[i] = value(v)
	}
	return list
}

// Resource returns the first field of a ResourceSpans or ResourceLogs, encoded;
// a nil resource has no attributes.
func Resource(r *resource.Resource) []byte {
	b, mark := Begin(nil, 1)
	return End(Attributes(b, 1, r.Attributes()), mark)
}

// Scope appends the first field of a ScopeSpans or ScopeLogs.
func Scope(b []byte, s instrumentation.Scope) []byte {
	b, mark := Begin(b, 1)
	b = String(b, 1, s.Name)
	b = String(b, 2, s.Version)
	b = Attributes(b, 3, s.Attributes.ToSlice())
	return End(b, mark)
}
