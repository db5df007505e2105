package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent/saturation"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

func TestShedAnswers429AsJSON(t *testing.T) {
	t.Parallel()
	limiter, err := saturation.NewLimiter(saturation.LimiterConfig{Concurrency: 1, Queue: -1})
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.GET("/", web.Shed(nil, limiter), func(c *gin.Context) { c.Status(http.StatusNoContent) })
	ask := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w
	}
	if w := ask(); w.Code != http.StatusNoContent {
		t.Errorf("with a place free it answers %d", w.Code)
	}
	if err := limiter.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := ask()
	if want := `{"error":"too many requests at the moment, try again later"}`; w.Code != http.StatusTooManyRequests || w.Body.String() != want || w.Header().Get("Retry-After") != "1" {
		t.Errorf("answers %d %q, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
	}
	limiter.Release()
	if w := ask(); w.Code != http.StatusNoContent {
		t.Errorf("with the place free again it answers %d", w.Code)
	}
}
