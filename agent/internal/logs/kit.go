package logs

import (
	kitlog "github.com/go-kit/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Logger is the go-kit front end.
type Logger struct {
	pipeline *Pipeline
	span     trace.SpanContext
}

var _ kitlog.Logger = Logger{}

// Logger returns a go-kit logger whose lines carry the span. On a nil pipeline
// it drops everything.
func (p *Pipeline) Logger(sc trace.SpanContext) Logger { return Logger{p, sc} }

// Log implements go-kit's Logger. It never blocks and never fails: what cannot
// be taken is counted. The level is the value of the key "level", as go-kit's
// level package sets it; without one a line is info.
func (l Logger) Log(keyvals ...any) error {
	p := l.pipeline
	if p == nil {
		return nil
	}
	severity := severityOf(keyvals)
	if severity < p.level {
		return nil
	}
	line := newLine(l.span, severity, p.now())
	for i := 0; i < len(keyvals); i += 2 {
		var value any = kitlog.ErrMissingValue
		if i+1 < len(keyvals) {
			value = keyvals[i+1]
		}
		key, ok := keyvals[i].(string)
		if !ok {
			key = keyOf(keyvals[i])
		}
		if key == catalog.LogTime {
			continue // the pipeline has set it
		}
		line.text = appendKey(line.text, key)
		line.text = appendValue(line.text, value)
	}
	p.put(line)
	return nil
}

// keyOf turns a key that is not a string into one, by the rules for values.
func keyOf(key any) string { return string(appendValue(nil, key)) }

func severityOf(keyvals []any) Severity {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if key, ok := keyvals[i].(string); !ok || key != catalog.LogLevel {
			continue
		}
		switch level := keyvals[i+1].(type) {
		case string:
			return ParseSeverity(level)
		case interface{ String() string }: // go-kit's level.Value
			return ParseSeverity(level.String())
		}
	}
	return Info
}
