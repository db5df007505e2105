// Package agentgin measures the requests of a gin engine.
//
//	router := gin.New()
//	router.Use(agentgin.Middleware(a), gin.Recovery())
//
// Each request gets a server span named by its route template, an observation
// in http_server_request_duration_seconds, a split of its time by component,
// and one access log line. Put the middleware first, so that it sees what the
// others do.
//
// The middleware is safe for concurrent use, starts no goroutine, and raises
// again what a handler panics with, after recording it.
package agentgin

import (
	"bufio"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent"
)

// Option changes what [Middleware] does.
type Option func(*options)

type options struct {
	skip      func(*gin.Context) bool
	accessLog bool
}

// WithSkip leaves requests for which f returns true unmeasured: health checks,
// for example. f must be cheap.
func WithSkip(f func(*gin.Context) bool) Option { return func(o *options) { o.skip = f } }

// WithAccessLog switches the line per request on or off. Defaults to on.
func WithAccessLog(on bool) Option { return func(o *options) { o.accessLog = on } }

// Middleware returns the middleware. With a nil agent it only calls the next
// handler.
func Middleware(a *agent.Agent, opts ...Option) gin.HandlerFunc {
	o := options{accessLog: true}
	for _, set := range opts {
		set(&o)
	}
	return func(c *gin.Context) {
		if a == nil || o.skip != nil && o.skip(c) {
			c.Next()
			return
		}
		request, r := a.StartRequest(c.Request, c.FullPath())
		c.Request = r
		var upgrade *hijackWriter
		if r.Header.Get("Upgrade") != "" {
			upgrade = &hijackWriter{ResponseWriter: c.Writer}
			c.Writer = upgrade
		}
		defer o.finish(c, request, upgrade)
		c.Next()
	}
}

// finish ends the request; it runs deferred, because a panic is an end too.
func (o *options) finish(c *gin.Context, request *agent.Request, upgrade *hijackWriter) {
	panicked := recover()
	response := agent.Response{
		Size:        int64(max(0, c.Writer.Size())), // -1 means that nothing was written
		Panic:       panicked,
		NoAccessLog: !o.accessLog,
	}
	// Until something is written, gin's status is only what it would be.
	if panicked == nil || c.Writer.Written() {
		response.Status = c.Writer.Status()
	}
	if upgrade != nil && upgrade.hijacked {
		response.Status = http.StatusSwitchingProtocols
	}
	if last := c.Errors.Last(); last != nil {
		response.Err = last.Err
	}
	request.End(response)
	if panicked != nil {
		panic(panicked)
	}
}

// hijackWriter notes that a connection changed hands, which gin reports as
// status 200. It is put in place only where a client asks for an upgrade.
type hijackWriter struct {
	gin.ResponseWriter
	hijacked bool
}

// Hijack implements [http.Hijacker].
func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.Hijack()
	w.hijacked = err == nil
	return conn, rw, err
}
