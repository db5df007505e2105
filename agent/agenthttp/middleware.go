// Package agenthttp measures net/http servers and clients.
//
//	handler := agenthttp.Middleware(a)(mux)
//	client := &http.Client{Transport: agenthttp.Transport(a, nil)}
//
// A server request gets what agentgin gives one; its route is the pattern that
// [http.ServeMux] matched. A client request gets a client span, the trace
// headers, an observation in http_client_request_duration_seconds, and its
// time is charged to the component "http" of the server request that made it.
//
// Everything here is safe for concurrent use and starts no goroutine.
package agenthttp

import (
	"net/http"
	"strings"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/replication"
)

// Option changes what [Middleware] does.
type Option func(*options)

type options struct {
	skip      func(*http.Request) bool
	route     func(*http.Request) string
	accessLog bool
	sessions  *replication.Sessions
}

// WithSkip leaves requests for which f returns true unmeasured.
func WithSkip(f func(*http.Request) bool) Option { return func(o *options) { o.skip = f } }

// WithRoute tells the route template of a request, for routers other than
// [http.ServeMux]. It is called after the handler has returned, with the
// request that the handler was given. It must return a template and never a
// path; the empty string counts as unknown.
func WithRoute(f func(*http.Request) string) Option { return func(o *options) { o.route = f } }

// WithAccessLog switches the line per request on or off. Defaults to on.
func WithAccessLog(on bool) Option { return func(o *options) { o.accessLog = on } }

// WithSessions gives every request the session that it comes with, so that reads
// through a [replication.Router] see what the same user wrote. It works without
// an agent, too.
func WithSessions(s *replication.Sessions) Option { return func(o *options) { o.sessions = s } }

// Middleware returns a wrapper for handlers. With a nil agent it returns the
// handler as it is, but for its sessions.
func Middleware(a *agent.Agent, opts ...Option) func(http.Handler) http.Handler {
	o := options{accessLog: true, route: patternRoute}
	for _, set := range opts {
		set(&o)
	}
	return func(next http.Handler) http.Handler {
		next = o.sessions.Middleware(next)
		if a == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if o.skip != nil && o.skip(r) {
				next.ServeHTTP(w, r)
				return
			}
			request, r := a.StartRequest(r, o.route(r))
			recorder := &recorder{ResponseWriter: w}
			defer o.finish(request, recorder, r)
			next.ServeHTTP(recorder.wrap(), r)
		})
	}
}

// finish ends the request; it runs deferred, because a panic is an end too.
func (o *options) finish(request *agent.Request, w *recorder, r *http.Request) {
	panicked := recover()
	request.SetRoute(o.route(r))
	request.End(agent.Response{
		Status: w.status, Size: w.size, Panic: panicked, NoAccessLog: !o.accessLog,
	})
	if panicked != nil {
		panic(panicked)
	}
}

// patternRoute takes the path of the pattern that a ServeMux has matched:
// "GET example.com/items/{id}" is the route "/items/{id}".
func patternRoute(r *http.Request) string {
	if i := strings.IndexByte(r.Pattern, '/'); i >= 0 {
		return r.Pattern[i:]
	}
	return ""
}
