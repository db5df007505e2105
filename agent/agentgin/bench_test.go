package agentgin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/agenttest"
)

// BenchmarkMiddleware is one request through gin, without a network, bare and
// with the agent at two sampling ratios.
func BenchmarkMiddleware(b *testing.B) {
	for name, ratio := range map[string]float64{"bare": 0, "agent100": 1, "agent1": 0.01} {
		b.Run(name, func(b *testing.B) {
			router := gin.New()
			if ratio > 0 {
				rec := agenttest.New(b, func(c *agent.Config) { c.Traces.SampleRatio = ratio })
				router.Use(agentgin.Middleware(rec.Agent()))
			}
			router.GET("/items/:id", func(c *gin.Context) { c.Status(http.StatusNoContent) })
			r := httptest.NewRequest(http.MethodGet, "/items/7", nil)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				router.ServeHTTP(w, r)
			}
		})
	}
}
