// Package agentlog charges the time in a service's own loggers to the component
// "log" of the request that logs.
//
// A logger that writes where it is called blocks its caller for as long as the
// write takes. That time is not processor time, so that no CPU profile shows it;
// here it becomes a series, an attribute of the span and a key of the access
// log line, as the time in the database is.
//
//	logger := agentlog.Logger(ctx, a, mine)         // go-kit/log
//	w := agentlog.Writer(ctx, a, os.Stderr)         // anything that writes
//	slog.New(agentlog.Handler(a, mine.Handler()))   // log/slog
//
// Only slog hands a context to its handler; for the others the request is the
// one of the context that they are made with, so make one for each request. It
// is a small value. The agent's own loggers need none of this: they never wait.
//
// Wrappers are safe for concurrent use if what they wrap is, start no goroutine,
// change nothing of what is logged, and pass errors and panics on. With a nil
// agent they return what they were given.
package agentlog

import (
	"context"
	"io"
	"log/slog"

	kitlog "github.com/go-kit/log"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
)

type logger struct {
	ctx   context.Context // of the request, for which the logger was made
	agent *agent.Agent
	next  kitlog.Logger
}

// Logger returns a go-kit logger whose calls are charged to the request of ctx.
// Wrap the innermost logger, the one that writes, and put With around this one.
func Logger(ctx context.Context, a *agent.Agent, next kitlog.Logger) kitlog.Logger {
	if a == nil {
		return next
	}
	return logger{ctx, a, next}
}

// Log implements go-kit's Logger.
func (l logger) Log(keyvals ...any) error {
	defer l.agent.Charge(l.ctx, catalog.Log, true).End()
	return l.next.Log(keyvals...)
}

type writer struct {
	ctx   context.Context // of the request, for which the writer was made
	agent *agent.Agent
	next  io.Writer
}

// Writer returns a writer whose writes are charged to the request of ctx. It
// has no other method than Write, whatever w has.
func Writer(ctx context.Context, a *agent.Agent, w io.Writer) io.Writer {
	if a == nil {
		return w
	}
	return writer{ctx, a, w}
}

// Write implements [io.Writer].
func (w writer) Write(p []byte) (int, error) {
	defer w.agent.Charge(w.ctx, catalog.Log, true).End()
	return w.next.Write(p)
}

type handler struct {
	agent *agent.Agent
	next  slog.Handler
}

// Handler returns a slog handler whose records are charged to the request of
// the context that they are logged with: slog's functions without a context
// charge nobody.
func Handler(a *agent.Agent, next slog.Handler) slog.Handler {
	if a == nil {
		return next
	}
	return handler{a, next}
}

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	defer h.agent.Charge(ctx, catalog.Log, true).End()
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.agent, h.next.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.agent, h.next.WithGroup(name)}
}
