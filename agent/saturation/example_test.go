package saturation_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/saturation"
)

// The collector alone, in a registry of the service's own.
func ExampleNewCollector() {
	collector, err := saturation.NewCollector(saturation.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := prometheus.NewRegistry()
	fmt.Println(registry.Register(collector))
	// Output: <nil>
}

// A limiter around a handler of net/http, which serves two requests at a time
// and lets none wait.
func ExampleLimiter_Middleware() {
	limiter, err := saturation.NewLimiter(saturation.LimiterConfig{Concurrency: 2, Queue: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	nested := 0
	var handler http.Handler
	handler = limiter.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if nested++; nested < 3 { // a request during the request
			handler.ServeHTTP(w, r)
		}
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Code, w.Header().Get("Retry-After"))
	// Output: 429 1
}

// A limiter as middleware of gin, for one group of routes.
func ExampleLimiter_Admit() {
	limiter, err := saturation.NewLimiter(saturation.LimiterConfig{Concurrency: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/healthz", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	shop := router.Group("/shop", func(c *gin.Context) {
		if !limiter.Admit(c.Writer, c.Request) {
			c.Abort()
			return
		}
		defer limiter.Release()
		c.Next()
	})
	shop.GET("/cart", func(c *gin.Context) {
		c.String(http.StatusOK, "%v of %v places are taken", limiter.Usage().Used, limiter.Usage().Limit)
	})

	w := httptest.NewRecorder()
	router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/shop/cart", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 1 of 64 places are taken
}
