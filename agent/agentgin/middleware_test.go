package agentgin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

func TestConformance(t *testing.T) {
	t.Parallel()
	agenttest.ExerciseHTTP(t, agenttest.HTTPAdapter{
		Route: "/items/:id",
		New: func(a *agent.Agent, h http.HandlerFunc) http.Handler {
			router := gin.New()
			router.Use(agentgin.Middleware(a))
			handler := func(c *gin.Context) { h(c.Writer, c.Request) }
			router.Any("/items/:id", handler)
			router.Handle("BREW", "/items/:id", handler)
			return router
		},
	})
}

func serve(router *gin.Engine, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestRecoveryInsideTheMiddlewareIsSeenAs500(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	router := gin.New()
	router.Use(agentgin.Middleware(rec.Agent()), gin.RecoveryWithWriter(nil))
	router.GET("/", func(*gin.Context) { panic("boom") })
	if w := serve(router, "/"); w.Code != http.StatusInternalServerError {
		t.Fatalf("status %d", w.Code)
	}
	if got := agenttest.Attribute(rec.Spans()[0], catalog.AttrHTTPStatusCode); got != "500" {
		t.Errorf("span's status %s, want 500", got)
	}
}

func TestAnErrorGivenToGinIsInTheSpanAndTheLog(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	router := gin.New()
	router.Use(agentgin.Middleware(rec.Agent()))
	router.GET("/", func(c *gin.Context) {
		_ = c.Error(errors.New("no stock left"))
		c.AbortWithStatus(http.StatusBadGateway)
	})
	serve(router, "/")
	if got := rec.Spans()[0].Status().Description; got != "no stock left" {
		t.Errorf("span's error %q", got)
	}
	if line := rec.Lines()[0]; !strings.Contains(line, `level=error`) || !strings.Contains(line, `err="no stock left"`) {
		t.Errorf("access log %q", line)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	router := gin.New()
	router.Use(agentgin.Middleware(rec.Agent(), agentgin.WithAccessLog(false),
		agentgin.WithSkip(func(c *gin.Context) bool { return c.FullPath() == "/healthz" })))
	router.GET("/healthz", func(c *gin.Context) {})
	router.GET("/", func(c *gin.Context) {})
	serve(router, "/healthz")
	serve(router, "/")
	if spans := rec.Spans(); len(spans) != 1 || spans[0].Name() != "GET /" {
		t.Errorf("%d spans, want one of GET /", len(spans))
	}
	if lines := rec.Lines(); len(lines) != 0 {
		t.Errorf("log lines %q, want none", lines)
	}
}
