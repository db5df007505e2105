package agentgin_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

func Example() {
	ctx := context.Background()
	a, err := agent.Start(ctx, agent.Config{
		Service:   "shop",
		AdminAddr: "127.0.0.1:0",                  // a free port; 127.0.0.1:9464 by default
		Logs:      agent.Logs{Console: os.Stderr}, // standard output by default
	})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Shutdown(ctx)

	router := gin.New()
	router.Use(agentgin.Middleware(a)) // metrics, trace, access log, profile labels
	router.GET("/hello/:name", func(c *gin.Context) {
		level.Debug(a.Logger(c.Request.Context())).Log("msg", "greeting", "name", c.Param("name"))
		c.String(http.StatusOK, "hello "+c.Param("name"))
	})

	server := httptest.NewServer(router) // yours: http.ListenAndServe(addr, router)
	defer server.Close()
	response, err := http.Get(server.URL + "/hello/Ada")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(string(body))
	// Output: hello Ada
}

// What a request leaves behind: a span named by its route, and an observation
// with the route, not the path, as a label.
func ExampleMiddleware() {
	rec := agenttest.New(exampleTB{})
	router := gin.New()
	router.Use(agentgin.Middleware(rec.Agent()))
	router.GET("/hello/:name", func(c *gin.Context) { c.String(http.StatusOK, "hello") })
	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/hello/Ada", nil))

	for _, span := range rec.Spans() {
		fmt.Println(span.Name(), agenttest.Attribute(span, catalog.AttrHTTPStatusCode))
	}
	for _, series := range rec.Metric(catalog.HTTPServerRequestDuration) {
		fmt.Println(agenttest.Labels(series)[string(catalog.HTTPRoute)], series.GetHistogram().GetSampleCount())
	}
	// Output:
	// GET /hello/:name 200
	// /hello/:name 1
}

// exampleTB stands in for the testing.T that an example does not have.
type exampleTB struct{}

func (exampleTB) Helper()                        {}
func (exampleTB) Cleanup(func())                 {}
func (exampleTB) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (exampleTB) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }
