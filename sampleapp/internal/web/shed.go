package web

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/saturation"
)

// retryAfter is when a client that was turned away may try again, in seconds.
const retryAfter = "1"

// Shed returns a middleware that serves what l admits and answers the rest
// with 429. With a nil limiter everything is admitted.
func Shed(a *agent.Agent, l *saturation.Limiter) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := l.Acquire(c.Request.Context())
		if errors.Is(err, saturation.ErrShed) {
			c.Header("Retry-After", retryAfter)
			err = &Error{Status: http.StatusTooManyRequests, Message: "too many requests at the moment, try again later"}
		}
		if err != nil {
			Fail(c, a, err)
			return
		}
		defer l.Release()
		c.Next()
	}
}
