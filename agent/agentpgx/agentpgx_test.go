package agentpgx_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/codes"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/testpg"
)

var url string // of the server that all tests share

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	server, err := testpg.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	url = server.URL("postgres")
	if err := schema(url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func schema(url string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, agenttest.SQLSchema+`;
		create table users (id int primary key, name text);
		create table posts (id int primary key, author int references users);
		insert into users select i, 'user ' || i from generate_series(1, 50) i;
		insert into posts select i, i from generate_series(1, 20) i`)
	return err
}

func pool(t *testing.T, a *agent.Agent, limit int32) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = limit
	config.ConnConfig.Tracer = agentpgx.NewTracer(a)
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// request runs f in a measured server request.
func request(rec *agenttest.Recorder, f func(context.Context)) {
	handler := agenthttp.Middleware(rec.Agent(), agenthttp.WithRoute(func(*http.Request) string { return "/posts" }))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) }))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/posts", nil))
}

func TestAQueryIsASpanAndASeriesWithoutItsValues(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := pool(t, rec.Agent(), 2)
	var name string
	request(rec, func(ctx context.Context) {
		if err := db.QueryRow(ctx, "select name from users where id = $1 and name <> 'hunter2'", 7).Scan(&name); err != nil {
			t.Error(err)
		}
	})
	if name != "user 7" {
		t.Errorf("name %q", name)
	}
	span := rec.Spans()[0]
	const signature = "select name from users where id = ? and name <> ?"
	for key, want := range map[string]string{
		catalog.AttrDBSystemName: "postgresql", catalog.AttrDBOperationName: "SELECT", catalog.AttrDBQueryText: signature,
		catalog.AttrDBNamespace: "postgres", catalog.AttrServerAddress: "127.0.0.1", catalog.AttrDBRows: "1",
	} {
		if got := agenttest.Attribute(span, key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if span.Name() != "SELECT users" {
		t.Errorf("span %q", span.Name())
	}
	series := rec.Metric(catalog.DBClientOperationDuration)
	if len(series) != 1 || agenttest.Labels(series[0])[string(catalog.DBQuerySignature)] != signature {
		t.Errorf("series %v", series)
	}
	calls := make(map[string]float64)
	for _, m := range rec.Metric(catalog.HTTPServerComponentCalls) {
		calls[agenttest.Labels(m)["component"]] += m.GetCounter().GetValue()
	}
	if calls["db"] != 1 {
		t.Errorf("%v calls of db, want 1", calls["db"])
	}
}

func TestErrorsAreNamedBySQLState(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := pool(t, rec.Agent(), 2)
	if _, err := db.Exec(t.Context(), "select * from nowhere"); err == nil {
		t.Fatal("no error")
	}
	span := rec.Spans()[0]
	if got := agenttest.Attribute(span, catalog.AttrErrorType); got != "42P01" || span.Status().Code != codes.Error {
		t.Errorf("error type %q, status %v", got, span.Status())
	}
}

func TestABatchAndACopyAreOneOperationEach(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := pool(t, rec.Agent(), 2)
	batch := &pgx.Batch{}
	for i := range 10 {
		batch.Queue("select name from users where id = $1", i)
	}
	if err := db.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "create table if not exists copied (i int)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CopyFrom(t.Context(), pgx.Identifier{"copied"}, []string{"i"}, pgx.CopyFromRows([][]any{{1}, {2}})); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range rec.Spans() {
		names = append(names, s.Name()+" "+agenttest.Attribute(s, catalog.AttrDBBatchSize)+agenttest.Attribute(s, catalog.AttrDBRows))
	}
	// Preparing the statement of a batch is no query of the service's.
	want := []string{"BATCH SELECT users 10", "CREATE 0", `COPY "copied" 2`}
	if strings.Join(names, "|") != strings.Join(want, "|") {
		t.Errorf("spans %q, want %q", names, want)
	}
}

// TestNPlusOne runs the classic against PostgreSQL, and the forms that must not
// be taken for it.
func TestNPlusOne(t *testing.T) {
	t.Parallel()
	posts := func(ctx context.Context, t *testing.T, db *pgxpool.Pool) []int {
		rows, err := db.Query(ctx, "select author from posts order by id limit 20")
		if err != nil {
			t.Error(err)
			return nil
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			t.Error(err)
		}
		return ids
	}
	const author = "select name from users where id = $1"
	for name, c := range map[string]struct {
		run  func(context.Context, *testing.T, *pgxpool.Pool)
		want float64
	}{
		"twenty posts and the author of each": {want: 1, run: func(ctx context.Context, t *testing.T, db *pgxpool.Pool) {
			for _, id := range posts(ctx, t, db) {
				var name string
				if err := db.QueryRow(ctx, author, id).Scan(&name); err != nil {
					t.Error(err)
				}
			}
		}},
		"one JOIN": {run: func(ctx context.Context, t *testing.T, db *pgxpool.Pool) {
			rows, err := db.Query(ctx, "select u.name from posts p join users u on u.id = p.author")
			if err != nil {
				t.Error(err)
			}
			rows.Close()
		}},
		"one batch": {run: func(ctx context.Context, t *testing.T, db *pgxpool.Pool) {
			batch := &pgx.Batch{}
			for _, id := range posts(ctx, t, db) {
				batch.Queue(author, id)
			}
			if err := db.SendBatch(ctx, batch).Close(); err != nil {
				t.Error(err)
			}
		}},
		"a parallel fan-out": {run: func(ctx context.Context, t *testing.T, db *pgxpool.Pool) {
			ids := posts(ctx, t, db)[:8]
			var started, done sync.WaitGroup
			started.Add(len(ids))
			for _, id := range ids {
				done.Go(func() {
					conn, err := db.Acquire(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Release()
					started.Done()
					started.Wait()
					if _, err := conn.Exec(ctx, "select pg_sleep(0.05), name from users where id = $1", id); err != nil {
						t.Error(err)
					}
				})
			}
			done.Wait()
		}},
		"pages": {run: func(ctx context.Context, t *testing.T, db *pgxpool.Pool) {
			if _, err := db.Exec(ctx, "select 1"); err != nil {
				t.Error(err)
			}
			for page := range 10 {
				if _, err := db.Exec(ctx, "select id from posts order by id limit 5 offset $1", 5*page); err != nil {
					t.Error(err)
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := agenttest.New(t)
			db := pool(t, rec.Agent(), 10)
			request(rec, func(ctx context.Context) { c.run(ctx, t, db) })
			var got float64
			for _, m := range rec.Metric(catalog.DBClientNPlusOne) {
				got += m.GetCounter().GetValue()
			}
			if got != c.want {
				t.Errorf("%v findings, want %v", got, c.want)
			}
			warned := ""
			for _, line := range rec.Lines() {
				if strings.Contains(line, "N+1") {
					warned += line
				}
			}
			if c.want == 0 {
				if warned != "" {
					t.Errorf("warned: %s", warned)
				}
				return
			}
			for _, part := range []string{
				`count=20`, `db_query_signature="select name from users where id = ?"`, "(agentpgx_test.go:",
				`select name from users where id = ANY(?)`, `source="select author from posts order by id limit ?"`,
			} {
				if !strings.Contains(warned, part) {
					t.Errorf("the warning lacks %q: %s", part, warned)
				}
			}
		})
	}
}

func TestPoolStatisticsAreExportedByName(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	primary, replica := pool(t, rec.Agent(), 3), pool(t, rec.Agent(), 7)
	for name, p := range map[string]*pgxpool.Pool{"primary": primary, "replica": replica} {
		if err := agentpgx.ObservePool(rec.Agent(), name, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := agentpgx.ObservePool(rec.Agent(), "primary", primary); err == nil || !strings.Contains(err.Error(), `"primary"`) {
		t.Errorf("a second pool of the same name: %v", err)
	}
	conn, err := primary.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	limits, used := make(map[string]float64), make(map[string]float64)
	for _, m := range rec.Metric(catalog.DBClientConnectionsMax) {
		limits[agenttest.Labels(m)["pool"]] = m.GetGauge().GetValue()
	}
	for _, m := range rec.Metric(catalog.DBClientConnections) {
		if l := agenttest.Labels(m); l["state"] == "used" {
			used[l["pool"]] = m.GetGauge().GetValue()
		}
	}
	if limits["primary"] != 3 || limits["replica"] != 7 || used["primary"] != 1 || used["replica"] != 0 {
		t.Errorf("limits %v, used %v", limits, used)
	}
}

func TestANilAgentTracesNothing(t *testing.T) {
	t.Parallel()
	db := pool(t, nil, 2)
	var one int
	if err := db.QueryRow(t.Context(), "select 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("%d, %v", one, err)
	}
	if err := agentpgx.ObservePool(nil, "x", db); err != nil {
		t.Error(err)
	}
}
