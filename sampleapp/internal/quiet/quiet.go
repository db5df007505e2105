// Package quiet keeps housekeeping out of the traces.
//
// A worker that polls twice a second and a health check that pings twice a
// second would fill a trace store with spans that nobody asks for. Their
// statements are still measured.
package quiet

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Context returns a context whose spans are not recorded, because their parent
// was not: every sampler respects that decision. Do not log with it; the trace
// in it does not exist. It is safe for concurrent use.
func Context(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 1}, // any valid ids
	}))
}
