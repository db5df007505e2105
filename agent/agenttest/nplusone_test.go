package agenttest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// failures is a test that notes how it fails.
type failures struct {
	agenttest.TB
	errors []string
}

func (*failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

// query does what a database adapter does.
func query(ctx context.Context, a *agent.Agent, signature string, rows int64) {
	_, call := a.StartCall(ctx, agent.CallInfo{Component: catalog.DB, Name: "SELECT", Query: signature})
	call.SetRows(rows)
	call.End(nil)
}

func TestNoNPlusOne(t *testing.T) {
	t.Parallel()
	const list, one = "select id from posts", "select name from authors where id = ?"
	loop := func(a *agent.Agent, rows, n int) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			query(r.Context(), a, list, int64(rows))
			for range n {
				query(r.Context(), a, one, 1)
			}
		}
	}
	tests := map[string]struct {
		config  func(*agent.Config)
		handler func(a *agent.Agent) http.Handler
		want    []string // parts of the one failure; none means that it passes
	}{
		"a loop over the rows of a list": {
			handler: func(a *agent.Agent) http.Handler { return agenthttp.Middleware(a)(loop(a, 20, 20)) },
			want: []string{
				"GET unknown has an N+1 problem: a query ran 20 times", "query:  " + one, "(nplusone_test.go:", "rows:   " + list,
				"fix:    ask once for all: select name from authors where id = ANY(?)",
			},
		},
		"one query for all rows": {
			handler: func(a *agent.Agent) http.Handler { return agenthttp.Middleware(a)(loop(a, 20, 1)) },
		},
		"no query at all": {
			handler: func(a *agent.Agent) http.Handler {
				return agenthttp.Middleware(a)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			},
			want: []string{"GET /posts ran no measured query", "the middleware of an agent"},
		},
		"a handler without middleware": {
			handler: func(a *agent.Agent) http.Handler { return loop(a, 20, 20) },
			want:    []string{"GET /posts ran no measured query"},
		},
		"a handler with a nil agent": {
			handler: func(*agent.Agent) http.Handler { return agenthttp.Middleware(nil)(loop(nil, 20, 20)) },
			want:    []string{"GET /posts ran no measured query"},
		},
		"queries without the request's context": {
			handler: func(a *agent.Agent) http.Handler {
				return agenthttp.Middleware(a)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					query(context.Background(), a, list, 20)
				}))
			},
			want: []string{"ran no measured query", "hand the request's context to each query"},
		},
		"an agent whose detection is off": {
			config:  func(c *agent.Config) { c.Metrics.NPlusOne = -1 },
			handler: func(a *agent.Agent) http.Handler { return agenthttp.Middleware(a)(loop(a, 20, 20)) },
			want:    []string{"ran no measured query", "leave Metrics.NPlusOne on"},
		},
		"too few rows to show anything": {
			handler: func(a *agent.Agent) http.Handler { return agenthttp.Middleware(a)(loop(a, 4, 4)) },
			want:    []string{"read 4 rows at most with one query", "5 or more"},
		},
		"few rows and a lower threshold": {
			config:  func(c *agent.Config) { c.Metrics.NPlusOne = 3 },
			handler: func(a *agent.Agent) http.Handler { return agenthttp.Middleware(a)(loop(a, 4, 4)) },
			want:    []string{"ran 4 times"},
		},
		"a failing handler": {
			handler: func(a *agent.Agent) http.Handler {
				return agenthttp.Middleware(a)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					query(r.Context(), a, list, 20)
					w.WriteHeader(http.StatusNotFound)
				}))
			},
			want: []string{"GET /posts answered 404"},
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []func(*agent.Config)
			if c.config != nil {
				options = append(options, c.config)
			}
			rec := agenttest.New(t, options...)
			f := &failures{TB: t}
			agenttest.NoNPlusOne(f, c.handler(rec.Agent()), httptest.NewRequest(http.MethodGet, "/posts", nil))
			if want := min(1, len(c.want)); len(f.errors) != want {
				t.Fatalf("failures %q, want %d", f.errors, want)
			}
			for _, part := range c.want {
				if !strings.Contains(f.errors[0], part) {
					t.Errorf("the failure lacks %q: %s", part, f.errors[0])
				}
			}
		})
	}
}

// A handler that asks for the author of each post by itself, and what a test
// says about it.
func ExampleNoNPlusOne() {
	t := exampleTB{} // a test has its testing.T
	rec := agenttest.New(t)
	handler := agenthttp.Middleware(rec.Agent())(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		query(r.Context(), rec.Agent(), "select author from posts", 8)
		for range 8 {
			query(r.Context(), rec.Agent(), "select name from authors where id = ?", 1)
		}
	}))
	agenttest.NoNPlusOne(t, handler, httptest.NewRequest(http.MethodGet, "/posts", nil))
	// Output:
	// the test fails: GET unknown has an N+1 problem: a query ran 8 times
}

// exampleTB stands in for the testing.T that an example does not have. It
// prints the beginning of a failure; the rest has times and line numbers.
type exampleTB struct{}

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

func (exampleTB) Errorf(format string, args ...any) {
	text, _, _ := strings.Cut(fmt.Sprintf(format, args...), ",")
	fmt.Println("the test fails:", text)
}
