package logs

import (
	"context"
	"log/slog"
	"slices"
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Handler is the slog front end. Groups become key prefixes with dots:
// slog.Group("db", "rows", 3) is logged as db.rows=3.
type Handler struct {
	pipeline *Pipeline
	prefix   string // of the open groups, with a dot at its end
	attrs    []byte // encoded already
}

var _ slog.Handler = (*Handler)(nil)

// Handler returns a slog handler. On a nil pipeline it drops everything.
func (p *Pipeline) Handler() *Handler { return &Handler{pipeline: p} }

// Enabled implements [slog.Handler].
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return h.pipeline != nil && severityOfSlog(level) >= h.pipeline.level
}

// Handle implements [slog.Handler]. It never blocks and always returns nil.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if h.pipeline == nil {
		return nil
	}
	at := r.Time
	if at.IsZero() {
		at = h.pipeline.now()
	}
	line := newLine(trace.SpanContextFromContext(ctx), severityOfSlog(r.Level), at)
	line.Str(catalog.LogLevel, line.severity.String())
	line.Str(catalog.LogMessage, r.Message)
	line.text = append(line.text, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line.text = appendAttr(line.text, h.prefix, a)
		return true
	})
	h.pipeline.put(line)
	return nil
}

// WithAttrs implements [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Clip(slices.Clone(h.attrs))
	for _, a := range attrs {
		next.attrs = appendAttr(next.attrs, h.prefix, a)
	}
	return &next
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix = h.prefix + name + "."
	return &next
}

// appendAttr appends one attribute with a space before it.
func appendAttr(b []byte, prefix string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			b = appendAttr(b, prefix, member)
		}
		return b
	}
	return appendSlogValue(appendKey(b, prefix+a.Key), value)
}

// appendSlogValue is appendValue without the allocation that it takes to put a
// common value into an interface.
func appendSlogValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendString(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	}
	return appendValue(b, v.Any())
}

func severityOfSlog(level slog.Level) Severity {
	switch {
	case level >= slog.LevelError:
		return Error
	case level >= slog.LevelWarn:
		return Warn
	case level >= slog.LevelInfo:
		return Info
	}
	return Debug
}
