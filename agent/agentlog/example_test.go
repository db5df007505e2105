package agentlog_test

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentlog"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// A service keeps its logger; what the logger costs each request becomes
// visible.
func Example() {
	rec := agenttest.New(exampleTB{}) // a service starts an agent
	mine := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: noTime})
	logger := slog.New(agentlog.Handler(rec.Agent(), mine))

	handler := agenthttp.Middleware(rec.Agent())(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logger.InfoContext(r.Context(), "greeting") // with the context, or nobody is charged
		logger.InfoContext(r.Context(), "greeted")
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))

	for _, m := range rec.Metric(catalog.HTTPServerComponentCalls) {
		if agenttest.Labels(m)[string(catalog.ComponentLabel)] == string(catalog.Log) {
			fmt.Println("calls into log:", m.GetCounter().GetValue())
		}
	}
	// Output:
	// level=INFO msg=greeting
	// level=INFO msg=greeted
	// calls into log: 2
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// exampleTB stands in for the testing.T that an example does not have.
type exampleTB struct{}

func (exampleTB) Helper()                        {}
func (exampleTB) Cleanup(func())                 {}
func (exampleTB) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (exampleTB) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }
