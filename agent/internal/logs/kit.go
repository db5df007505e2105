package logs

import (
	"fmt"
	"strconv"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
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

// keyOf turns a key that is not a string into one, by the rules for values but
// for the quotes, which a key does not have.
func keyOf(key any) string {
	text := string(appendValue(nil, key))
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text
}

func severityOf(keyvals []any) Severity {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if key, ok := keyvals[i].(string); !ok || key != catalog.LogLevel {
			continue
		}
		switch v := keyvals[i+1].(type) {
		case string:
			return ParseSeverity(v)
		case level.Value: // the common case, and one that cannot panic
			return ParseSeverity(v.String())
		case fmt.Stringer:
			return ParseSeverity(keyOf(v))
		}
	}
	return Info
}
