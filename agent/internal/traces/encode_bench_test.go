package traces_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// batchOf returns spans as those of a query are, of a pipeline that sends none.
func batchOf(tb testing.TB, n int) []sdktrace.ReadOnlySpan {
	tb.Helper()
	keep := &keeping{}
	p, err := traces.Start(traces.Config{Ratio: 1, Capacity: 2 * n, Exporter: keep, Resource: resource.Empty()})
	if err != nil {
		tb.Fatal(err)
	}
	tracer := p.Tracer("bench", "1.0")
	for range n {
		_, span := tracer.Start(context.Background(), traces.SpanStart{Name: "SELECT orders", Kind: trace.SpanKindClient, Time: time.Now()})
		span.Describe([]attribute.KeyValue{
			attribute.String(catalog.AttrDBSystemName, "postgresql"), attribute.String(catalog.AttrDBOperationName, "SELECT"),
			attribute.String(catalog.AttrDBQueryText, "SELECT id, total FROM orders WHERE user_id = ? ORDER BY created_at DESC LIMIT ?"),
			attribute.String(catalog.AttrDBNamespace, "shop"), attribute.String(catalog.AttrServerAddress, "127.0.0.1"), attribute.Int(catalog.AttrServerPort, 5432),
		})
		span.End()
	}
	if err := p.Stop(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return keep.spans
}

type keeping struct{ spans []sdktrace.ReadOnlySpan }

func (k *keeping) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.spans = append(k.spans, spans...)
	return nil
}

func (*keeping) Shutdown(context.Context) error { return nil }

// TestEncodingAllocatesNothing: a batch goes into the buffer of the one before.
func TestEncodingAllocatesNothing(t *testing.T) {
	encode, spans := traces.Encoder(resource.Empty()), batchOf(t, 64)
	encode(spans)
	if n := testing.AllocsPerRun(20, func() { encode(spans) }); n > 0 {
		t.Errorf("%g allocations for a batch of %d spans, want none", n, len(spans))
	}
}

// BenchmarkEncode is the cost of one span in a batch of 512.
func BenchmarkEncode(b *testing.B) {
	encode, spans := traces.Encoder(resource.Empty()), batchOf(b, 512)
	b.ReportAllocs()
	bytes := 0
	for i := 0; i < b.N; i += len(spans) {
		bytes = len(encode(spans))
	}
	b.ReportMetric(float64(bytes)/float64(len(spans)), "bytes/span")
}

// BenchmarkCompress is the cost of a batch of 512 spans by gzip's levels.
func BenchmarkCompress(b *testing.B) {
	batch := bytes.Clone(traces.Encoder(resource.Empty())(batchOf(b, 512)))
	for name, level := range map[string]int{"fastest": gzip.BestSpeed, "default": gzip.DefaultCompression} {
		b.Run(name, func(b *testing.B) {
			var out bytes.Buffer
			w, err := gzip.NewWriterLevel(&out, level)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				out.Reset()
				w.Reset(&out)
				_, err := w.Write(batch)
				if err := errors.Join(err, w.Close()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(out.Len())/float64(len(batch)), "of-the-size")
		})
	}
}
