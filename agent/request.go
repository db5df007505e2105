package agent

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/logs"
	"github.com/cacheu/plumbline/agent/internal/reqscope"
	"github.com/cacheu/plumbline/agent/internal/traces"
	"github.com/cacheu/plumbline/agent/saturation"
)

// Request is one server request that is being measured. It is what an adapter
// for an HTTP framework is built on; services use agentgin or agenthttp.
//
// A nil *Request, which a nil agent returns, does nothing. Methods are called
// by the goroutine that serves the request.
type Request struct {
	agent   *Agent
	span    *traces.Span
	scope   reqscope.Scope
	route   string
	series  *routeMetrics
	queries queries
	start   time.Time
	http    *http.Request
	outer   context.Context // whose profile labels are restored at the end
	entry   saturation.Entry
	label   string        // the span ID in the profile labels; empty where there are none
	keep    atomic.Uint32 // reasons to store the trace although it is not sampled
}

// requestContext is the request's context and its account in one allocation.
type requestContext struct {
	context.Context
	request Request
}

type requestKey struct{}

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return &c.request
	}
	return c.Context.Value(key)
}

func requestFrom(ctx context.Context) *Request {
	q, _ := ctx.Value(requestKey{}).(*Request)
	return q
}

// StartRequest begins to measure a request to a route, given as its template
// ("/users/:id") or empty where none matched. The returned HTTP request
// carries the span and must be passed on; [Request.End] must follow.
//
// An adapter whose router matches later calls [Request.SetRoute] before the
// end.
func (a *Agent) StartRequest(r *http.Request, route string) (*Request, *http.Request) {
	if a == nil {
		return nil, r
	}
	if route == "" {
		route = catalog.RouteUnknown
	}
	route = clean(route, 255) // a label that is not UTF-8 would panic in the host's request
	outer := r.Context()
	c := &requestContext{Context: a.propagator.Extract(outer, propagation.HeaderCarrier(r.Header))}
	q := &c.request
	q.agent, q.http, q.outer, q.route = a, r, outer, route
	q.start = time.Now()
	q.scope.Begin(q.start)
	q.series = a.http.routes.Get(route)
	q.series.active.Inc()
	q.entry = a.knee.Enter(q.start)
	var ctx context.Context
	ctx, q.span = a.tracer.Start(c, traces.SpanStart{Name: spanName(r.Method, route), Kind: trace.SpanKindServer, Time: q.start})
	return q, r.WithContext(q.setLabels(ctx, route))
}

// setLabels labels the goroutine's CPU samples with the span, where profiles
// are taken and the span is stored, so that it opens its own flame graph.
func (q *Request) setLabels(ctx context.Context, name string) context.Context {
	if q.agent.profiles == nil || !q.span.SpanContext().IsSampled() {
		return ctx
	}
	q.label = q.span.SpanContext().SpanID().String()
	ctx = pprof.WithLabels(ctx, pprof.Labels(catalog.ProfileSpanID, q.label, catalog.ProfileSpanName, name))
	pprof.SetGoroutineLabels(ctx)
	return ctx
}

// unsetLabels gives the goroutine the labels that it had before.
func (q *Request) unsetLabels() {
	if q.label != "" {
		pprof.SetGoroutineLabels(q.outer)
	}
}

func spanName(method, route string) string {
	if route == catalog.RouteUnknown {
		return HTTPMethod(method)
	}
	return HTTPMethod(method) + " " + route
}

// SetRoute names the route where it was not known at the start. The template,
// never the path: it becomes a label.
func (q *Request) SetRoute(route string) {
	route = clean(route, 255)
	if q == nil || route == "" || route == q.route {
		return
	}
	q.series.active.Dec()
	q.route = route
	q.series = q.agent.http.routes.Get(route)
	q.series.active.Inc()
	q.span.SetName(spanName(q.http.Method, route))
}

// Response is how a request ended.
type Response struct {
	// Status is the HTTP status code that was sent. 0 means 200, or 500 after
	// a panic.
	Status int
	// Size is the length of the body that was written, in bytes.
	Size int64
	// Panic is the value that the handler panicked with, or nil. The adapter
	// raises it again after End.
	Panic any
	// Err is an error that the handler reported to its framework, or nil.
	Err error
	// NoAccessLog leaves out the request's log line.
	NoAccessLog bool
}

// End books the request: duration, component time, span and access log line.
// Only one call is legal.
func (q *Request) End(r Response) {
	if q == nil {
		return
	}
	end := time.Now()
	if r.Panic == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		r.Panic = nil // a deliberate end without an answer, not a fault
	}
	if r.Status == 0 {
		r.Status = http.StatusOK
		if r.Panic != nil {
			r.Status = http.StatusInternalServerError
		}
	}
	q.unsetLabels()
	q.series.active.Dec()
	q.agent.knee.Leave(q.entry, end, served(r.Status))
	summary := q.scope.End(end)
	elapsed := end.Sub(q.start)
	q.observe(r.Status, elapsed, end)
	q.account(summary)
	if q.report() {
		q.keepFor(keepFinding)
	}
	if q.span.IsRecording() {
		q.describe(r, summary)
	}
	if r.Panic != nil {
		q.logPanic(r.Panic)
	}
	if !r.NoAccessLog {
		q.accessLog(r, elapsed, summary)
	}
	q.span.EndAt(end)
}

func (q *Request) observe(status int, elapsed time.Duration, at time.Time) {
	if q.agent.keeps() && q.series.recent.Slow(elapsed) {
		q.keepFor(keepSlow)
	}
	series := q.agent.http.series.Get(httpKey{HTTPMethod(q.http.Method), q.route, status})
	var id trace.TraceID
	if q.span.IsRecording() && series.Wants(elapsed, at) {
		id = q.span.SpanContext().TraceID()
		q.keepFor(keepExemplar)
	}
	series.Observe(elapsed, id)
}

func (q *Request) account(summary reqscope.Summary) {
	for _, part := range summary {
		if part.Calls == 0 && part.Time == 0 {
			continue
		}
		q.series.seconds[part.Component].Add(part.Time.Seconds())
		q.series.calls[part.Component].Add(float64(part.Calls))
		if part.Component == catalog.DB {
			q.series.queries.Observe(float64(part.Calls))
		}
	}
}

// componentAttrs and componentKeys are the names of the parts, joined once.
var componentAttrs, componentKeys = componentNames()

func componentNames() (attrs, keys map[catalog.Component]string) {
	attrs, keys = make(map[catalog.Component]string), make(map[catalog.Component]string)
	for _, c := range catalog.Components() {
		attrs[c] = catalog.AttrComponentPrefix + string(c)
		keys[c] = catalog.LogComponentPrefix + string(c)
	}
	return attrs, keys
}

func (q *Request) accessLog(r Response, elapsed time.Duration, summary reqscope.Summary) {
	severity := logs.Info
	if r.Status >= http.StatusInternalServerError {
		severity = logs.Error
	}
	line := q.agent.logs.NewLine(q.span.SpanContext(), severity).
		Str(catalog.LogMessage, "request").
		Str(catalog.LogMethod, HTTPMethod(q.http.Method)).
		Str(catalog.LogRoute, q.route).
		Str(catalog.LogPath, clean(q.http.URL.Path, 1024)).
		Int(catalog.LogStatus, int64(r.Status)).
		Int(catalog.LogBytes, r.Size).
		Seconds(catalog.LogDuration, elapsed)
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

// logPanic records what the handler panicked with, and where.
func (q *Request) logPanic(value any) {
	text, stack := fmt.Sprint(value), string(debug.Stack())
	q.span.AddEvent(catalog.EventException, trace.WithAttributes(
		attribute.String("exception.type", fmt.Sprintf("%T", value)),
		attribute.String("exception.message", clean(text, 1024)),
		attribute.String("exception.stacktrace", stack),
	))
	q.agent.logs.Put(q.agent.logs.NewLine(q.span.SpanContext(), logs.Error).
		Str(catalog.LogMessage, "handler panicked").
		Str(catalog.LogRoute, q.route).
		Str(catalog.LogPanic, clean(text, 1024)).
		Str(catalog.LogStack, stack))
}

// clean bounds a string that a client sent and makes it valid UTF-8, which
// OTLP requires: one bad attribute would have the whole batch refused.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
