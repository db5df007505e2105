package agent_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	kitlog "github.com/go-kit/log"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agentlog"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agentredis"
	"github.com/cacheu/plumbline/agent/agentsql"
)

// takesAnAgent returns the exported functions and methods of the adapters that
// have an *agent.Agent among their parameters, such as "agentgin.Middleware".
func takesAnAgent(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("agent*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the adapters are not there: %v", err)
	}
	found := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Name.IsExported() && hasAgent(f.Type.Params) {
				found[file.Name.Name+"."+f.Name.Name] = true
			}
		}
	}
	return found
}

func hasAgent(params *ast.FieldList) bool {
	for _, p := range params.List {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		if sel, ok := star.X.(*ast.SelectorExpr); ok && sel.Sel.Name == "Agent" {
			return true
		}
	}
	return false
}

var errMine = errors.New("mine")

// nilAdapters uses what each function returns for a nil agent. It must do what
// it would do without the adapter.
func nilAdapters() map[string]func(t *testing.T) {
	var a *agent.Agent
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	served := func(t *testing.T, h http.Handler) {
		t.Helper()
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil)); w.Body.String() != "hello" {
			t.Errorf("answer %d %q", w.Code, w.Body)
		}
	}
	mine := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, errMine) {
			t.Errorf("error %v, want the caller's own", err)
		}
	}
	return map[string]func(t *testing.T){
		"agentgin.Middleware": func(t *testing.T) {
			router := gin.New()
			router.Use(agentgin.Middleware(a))
			router.GET("/x", gin.WrapH(hello))
			served(t, router)
		},
		"agenthttp.Middleware": func(t *testing.T) { served(t, agenthttp.Middleware(a)(hello)) },
		"agenthttp.Transport": func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://other.example/", nil)
			response, err := agenthttp.Transport(a, answering{}).RoundTrip(r)
			if err != nil || response.Body.Close() != nil || len(r.Header) != 0 {
				t.Errorf("error %v, headers %v", err, r.Header)
			}
		},
		"agentgrpc.UnaryServerInterceptor": func(t *testing.T) {
			_, err := agentgrpc.UnaryServerInterceptor(a)(t.Context(), nil, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { return nil, errMine })
			mine(t, err)
		},
		"agentgrpc.StreamServerInterceptor": func(t *testing.T) {
			mine(t, agentgrpc.StreamServerInterceptor(a)(nil, nil, &grpc.StreamServerInfo{}, func(any, grpc.ServerStream) error { return errMine }))
		},
		"agentgrpc.UnaryClientInterceptor": func(t *testing.T) {
			mine(t, agentgrpc.UnaryClientInterceptor(a)(t.Context(), "/a/b", nil, nil, nil,
				func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return errMine }))
		},
		"agentgrpc.StreamClientInterceptor": func(t *testing.T) {
			_, err := agentgrpc.StreamClientInterceptor(a)(t.Context(), &grpc.StreamDesc{}, nil, "/a/b",
				func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
					return nil, errMine
				})
			mine(t, err)
		},
		"agentjob.Run": func(t *testing.T) {
			mine(t, agentjob.Run(t.Context(), a, agentjob.Job{}, func(context.Context) error { return errMine }))
		},
		"agentjob.Enqueue": func(t *testing.T) {
			mine(t, agentjob.Enqueue(t.Context(), a, "mail", func(context.Context) error { return errMine }))
		},
		"agentjob.Inject": func(t *testing.T) {
			if got := agentjob.Inject(t.Context(), a); got != nil {
				t.Errorf("injects %v", got)
			}
		},
		"agentjob.Extract": func(t *testing.T) {
			if ctx := agentjob.Extract(t.Context(), a, map[string]string{"traceparent": "x"}); ctx != t.Context() {
				t.Error("the context is another")
			}
		},
		"agentjob.ObserveQueue": func(t *testing.T) {
			if err := agentjob.ObserveQueue(a, "mail", func(context.Context) (int64, time.Duration, error) { panic("it is read") }); err != nil {
				t.Error(err)
			}
		},
		"agentlog.Logger": func(t *testing.T) {
			mine(t, agentlog.Logger(t.Context(), a, kitlog.LoggerFunc(func(...any) error { return errMine })).Log("k", "v"))
		},
		"agentlog.Writer": func(t *testing.T) {
			var b bytes.Buffer
			if n, err := agentlog.Writer(t.Context(), a, &b).Write([]byte("x")); n != 1 || err != nil || b.String() != "x" {
				t.Errorf("wrote %d, %v, %q", n, err, &b)
			}
		},
		"agentlog.Handler": func(t *testing.T) {
			var b bytes.Buffer
			if slog.New(agentlog.Handler(a, slog.NewTextHandler(&b, nil))).Info("hello"); !strings.Contains(b.String(), "msg=hello") {
				t.Errorf("logged %q", &b)
			}
		},
		"agentpgx.NewTracer": func(t *testing.T) {
			tracer := agentpgx.NewTracer(a)
			ctx := tracer.TraceQueryStart(t.Context(), nil, pgx.TraceQueryStartData{SQL: "select 1"})
			tracer.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{})
			tracer.TraceBatchEnd(tracer.TraceBatchStart(ctx, nil, pgx.TraceBatchStartData{Batch: &pgx.Batch{}}), nil, pgx.TraceBatchEndData{})
			if ctx != t.Context() {
				t.Error("the context is another")
			}
		},
		"agentpgx.ObservePool": func(t *testing.T) {
			if err := agentpgx.ObservePool(a, "primary", nil); err != nil {
				t.Error(err)
			}
		},
		"agentredis.NewHook": func(t *testing.T) {
			hook := agentredis.NewHook(a)
			mine(t, hook.ProcessHook(func(context.Context, redis.Cmder) error { return errMine })(t.Context(), redis.NewCmd(t.Context(), "get")))
			mine(t, hook.ProcessPipelineHook(func(context.Context, []redis.Cmder) error { return errMine })(t.Context(), nil))
		},
		"agentsql.Open": func(t *testing.T) {
			if _, err := agentsql.Open(a, "no such driver", ""); err == nil || !strings.Contains(err.Error(), "unknown driver") {
				t.Errorf("error %v, want that of database/sql", err)
			}
		},
		"agentsql.WrapConnector": func(t *testing.T) {
			if c := driver.Connector(nil); agentsql.WrapConnector(a, c) != c {
				t.Error("the connector is another")
			}
		},
		"agentsql.WrapDriver": func(t *testing.T) {
			if d := driver.Driver(nil); agentsql.WrapDriver(a, d) != d {
				t.Error("the driver is another")
			}
		},
		"agentsql.ObserveDB": func(t *testing.T) {
			if err := agentsql.ObserveDB(a, "primary", nil); err != nil {
				t.Error(err)
			}
		},
	}
}

// TestANilAgentInEveryAdapter calls every exported function of an adapter that
// takes an agent. A new one is to be added to the table.
func TestANilAgentInEveryAdapter(t *testing.T) {
	t.Parallel()
	there, calls := takesAnAgent(t), nilAdapters()
	for name := range calls {
		if !there[name] {
			t.Errorf("the table has %s, which is not there", name)
		}
	}
	for name := range there {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := calls[name]
			if call == nil {
				t.Fatal("add this function to the table")
			}
			call(t)
		})
	}
}
