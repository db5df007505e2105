package faults

import (
	"errors"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// errInjected is what a request fails with on purpose.
var errInjected = errors.New("this request fails on purpose: a drill has switched errors on")

// Middleware makes requests slow or fail, as far as that is on. A nil source
// passes everything on.
func (s *Source) Middleware(a *agent.Agent) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s == nil {
			return
		}
		on := s.Active()
		if on.Delay > 0 && (on.DelayRoute == "" || on.DelayRoute == c.FullPath()) && s.hits(Latency, on.DelayShare) {
			select {
			case <-time.After(on.Delay):
			case <-c.Request.Context().Done():
			}
		}
		if s.hits(Errors, on.ErrorShare) {
			web.Fail(c, a, errInjected)
		}
	}
}
