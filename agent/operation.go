package agent

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/logs"
	"github.com/cacheu/plumbline/agent/internal/reqscope"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// OperationInfo describes a piece of server work that is about to begin and is
// no HTTP request.
type OperationInfo struct {
	// Name is the name of the span, and the route under which findings are
	// counted: few distinct values, no identifiers.
	Name string
	// Kind is the span's kind. The zero value means a server.
	Kind trace.SpanKind
	// Caller holds the trace context that came with the work, as in the
	// metadata of a call. Nil means that of the context.
	Caller propagation.TextMapCarrier
	// NewTrace begins a trace of its own that is linked to the caller's,
	// instead of continuing that one.
	NewTrace bool
	// Attributes are copied to the span.
	Attributes []attribute.KeyValue
}

// OperationSeries is where an operation is booked. Its methods are called once
// for each operation, at its end, and must be safe for concurrent use.
type OperationSeries interface {
	// Slow books the duration and reports whether it is among the slowest of
	// late, which makes the trace worth keeping.
	Slow(d time.Duration) bool
	// Wants reports whether the observation should carry an exemplar.
	Wants(d time.Duration, at time.Time) bool
	// Observe books the duration, with the trace as exemplar if it is valid.
	Observe(d time.Duration, id trace.TraceID)
	// Charge books the time that passed in a component, and the calls into it.
	Charge(c catalog.Component, d time.Duration, calls int)
}

// Outcome is how an operation ended.
type Outcome struct {
	// Series is where it is booked. Nil books nothing.
	Series OperationSeries
	// ErrorType is the class of the failure. Empty means that the server did
	// not fail, whatever Err says.
	ErrorType string
	// Err is what the operation returned; its text goes to the log line, and
	// to the span if the operation failed.
	Err error
	// Panic is the value that the operation panicked with, or nil. It is a
	// failure. The adapter raises it again after End.
	Panic any
	// Attributes are added to the span.
	Attributes []attribute.KeyValue
	// Message is that of the log line; empty writes none. Pairs are keys and
	// values of the line by turns.
	Message string
	Pairs   []string
}

// Operation is one piece of server work that is being measured: a gRPC call, a
// job. It is to them what [Request] is to HTTP requests: calls in its context
// are charged to it, and its queries are watched for N+1 problems.
//
// A nil *Operation, which a nil agent returns, does nothing. Methods are called
// by the goroutine that does the work.
type Operation struct {
	// account is all of a request that is not HTTP. Its fields http and series
	// stay nil.
	account *Request
}

// operationContext is an operation, its account and its context in one
// allocation.
type operationContext struct {
	requestContext
	operation Operation
}

// StartOperation begins to measure. The returned context carries the span;
// [Operation.End] must follow.
func (a *Agent) StartOperation(ctx context.Context, info OperationInfo) (context.Context, *Operation) {
	if a == nil {
		return ctx, nil
	}
	info.Name = clean(info.Name, 255) // it becomes a label where there is a finding
	c := &operationContext{}
	o, q := &c.operation, &c.request
	o.account, q.agent, q.outer, q.route = q, a, ctx, info.Name
	c.Context = ctx
	if info.Caller != nil {
		c.Context = a.propagator.Extract(ctx, info.Caller)
	}
	q.start = time.Now()
	q.scope.Begin(q.start)
	span := traces.SpanStart{Name: info.Name, Kind: cmp.Or(info.Kind, trace.SpanKindServer), Time: q.start, Root: info.NewTrace}
	if caller := trace.SpanContextFromContext(c.Context); info.NewTrace && caller.IsValid() {
		span.Links = []trace.Link{{SpanContext: caller}}
	}
	ctx, q.span = a.tracer.Start(c, span)
	q.span.Describe(info.Attributes)
	return q.setLabels(ctx, info.Name), o
}

// End books the operation: duration, component time, findings, span and log
// line. Only one call is legal. It returns how long the operation took.
func (o *Operation) End(r Outcome) time.Duration {
	if o == nil {
		return 0
	}
	q, end := o.account, time.Now()
	q.unsetLabels()
	if r.Panic != nil {
		r.ErrorType = "panic"
	}
	summary := q.scope.End(end)
	elapsed := end.Sub(q.start)
	if r.Series != nil {
		o.book(r.Series, elapsed, end, summary)
	}
	if q.report() {
		q.keepFor(keepFinding)
	}
	if q.span.IsRecording() {
		o.describe(r, summary)
	}
	if r.Panic != nil {
		q.logPanic(r.Panic)
	}
	if r.Message != "" {
		o.log(r, elapsed, summary)
	}
	q.span.EndAt(end)
	return elapsed
}

func (o *Operation) book(series OperationSeries, elapsed time.Duration, at time.Time, summary reqscope.Summary) {
	q := o.account
	if slow := series.Slow(elapsed); slow && q.agent.keeps() {
		q.keepFor(keepSlow)
	}
	var id trace.TraceID
	if q.span.IsRecording() && series.Wants(elapsed, at) {
		id = q.span.SpanContext().TraceID()
		q.keepFor(keepExemplar)
	}
	series.Observe(elapsed, id)
	for _, part := range summary {
		if part.Calls > 0 || part.Time > 0 {
			series.Charge(part.Component, part.Time, part.Calls)
		}
	}
}

func (o *Operation) describe(r Outcome, summary reqscope.Summary) {
	q := o.account
	var room [16]attribute.KeyValue
	attrs := append(room[:0], r.Attributes...)
	if q.label != "" {
		attrs = append(attrs, attribute.String(catalog.AttrProfileID, q.label))
	}
	for _, part := range summary {
		if part.Calls > 0 || part.Time > 0 {
			attrs = append(attrs, attribute.Float64(componentAttrs[part.Component], part.Time.Seconds()))
		}
	}
	if r.ErrorType != "" {
		q.keepFor(keepError)
		attrs = append(attrs, attribute.String(catalog.AttrErrorType, clean(r.ErrorType, 255)))
		q.span.SetStatus(codes.Error, description(r))
	}
	if reasons := q.kept(); reasons != "" {
		attrs = append(attrs, attribute.String(catalog.AttrKept, reasons))
		q.span.Keep = true
	}
	q.span.Describe(attrs)
}

func description(r Outcome) string {
	switch {
	case r.Panic != nil:
		return clean(fmt.Sprint(r.Panic), 1024)
	case r.Err != nil:
		return clean(r.Err.Error(), 1024)
	}
	return ""
}

func (o *Operation) log(r Outcome, elapsed time.Duration, summary reqscope.Summary) {
	q, severity := o.account, logs.Info
	if r.ErrorType != "" {
		severity = logs.Error
	}
	line := q.agent.logs.NewLine(q.span.SpanContext(), severity).Str(catalog.LogMessage, r.Message)
	for i := 0; i+1 < len(r.Pairs); i += 2 {
		line.Str(r.Pairs[i], clean(r.Pairs[i+1], 1024))
	}
	line.Seconds(catalog.LogDuration, elapsed)
	for _, part := range summary {
		if part.Calls > 0 || part.Time > 0 {
			line.Seconds(componentKeys[part.Component], part.Time)
		}
	}
	if r.Err != nil {
		line.Str(catalog.LogError, clean(r.Err.Error(), 1024))
	}
	q.agent.logs.Put(line)
}

// Kit returns what an adapter keeps with an agent under a key of a type of its
// own, and makes it at the first call: instruments that are to be shared by
// all users of the adapter. On a nil agent it makes one that is not kept.
//
// make may run more than once when first calls race; one result is kept.
func (a *Agent) Kit(key any, make func(*Agent) any) any {
	if a == nil {
		return make(nil)
	}
	if kit, ok := a.kits.Load(key); ok {
		return kit
	}
	kit, _ := a.kits.LoadOrStore(key, make(a))
	return kit
}
