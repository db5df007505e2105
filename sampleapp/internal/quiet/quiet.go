// Package quiet keeps housekeeping out of the traces.
//
// A worker that polls twice a second and a health check that pings twice a
// second would fill a trace store with spans that nobody asks for. Their
// statements are still measured.
//
// It is safe for concurrent use.
package quiet

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
)

// Context returns a context whose spans are not recorded, because their parent
// was not: every sampler respects that decision. Do not log with it; the trace
// in it does not exist.
func Context(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 1}, // any valid ids
	}))
}

// Lift returns a context without the trace of [Context], or any other: for the
// work that a quiet loop has found.
func Lift(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

// Logger returns a logger for a library that does its housekeeping in a quiet
// context: warnings and errors only, and without the trace that does not exist.
func Logger(a *agent.Agent) *slog.Logger { return slog.New(handler{a.SlogHandler()}) }

type handler struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(Lift(ctx), r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
