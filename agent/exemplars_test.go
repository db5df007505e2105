package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agentredis"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// work is what a service does with every adapter: a request, a gRPC call and a
// job, each of which queries, reads the cache and calls another service.
type work struct {
	agent    *agent.Agent
	tracer   *agentpgx.Tracer
	redis    redis.ProcessHook
	client   http.RoundTripper
	rpc      grpc.UnaryClientInterceptor
	server   grpc.UnaryServerInterceptor
	handler  http.Handler
	failures int // every so many pieces of work fail
	done     int
}

var errWork = errors.New("it failed")

func newWork(a *agent.Agent) *work {
	w := &work{
		agent: a, tracer: agentpgx.NewTracer(a), failures: 97,
		redis:  agentredis.NewHook(a).ProcessHook(func(context.Context, redis.Cmder) error { return nil }),
		client: agenthttp.Transport(a, answering{}),
		rpc:    agentgrpc.UnaryClientInterceptor(a), server: agentgrpc.UnaryServerInterceptor(a),
	}
	w.handler = agenthttp.Middleware(a)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.inner(r.Context()); err != nil {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}))
	return w
}

// answering is a transport that answers every request.
type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(http.NoBody), Request: r}, nil
}

// inner makes one call of each kind.
func (w *work) inner(ctx context.Context) error {
	w.done++
	sql := fmt.Sprintf("select * from t%d where id = 5", w.done%3)
	w.tracer.TraceQueryEnd(w.tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: sql}), nil, pgx.TraceQueryEndData{})
	_ = w.redis(ctx, redis.NewCmd(ctx, "get", "key"))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://other.example/", nil)
	if err != nil {
		return err
	}
	response, err := w.client.RoundTrip(r)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	err = w.rpc(ctx, "/other.Service/Get", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil })
	if w.done%w.failures == 0 {
		return errWork
	}
	return err
}

// once does a piece of work of each kind.
func (w *work) once(ctx context.Context) {
	w.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
	_, _ = w.server(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/shop.Orders/Get"}, func(ctx context.Context, _ any) (any, error) { return nil, w.inner(ctx) })
	_ = agentjob.Run(ctx, w.agent, agentjob.Job{Queue: "mail"}, w.inner)
}

// exemplarOf finds the series of an exemplar in OpenMetrics text, and its trace.
var exemplarOf = regexp.MustCompile(`(?m)^([a-z_]+)_bucket\{.* # \{trace_id="([0-9a-f]{32})"\}`)

// TestEveryExemplarOfEveryMetricHasAStoredTrace is the promise of ADR 9 for each
// adapter: with 1 % head sampling, whatever /metrics shows can be opened.
func TestEveryExemplarOfEveryMetricHasAStoredTrace(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t, func(c *agent.Config) { c.Traces.SampleRatio = 0.01 })
	w := newWork(rec.Agent())
	const rounds = 400
	shown := map[string]map[string]bool{} // metric to its traces
	for range rounds {
		w.once(t.Context())
		if w.done%300 == 0 { // exemplars come and go; what was shown must stay
			collectExemplars(t, rec.Agent(), shown)
		}
	}
	collectExemplars(t, rec.Agent(), shown)
	stored := map[string]bool{}
	for _, s := range rec.Spans() {
		stored[s.SpanContext().TraceID().String()] = true
	}
	for metric, traces := range shown {
		for id := range traces {
			if !stored[id] {
				t.Errorf("%s shows trace %s, which is not stored", metric, id)
			}
		}
	}
	for _, m := range []catalog.Histogram{
		catalog.HTTPServerRequestDuration, catalog.HTTPClientRequestDuration, catalog.RPCServerDuration, catalog.RPCClientDuration,
		catalog.DBClientOperationDuration, catalog.JobDuration,
	} {
		if len(shown[m.Desc().Name]) == 0 {
			t.Errorf("%s has no exemplar at all", m.Desc().Name)
		}
	}
	if len(stored) > 3*rounds/2 {
		t.Errorf("%d of %d traces are stored: that is no sampling", len(stored), 3*rounds)
	}
}

func collectExemplars(t *testing.T, a *agent.Agent, shown map[string]map[string]bool) {
	t.Helper()
	text := scrape(t, a, "application/openmetrics-text; version=1.0.0")
	for _, m := range exemplarOf.FindAllStringSubmatch(text, -1) {
		if shown[m[1]] == nil {
			shown[m[1]] = map[string]bool{}
		}
		shown[m[1]][m[2]] = true
	}
}

// TestTracesOfFailedWorkAreKept for every kind of server work.
func TestTracesOfFailedWorkAreKept(t *testing.T) {
	t.Parallel()
	rec := unsampled(t)
	w := newWork(rec.Agent())
	for range 30 { // these take the exemplars of their buckets
		w.once(t.Context())
	}
	w.failures = 1
	before := len(rec.Spans())
	w.once(t.Context())
	var kept []string
	for _, s := range rec.Spans()[before:] {
		if reasons := agenttest.Attribute(s, catalog.AttrKept); reasons != "" {
			kept = append(kept, s.Name())
		}
	}
	if want := []string{"GET", "shop.Orders/Get", "process mail"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
}
