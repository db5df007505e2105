package logs

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Severity orders log lines. Its values are those of the OpenTelemetry log
// data model (log.Severity), of which the four common ones are named.
type Severity int8

// The severities that have a level name in go-kit/log and slog.
const (
	Debug Severity = 5
	Info  Severity = 9
	Warn  Severity = 13
	Error Severity = 17
)

// String returns the level name: debug, info, warn or error.
func (s Severity) String() string {
	switch {
	case s >= Error:
		return "error"
	case s >= Warn:
		return "warn"
	case s >= Info:
		return "info"
	}
	return "debug"
}

// ParseSeverity returns the severity of a level name, in upper or lower case,
// and [Info] for a name it does not know.
func ParseSeverity(level string) Severity {
	switch strings.ToLower(level) {
	case "debug", "trace":
		return Debug
	case "warn", "warning":
		return Warn
	case "error", "err", "critical", "fatal", "panic":
		return Error
	}
	return Info
}

// Line is one log line on its way to the sinks, which share it and must not
// change it.
type Line struct {
	time     time.Time
	severity Severity
	trace    trace.TraceID
	span     trace.SpanID
	flags    trace.TraceFlags
	text     []byte // logfmt, with a newline at its end
	refs     atomic.Int32
}

// Text returns the logfmt line without its newline. It is valid until the
// export function that was given the line returns.
func (l *Line) Text() string { return string(l.text[:len(l.text)-1]) }

// Severity returns the line's severity.
func (l *Line) Severity() Severity { return l.severity }

// Time returns when the line was logged.
func (l *Line) Time() time.Time { return l.time }

// TraceID returns the trace in which the line was logged, or the zero ID.
func (l *Line) TraceID() trace.TraceID { return l.trace }

// SpanID returns the span in which the line was logged, or the zero ID.
func (l *Line) SpanID() trace.SpanID { return l.span }

var lines = sync.Pool{New: func() any { return &Line{text: make([]byte, 0, 256)} }}

// newLine starts a line with its time.
func newLine(sc trace.SpanContext, severity Severity, at time.Time) *Line {
	l := lines.Get().(*Line)
	l.time, l.severity = at, severity
	l.trace, l.span, l.flags = sc.TraceID(), sc.SpanID(), sc.TraceFlags()
	l.text = append(l.text[:0], catalog.LogTime+"="...)
	l.text = appendTime(l.text, at)
	return l
}

// appendTime appends a time in UTC to the microsecond, as the layout
// 2006-01-02T15:04:05.000000Z would, in a third of the time.
func appendTime(b []byte, at time.Time) []byte {
	at = at.UTC()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	if year < 0 || year > 9999 {
		return at.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	b = appendDigits(b, year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), at.Nanosecond()/1000, 6)
	return append(b, 'Z')
}

// appendDigits appends a number with leading zeros.
func appendDigits(b []byte, n, width int) []byte {
	start := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; i >= start; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// NewLine starts a line that is built key by key and ends with [Pipeline.Put].
// It returns nil, on which every method does nothing, where the pipeline is nil
// or does not keep the severity.
func (p *Pipeline) NewLine(sc trace.SpanContext, severity Severity) *Line {
	if p == nil || severity < p.level {
		return nil
	}
	return newLine(sc, severity, p.now()).Str(catalog.LogLevel, severity.String())
}

// Put logs a line of [Pipeline.NewLine]; it must not be used afterwards.
func (p *Pipeline) Put(l *Line) {
	if l != nil {
		p.put(l)
	}
}

// Str appends a string.
func (l *Line) Str(key, value string) *Line {
	if l != nil {
		l.text = appendString(appendKey(l.text, key), value)
	}
	return l
}

// Int appends an integer.
func (l *Line) Int(key string, value int64) *Line {
	if l != nil {
		l.text = strconv.AppendInt(appendKey(l.text, key), value, 10)
	}
	return l
}

// Seconds appends a duration in seconds, to the microsecond.
func (l *Line) Seconds(key string, d time.Duration) *Line {
	if l != nil {
		l.text = strconv.AppendFloat(appendKey(l.text, key), d.Seconds(), 'f', 6, 64)
	}
	return l
}

// appendTrace appends the trace of the line, if it has one.
func (l *Line) appendTrace() {
	if !l.trace.IsValid() {
		return
	}
	l.text = append(l.text, " "+catalog.LogTraceID+"="...)
	l.text = appendHex(l.text, l.trace[:])
	l.text = append(l.text, " "+catalog.LogSpanID+"="...)
	l.text = appendHex(l.text, l.span[:])
}

func appendHex(b, src []byte) []byte {
	for _, c := range src {
		b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
	}
	return b
}

// release gives up one reference; the last one returns the line to the pool.
func (l *Line) release() {
	if l.refs.Add(-1) > 0 {
		return
	}
	if cap(l.text) <= 16<<10 { // a few huge lines must not stay for ever
		lines.Put(l)
	}
}
