package agent

import (
	"cmp"
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/nplusone"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// CallInfo describes a call that is about to be made.
type CallInfo struct {
	// Component is charged with the time of the call, if a server request is
	// being measured in the context. Empty charges none.
	Component catalog.Component
	// Name is the span's name: few distinct values, no identifiers. Empty
	// makes no span and counts no call: only the time is charged, as for
	// waiting until a connection is free.
	Name string
	// Kind is the span's kind. The zero value means a client.
	Kind trace.SpanKind
	// Attributes are copied to the span where it is recorded.
	Attributes []attribute.KeyValue
	// Query is the signature of a database query, which is watched for N+1
	// problems. Empty is not watched.
	Query string
}

// Call is one call into another component that is being measured. It is what
// adapters for databases, caches and clients are built on.
//
// A nil *Call, which a nil agent returns, does nothing.
type Call struct {
	agent     *Agent
	request   *Request
	span      *traces.Span // nil where only time is charged
	component catalog.Component
	start     time.Time
	watched   bool
	token     nplusone.Token
	rows      int
	recorded  bool
	stepwise  bool // charged by steps; see Pause
}

// StartCall begins to measure a call. The returned context carries its span;
// [Call.End] must follow, on any goroutine.
func (a *Agent) StartCall(ctx context.Context, info CallInfo) (context.Context, *Call) {
	if a == nil {
		return ctx, nil
	}
	c := &Call{agent: a, request: requestFrom(ctx), component: info.Component, start: time.Now(), rows: -1}
	if c.request != nil {
		c.request.scope.Enter(c.component, c.start, info.Name != "")
		if info.Query != "" && a.findings.threshold > 0 {
			c.watched = true
			c.token = c.request.queries.start(a.findings, info.Query, c.start.Sub(c.request.start))
		}
	}
	if info.Name == "" {
		if c.request == nil {
			return ctx, nil // there is nobody to charge
		}
		return ctx, c
	}
	ctx, c.span = a.tracer.Start(ctx, traces.SpanStart{Name: info.Name, Kind: cmp.Or(info.Kind, trace.SpanKindClient), Time: c.start})
	c.recorded = c.span.IsRecording()
	c.span.Describe(info.Attributes)
	return ctx, c
}

// SetRows notes how many rows a query returned, before its end. Without it the
// number is unknown.
func (c *Call) SetRows(n int64) {
	if c != nil {
		c.rows = int(n)
	}
}

// Elapsed is how long a call has taken, and when that was measured.
type Elapsed struct {
	Duration time.Duration
	Time     time.Time
}

// Elapsed returns the time since the start. The call goes on.
func (c *Call) Elapsed() Elapsed {
	if c == nil {
		return Elapsed{}
	}
	now := time.Now()
	return Elapsed{now.Sub(c.start), now}
}

// Pause ends the stretch of time that is charged from the start of the call on.
// The call stays open, and from now on only the steps of [Call.Resume] are
// charged. It is for calls whose caller has the word in between: the rows of a
// result, the messages of a stream. It returns the time since the start.
//
// Only one call of Pause is legal, before the call is shared with other
// goroutines.
func (c *Call) Pause() time.Duration {
	if c == nil {
		return 0
	}
	now := time.Now()
	c.stepwise = true
	if c.request != nil {
		c.request.scope.Leave(c.component, now)
	}
	return now.Sub(c.start)
}

// Resume begins a step of a call after [Call.Pause]: the caller waits again.
// Steps may overlap, on any goroutines.
func (c *Call) Resume() Step {
	if c == nil {
		return Step{}
	}
	return begin(c.request, c.component, false)
}

// Step is a stretch of time that is charged to a component and has no span of
// its own. The zero Step does nothing.
type Step struct {
	request   *Request
	component catalog.Component
	start     time.Time
}

// Charge begins a step that belongs to no call with a span: writing a log
// line, waiting for a connection. A counted step is one of the component's
// calls. It allocates nothing. [Step.End] must follow, on any goroutine.
func (a *Agent) Charge(ctx context.Context, component catalog.Component, counted bool) Step {
	if a == nil {
		return Step{}
	}
	request := requestFrom(ctx)
	if request == nil {
		return Step{}
	}
	return begin(request, component, counted)
}

func begin(request *Request, component catalog.Component, counted bool) Step {
	s := Step{request, component, time.Now()}
	if request != nil {
		request.scope.Enter(component, s.start, counted)
	}
	return s
}

// End ends the step and returns how long it was: 0 for a step of
// [Agent.Charge] where no server request is being measured.
func (s Step) End() time.Duration {
	if s.start.IsZero() {
		return 0
	}
	now := time.Now()
	if s.request != nil {
		s.request.scope.Leave(s.component, now)
	}
	return now.Sub(s.start)
}

// End books the call. A non-nil error marks the span as failed; attributes are
// added to it. It returns how long the call took.
func (c *Call) End(err error, attributes ...attribute.KeyValue) Elapsed {
	if c == nil {
		return Elapsed{}
	}
	now := time.Now()
	if c.request != nil {
		if !c.stepwise {
			c.request.scope.Leave(c.component, now)
		}
		if c.watched {
			c.request.queries.end(c.token, c.rows, now.Sub(c.request.start))
		}
	}
	c.span.Describe(attributes)
	if err != nil && c.recorded {
		c.span.SetStatus(codes.Error, clean(err.Error(), 1024))
	}
	c.span.EndAt(now)
	return Elapsed{now.Sub(c.start), now}
}

// SpanContext returns the call's span context, for propagation.
func (c *Call) SpanContext() trace.SpanContext {
	if c == nil {
		return trace.SpanContext{}
	}
	return c.span.SpanContext()
}
