package emitted_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/emitted"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

// pending are the metrics of the catalogue that nothing emits yet, with the
// reason. Whoever emits one drives it in drive, and takes it off the list.
func pending() map[string]string {
	return reasons(map[string][]catalog.Metric{})
}

// elsewhere are the metrics that need servers, load or time to be emitted, and
// are compared with the catalogue by the tests that have them.
func elsewhere() map[string]string {
	return reasons(map[string][]catalog.Metric{
		"agent/replication tests it on a primary with replicas": {
			catalog.DBReplicationLagSeconds, catalog.DBReplicationLagBytes, catalog.DBReplicationConnected, catalog.DBReplicationReceiver,
			catalog.DBReplicationReplayPaused, catalog.DBReplicationSlotRetained, catalog.DBReplicationSlotActive,
			catalog.DBReplicationWALPosition, catalog.DBReplicationPrimary, catalog.DBReplicationCollectErrors,
			catalog.DBRouterReads, catalog.DBRouterWait, catalog.DBRouterStaleAvoided, catalog.DBRouterInRotation,
		},
		"the sample application's links are tested there, and asked in the end-to-end test": {catalog.LinkReachable},
		"agent/saturation tests it over a window of time":                                   {catalog.ResourceSaturation},
		"agent/saturation tests it on services under load": {
			catalog.ServiceKneeRate, catalog.ServiceKneeRateError, catalog.ServiceKneeConcurrency, catalog.ServiceKneeServiceTime,
			catalog.ServiceHeadroom, catalog.ServiceLatencyCurve, catalog.LimiterDecisions,
		},
		"the sample application is not among this module's, its loadgen is asked in the end-to-end test": {
			catalog.BenchRequestDuration, catalog.BenchRequests, catalog.BenchOfferedRate, catalog.BenchRunInfo,
		},
	})
}

func reasons(metrics map[string][]catalog.Metric) map[string]string {
	list := map[string]string{}
	for reason, some := range metrics {
		for _, m := range some {
			list[m.Desc().Name] = reason
		}
	}
	return list
}

// foreign are families of the Go client's own collectors.
func foreign(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
}

// drive makes an agent and every adapter emit all they have.
func drive(t *testing.T) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	c := agent.Config{Service: "shop", Environment: "test", AdminAddr: agent.Off, Registry: registry}
	c.Logs.Console, c.Profiles.Address = io.Discard, "http://127.0.0.1:1" // where nobody listens
	c.Traces.Endpoint, c.Logs.Endpoint = c.Profiles.Address+"/v1/traces", c.Profiles.Address+"/v1/logs"
	a, err := agent.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	client := agenthttp.Transport(a, answering{})
	tracer := agentpgx.NewTracer(a)
	query := func(ctx context.Context, sql string, rows string) {
		ctx = tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: sql})
		tracer.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{CommandTag: pgconn.NewCommandTag(rows)})
	}
	work := func(ctx context.Context) error {
		query(ctx, "select id, author from posts", "SELECT 20")
		for range 20 { // an N+1 problem
			query(ctx, "select name from users where id = 5", "SELECT 1")
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://other.example/", nil)
		if err != nil {
			return err
		}
		response, err := client.RoundTrip(r)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := work(r.Context()); err != nil {
			t.Error(err)
		}
	})
	agenthttp.Middleware(a)(handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	_, err = agentgrpc.UnaryServerInterceptor(a)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/shop.Orders/Get"},
		func(ctx context.Context, _ any) (any, error) { return nil, work(ctx) })
	err = errors.Join(err, agentgrpc.UnaryClientInterceptor(a)(t.Context(), "/shop.Orders/Get", nil, nil, nil,
		func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }))
	err = errors.Join(err, agentjob.Run(t.Context(), a, agentjob.Job{Queue: "mail", Due: time.Now()}, work))
	err = errors.Join(err, agentjob.ObserveQueue(a, "mail", func(context.Context) (int64, time.Duration, error) { return 3, time.Second, nil }))
	err = errors.Join(err, agentjob.ObserveQueue(a, "broken", func(context.Context) (int64, time.Duration, error) { return 0, 0, errors.New("no") }))
	pool, poolErr := pgxpool.New(t.Context(), "postgres://127.0.0.1:1/shop")
	if err = errors.Join(err, poolErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db := sql.OpenDB(unconnected{})
	t.Cleanup(func() { _ = db.Close() })
	if err := errors.Join(agentpgx.ObservePool(a, "primary", pool), agentsql.ObserveDB(a, "replica", db)); err != nil {
		t.Fatal(err)
	}
	return registry
}

type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// unconnected is a database that never connects.
type unconnected struct{}

func (unconnected) Connect(context.Context) (driver.Conn, error) { return nil, errors.New("no") }
func (unconnected) Driver() driver.Driver                        { return nil }

func gather(t *testing.T, g prometheus.Gatherer) []*dto.MetricFamily {
	t.Helper()
	if _, err := g.Gather(); err != nil { // the first reading of a queue may fail, and is counted then
		t.Fatal(err)
	}
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func TestEmittedIsCatalogued(t *testing.T) {
	registry := drive(t)
	missing := pending()
	maps.Copy(missing, elsewhere())
	for _, problem := range emitted.Compare(catalog.All(), gather(t, registry), missing, foreign) {
		t.Error(problem)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !foreign(p.Metric) {
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	}
}

// TestPendingMetricsHaveNoEmitter finds what has been built and is still on the
// list, or is not driven by this test.
func TestPendingMetricsHaveNoEmitter(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	emitters, err := emitted.Emitters(os.DirFS(root), "agent/catalog", "agent", "sampleapp", "compose")
	if err != nil {
		t.Fatal(err)
	}
	for name, reason := range pending() {
		if files := emitters[name]; len(files) > 0 {
			t.Errorf("%s is named in %q, though %q: drive it in this test and take it off the list", name, files, reason)
		}
	}
	for _, m := range catalog.All() {
		if d := m.Desc(); !d.External && pending()[d.Name] == "" && len(emitters[d.Name]) == 0 {
			t.Errorf("nothing names %s", d.Name)
		}
	}
}

// TestCompareSeesEachKind of difference.
func TestCompareSeesEachKind(t *testing.T) {
	t.Parallel()
	good := func() (*prometheus.Registry, prometheus.Registerer) {
		r := prometheus.NewRegistry()
		return r, prometheus.WrapRegistererWith(prometheus.Labels{"service_name": "s", "deployment_environment_name": "e"}, r)
	}
	up, jobs := catalog.ExporterUp.Desc(), catalog.Jobs.Desc()
	own := []catalog.Metric{catalog.ExporterUp, catalog.Up}
	tests := map[string]struct {
		register func(r prometheus.Registerer)
		pending  map[string]string
		want     string
	}{
		"all is well": {
			register: func(r prometheus.Registerer) { gauge(r, up.Name, up.Help, "signal") },
		},
		"a name that is not catalogued": {
			register: func(r prometheus.Registerer) {
				gauge(r, up.Name, up.Help, "signal")
				gauge(r, jobs.Name, jobs.Help, "queue")
			},
			want: "jobs_total is emitted and not in the catalogue",
		},
		"a metric that is missing": {
			register: func(prometheus.Registerer) {}, want: "plumbline_exporter_up is in the catalogue and not emitted",
		},
		"another type": {
			register: func(r prometheus.Registerer) {
				c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: up.Name, Help: up.Help}, []string{"signal"})
				c.WithLabelValues("x")
				r.MustRegister(c)
			},
			want: "plumbline_exporter_up is a counter, the catalogue says gauge",
		},
		"another label": {
			register: func(r prometheus.Registerer) { gauge(r, up.Name, up.Help, "backend") },
			want:     `plumbline_exporter_up has the labels ["backend" "deployment_environment_name" "service_name"], the catalogue says ["deployment_environment_name" "service_name" "signal"]`,
		},
		"another help text": {
			register: func(r prometheus.Registerer) { gauge(r, up.Name, "Up.", "signal") },
			want:     `plumbline_exporter_up has the help text "Up.", the catalogue says "` + up.Help + `"`,
		},
		"a pending metric that is emitted": {
			register: func(r prometheus.Registerer) { gauge(r, up.Name, up.Help, "signal") },
			pending:  map[string]string{up.Name: "not built"}, want: "plumbline_exporter_up is emitted: take it off the list of what is not",
		},
		"a pending metric that does not exist": {
			register: func(r prometheus.Registerer) { gauge(r, up.Name, up.Help, "signal") },
			pending:  map[string]string{"nothing": "not built"}, want: "nothing is on the list of what is not emitted, and not in the catalogue",
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry, registerer := good()
			c.register(registerer)
			got := emitted.Compare(own, gather(t, registry), c.pending, foreign)
			if strings.Join(got, "\n") != c.want {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}

func gauge(r prometheus.Registerer, name, help, label string) {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
	g.WithLabelValues("x").Set(1)
	r.MustRegister(g)
}

func TestEmittersAreFound(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	found, err := emitted.Emitters(os.DirFS(root), "agent/catalog", "agent")
	if err != nil {
		t.Fatal(err)
	}
	if files := found[catalog.HTTPServerRequestDuration.Desc().Name]; !slices.Equal(files, []string{"agent/httpmetrics.go"}) {
		t.Errorf("the emitters of requests' durations are %q", files)
	}
	if len(found) < 20 {
		t.Errorf("emitters of %q", slices.Sorted(maps.Keys(found)))
	}
}
