// Package web is what the HTTP roles of sampleapp have in common: reading and
// checking input, answering errors in one form, health checks, and a server
// that drains before it stops.
//
// Every error is answered as JSON: {"error": "...", "field": "..."}, with the
// field that is wrong where there is one. Functions are safe for concurrent
// use.
package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/catalog"
)

// statusClientGone is the status of a request whose client did not wait for the
// answer. HTTP has none; nginx's number is the one people know.
const statusClientGone = 499

// NewEngine returns a gin engine whose requests a measures and timeout bounds,
// and which answers panics, unknown paths and wrong methods as JSON.
func NewEngine(a *agent.Agent, timeout time.Duration) *gin.Engine {
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	// Nothing here reads the client's address, so no proxy needs trust. The
	// error is about malformed networks; nil has none.
	_ = engine.SetTrustedProxies(nil)
	// The agent's middleware records a panic and raises it again: what turns
	// it into an answer must be outside.
	engine.Use(recovery, agentgin.Middleware(a), deadline(timeout))
	engine.NoRoute(func(c *gin.Context) {
		Fail(c, a, &Error{Status: http.StatusNotFound, Message: "there is no such path"})
	})
	engine.NoMethod(func(c *gin.Context) {
		Fail(c, a, &Error{Status: http.StatusMethodNotAllowed, Message: "the path does not take this method"})
	})
	return engine
}

// Handle turns a function that returns an error into a gin handler.
func Handle(a *agent.Agent, f func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := f(c); err != nil {
			Fail(c, a, err)
		}
	}
}

// Fail answers the request with err. An [Error] is shown to the client; any
// other error is logged, attached to the request's span, and answered with 500
// without its text, which may tell about the inside.
func Fail(c *gin.Context, a *agent.Agent, err error) {
	var e *Error
	switch {
	case errors.As(err, &e):
	case errors.Is(c.Request.Context().Err(), context.Canceled):
		e = &Error{Status: statusClientGone, Message: "the client closed the request"}
	default:
		_ = c.Error(err) // the agent's middleware takes it from there
		level.Error(a.Logger(c.Request.Context())).Log(
			catalog.LogMessage, "request failed", catalog.LogRoute, c.FullPath(), catalog.LogError, err)
		e = &Error{Status: http.StatusInternalServerError, Message: "internal error"}
		if errors.Is(err, context.DeadlineExceeded) {
			e = &Error{Status: http.StatusGatewayTimeout, Message: "the request took too long"}
		}
	}
	body := gin.H{"error": e.Message}
	if e.Field != "" {
		body["field"] = e.Field
	}
	c.AbortWithStatusJSON(e.Status, body)
}

// deadline bounds the work for a request.
func deadline(timeout time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), timeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}

// recovery answers a panic with 500, if nothing has been written yet.
func recovery(c *gin.Context) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler, c.Writer.Written(): //nolint:errorlint // net/http compares it so
			// Half an answer must not look like a whole one: net/http cuts the
			// connection.
			panic(http.ErrAbortHandler)
		default:
			c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": "internal error"})
		}
	}()
	c.Next()
}
