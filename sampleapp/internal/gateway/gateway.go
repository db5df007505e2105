// Package gateway is the role that the world talks to: it passes the shop's
// routes on to the api, and answers everything else itself.
//
// Routes are listed one by one, so that each has a template in metrics and
// traces, and so that a path that is not offered never reaches the api. A
// request's trace continues in the api. The gateway keeps no state.
package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// timeout bounds one request, the api's part included. It is longer than the
// api's own, so that the api's answer about what took too long arrives.
const timeout = 10 * time.Second

// Route is a method and a path template, in gin's spelling.
type Route struct {
	Method, Path string
}

// Routes returns what the gateway offers.
func Routes() []Route {
	return []Route{
		{http.MethodGet, "/api/users/:id"},
		{http.MethodGet, "/api/products"},
		{http.MethodGet, "/api/products/:id"},
		{http.MethodGet, "/api/orders"},
		{http.MethodPost, "/api/orders"},
		{http.MethodGet, "/api/posts"},
		{http.MethodPost, "/api/invites"},
	}
}

// New returns the gateway's handler. api is the base URL of the api; next
// carries the requests to it, nil means [http.DefaultTransport].
func New(a *agent.Agent, api *url.URL, next http.RoundTripper) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: agenthttp.Transport(a, next),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(api)
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			// ServeHTTP below put the gin context there to get it back here.
			if c, ok := r.Context().Value(contextKey{}).(*gin.Context); ok {
				fail(c, a, err)
			}
		},
	}
	forward := func(c *gin.Context) {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, web.MaxBody)
		ctx := context.WithValue(c.Request.Context(), contextKey{}, c)
		proxy.ServeHTTP(c.Writer, c.Request.WithContext(ctx))
	}
	engine := web.NewEngine(a, timeout)
	for _, r := range Routes() {
		engine.Handle(r.Method, r.Path, forward)
	}
	return engine
}

type contextKey struct{}

// fail answers for an api that did not.
func fail(c *gin.Context, a *agent.Agent, err error) {
	var tooLarge *http.MaxBytesError
	switch ctx := c.Request.Context(); {
	case errors.As(err, &tooLarge):
		web.Fail(c, a, web.TooLarge(tooLarge))
	case ctx.Err() != nil:
		web.Fail(c, a, ctx.Err())
	default:
		_ = c.Error(err)
		level.Error(a.Logger(ctx)).Log(catalog.LogMessage, "the api did not answer",
			catalog.LogRoute, c.FullPath(), catalog.LogError, err)
		web.Fail(c, a, &web.Error{Status: http.StatusBadGateway, Message: "the api did not answer"})
	}
}
