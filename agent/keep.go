package agent

import (
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Reasons to store a trace that head sampling has rejected, as a set of bits.
const (
	keepError = 1 << iota
	keepFinding
	keepSlow
	keepExemplar
)

// keepNames are the reasons as they stand in the attribute of the root span, in
// the order of the bits.
var keepNames = [...]string{"error", "finding", "slow", "exemplar"}

// keeps reports whether traces that are not sampled may be stored.
func (a *Agent) keeps() bool { return a.traces != nil && a.traces.Keeps() }

// keepFor adds a reason. It is legal from any goroutine of the request.
func (q *Request) keepFor(reason uint32) { q.keep.Or(reason) }

// kept returns the reasons for which the trace is stored, or the empty string
// where head sampling stores it anyway or nothing speaks for it.
func (q *Request) kept() string {
	set := q.keep.Load()
	if set == 0 || q.span.SpanContext().IsSampled() {
		return ""
	}
	var reasons []string
	for i, name := range keepNames {
		if set&(1<<i) != 0 {
			reasons = append(reasons, name)
		}
	}
	return strings.Join(reasons, ",")
}

// Exemplar returns the trace that may be shown as an exemplar of the call, and
// makes sure that it is stored; or the zero ID where it would not be. It is
// legal after the end of the call.
func (c *Call) Exemplar() trace.TraceID {
	if c == nil {
		return trace.TraceID{}
	}
	sc := c.span.SpanContext()
	switch {
	case sc.IsSampled():
		return sc.TraceID()
	case c.recorded && c.request != nil && c.agent.keeps() && !c.request.scope.Ended():
		c.request.keepFor(keepExemplar)
		return sc.TraceID()
	}
	return trace.TraceID{}
}
