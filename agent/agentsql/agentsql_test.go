package agentsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// request runs f in a measured server request.
func request(a *agent.Agent, f func(context.Context)) {
	handler := agenthttp.Middleware(a, agenthttp.WithRoute(func(*http.Request) string { return "/x" }))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) }))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", nil))
}

func calls(rec *agenttest.Recorder, c catalog.Component) (n float64) {
	for _, m := range rec.Metric(catalog.HTTPServerComponentCalls) {
		if agenttest.Labels(m)[string(catalog.ComponentLabel)] == string(c) {
			n += m.GetCounter().GetValue()
		}
	}
	return n
}

// describe renders spans as "name error-type rows".
func describe(spans []sdktrace.ReadOnlySpan) string {
	var all []string
	for _, s := range spans {
		all = append(all, strings.TrimSpace(s.Name()+" "+agenttest.Attribute(s, catalog.AttrErrorType)+" "+agenttest.Attribute(s, catalog.AttrDBRows)))
	}
	return strings.Join(all, ", ")
}

// TestAQueryThatIsDeclinedIsOneOperation: a driver that answers ErrSkip, as
// MySQL's does for every query with arguments, has the query prepared.
func TestAQueryThatIsDeclinedIsOneOperation(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query string
		args  []any
		want  string
		calls float64
	}{
		"prepared and run":              {"select skip from t", nil, "SELECT t  2, GET /x", 1},
		"preparing fails":               {"select skip, unpreparable from t", nil, "SELECT t _OTHER, GET /x", 1},
		"running fails":                 {"select skip, break from t", nil, "SELECT t _OTHER, GET /x", 1},
		"the arguments do not fit":      {"select skip from t", []any{1}, "SELECT t not_run, GET /x", 1},
		"not declined":                  {"select 1 from t", nil, "SELECT t  2, GET /x", 1},
		"the connection broke, 2 times": {"select bad from t", nil, "SELECT t connection, SELECT t connection, SELECT t  2, GET /x", 3},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := agenttest.New(t)
			db := sql.OpenDB(agentsql.WrapConnector(rec.Agent(), &fake{shape: shapes - 1, stmts: true}))
			defer db.Close()
			request(rec.Agent(), func(ctx context.Context) {
				rows, err := db.QueryContext(ctx, c.query, c.args...)
				if err != nil {
					return
				}
				for rows.Next() {
				}
			})
			if got := describe(rec.Spans()); got != c.want {
				t.Errorf("spans %q, want %q", got, c.want)
			}
			if got := calls(rec, catalog.DB); got != c.calls {
				t.Errorf("%v calls of db, want %v", got, c.calls)
			}
			if len(rec.Metric(catalog.DBClientOperationDuration)) != 1 {
				t.Error("the operation is in no or in several series")
			}
		})
	}
}

func TestADeclinedChangeIsOneOperation(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := sql.OpenDB(agentsql.WrapConnector(rec.Agent(), &fake{shape: shapes - 1}))
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "update skip set x = 1"); err != nil {
		t.Fatal(err)
	}
	if got := describe(rec.Spans()); got != "UPDATE skip  0" {
		t.Errorf("spans %q", got)
	}
}

// TestADriverThatIsAskedForNothingAfterItDeclined: whoever uses the wrapper
// without database/sql may do so, and the operation must end all the same.
func TestADriverThatIsAskedForNothingAfterItDeclined(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	conn, err := agentsql.WrapConnector(rec.Agent(), &fake{shape: shapes - 1}).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := conn.(driver.QueryerContext).QueryContext(t.Context(), "select skip from a", nil); err != driver.ErrSkip {
			t.Fatal(err)
		}
	}
	if _, err := conn.Prepare("select 1 from b"); err != nil {
		t.Fatal(err)
	}
	if got := describe(rec.Spans()); got != "SELECT a not_run, SELECT a not_run" {
		t.Errorf("spans %q", got)
	}
}

// TestDifferentPlacesAreNoLoop runs one query over and over, as a loop would,
// but from different lines.
func TestDifferentPlacesAreNoLoop(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := open(t, rec.Agent(), 2)
	defer db.Close()
	const one = "select name from authors where id = $1"
	request(rec.Agent(), func(ctx context.Context) {
		rows, err := db.QueryContext(ctx, "select id from articles")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = read(rows, nil)
		var name string
		_ = db.QueryRowContext(ctx, one, 1).Scan(&name)
		_ = db.QueryRowContext(ctx, one, 2).Scan(&name)
		_ = db.QueryRowContext(ctx, one, 3).Scan(&name)
		_ = db.QueryRowContext(ctx, one, 4).Scan(&name)
		_ = db.QueryRowContext(ctx, one, 5).Scan(&name)
		_ = db.QueryRowContext(ctx, one, 6).Scan(&name)
		if name != "author 6" {
			t.Errorf("name %q", name)
		}
	})
	if m := rec.Metric(catalog.DBClientNPlusOne); m != nil {
		t.Errorf("findings %v", m)
	}
}

// failures is a test that notes how it fails.
type failures struct {
	agenttest.TB
	errors []string
}

func (*failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

// TestAUsersOwnTestFindsTheProblem is [agenttest.NoNPlusOne] on a real
// database.
func TestAUsersOwnTestFindsTheProblem(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := open(t, rec.Agent(), 4)
	defer db.Close()
	handler := func(query string, each func(ctx context.Context, id int)) http.Handler {
		return agenthttp.Middleware(rec.Agent())(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			rows, err := db.QueryContext(r.Context(), query)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := read(rows, func(id int) { each(r.Context(), id) }); err != nil {
				t.Error(err)
			}
		}))
	}
	for name, c := range map[string]struct {
		handler http.Handler
		want    string
	}{
		"a query for each row": {
			handler: handler("select author from articles", func(ctx context.Context, id int) {
				var name string
				if err := db.QueryRowContext(ctx, "select name from authors where id = $1", id).Scan(&name); err != nil {
					t.Error(err)
				}
			}),
			want: "a query ran 20 times",
		},
		"a join": {handler: handler("select u.id from articles p join authors u on u.id = p.author", func(context.Context, int) {})},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failures{TB: t}
			agenttest.NoNPlusOne(f, c.handler, httptest.NewRequest(http.MethodGet, "/articles", nil))
			if got := strings.Join(f.errors, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("failures %q, want %q", got, c.want)
			}
		})
	}
}

// TestReadingThatTheContextEndsSaysSo: the caller has one row and does nothing
// more, so that database/sql closes the rows when the context ends.
func TestReadingThatTheContextEndsSaysSo(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := sql.OpenDB(agentsql.WrapConnector(rec.Agent(), &fake{shape: shapes - 1}))
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := db.QueryContext(ctx, "select 1 from t")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	cancel()
	leaktest.Eventually(t, "the operation ends", func() bool { return len(rec.Spans()) == 1 })
	if got := describe(rec.Spans()); got != "SELECT t canceled" {
		t.Errorf("spans %q", got)
	}
}

func TestOptionsAreInTheSpan(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := sql.OpenDB(agentsql.WrapConnector(rec.Agent(), &fake{shape: shapes - 1},
		agentsql.WithSystem("mysql"), agentsql.WithServer("db.internal", 3306), agentsql.WithDatabase("shop"),
		agentsql.WithErrorClass(func(err error) string {
			if errors.Is(err, errFake) {
				return "1062"
			}
			return ""
		})))
	defer db.Close()
	if err := db.PingContext(t.Context()); !errors.Is(err, errFake) {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		catalog.AttrDBSystemName: "mysql", catalog.AttrServerAddress: "db.internal", catalog.AttrServerPort: "3306",
		catalog.AttrDBNamespace: "shop", catalog.AttrErrorType: "1062", catalog.AttrDBOperationName: "PING",
	} {
		if got := agenttest.Attribute(rec.Spans()[0], key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
}

func TestAnUnlimitedPoolHasNoLimit(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	db := open(t, rec.Agent(), 0)
	defer db.Close()
	if err := agentsql.ObserveDB(rec.Agent(), "p", db); err != nil {
		t.Fatal(err)
	}
	if m := rec.Metric(catalog.DBClientConnectionsMax); m != nil {
		t.Errorf("limit %v", m)
	}
	if n := len(rec.Metric(catalog.DBClientConnections)); n != 2 {
		t.Errorf("%d states, want 2", n)
	}
}

func TestARegisteredDriverIsMeasured(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	wrapped := agentsql.WrapDriver(rec.Agent(), stdlib.GetDefaultDriver())
	if _, ok := wrapped.(driver.DriverContext); !ok {
		t.Error("the wrapper has lost OpenConnector")
	}
	name := fmt.Sprintf("pgx, measured by %p", rec) // there is no unregistering
	sql.Register(name, wrapped)
	db, err := sql.Open(name, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	span := rec.Spans()[0]
	if got := agenttest.Attribute(span, catalog.AttrDBSystemName) + " " + agenttest.Attribute(span, catalog.AttrDBNamespace); got != "postgresql postgres" {
		t.Errorf("%q", got)
	}
	if _, ok := agentsql.WrapDriver(rec.Agent(), fakeDriver{}).(driver.DriverContext); ok {
		t.Error("the wrapper has an OpenConnector that the driver lacks")
	}
	if _, err := agentsql.WrapDriver(rec.Agent(), fakeDriver{}).Open("x"); !errors.Is(err, errFake) {
		t.Errorf("error %v, want the driver's", err)
	}
}

type closingConnector struct {
	*fake
	closed bool
}

func (c *closingConnector) Close() error {
	c.closed = true
	return errFake
}

func TestTheConnectorsCloseIsCalled(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	c := &closingConnector{fake: &fake{}}
	if err := sql.OpenDB(agentsql.WrapConnector(rec.Agent(), c)).Close(); !errors.Is(err, errFake) || !c.closed {
		t.Errorf("closed %v, error %v", c.closed, err)
	}
	if _, ok := agentsql.WrapConnector(rec.Agent(), &fake{}).(io.Closer); ok {
		t.Error("the wrapper has a Close that the connector lacks")
	}
	if got := agentsql.WrapConnector(rec.Agent(), c).Driver(); got != (fakeDriver{}) {
		t.Errorf("the driver is %T", got)
	}
}

func TestOpenFailsAsDatabaseSQLDoes(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	_, want := sql.Open("no such driver", "x")
	_, got := agentsql.Open(rec.Agent(), "no such driver", "x")
	if got == nil || got.Error() != want.Error() {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestANilAgentWrapsNothing(t *testing.T) {
	t.Parallel()
	c := &fake{}
	if got := agentsql.WrapConnector(nil, c); got != driver.Connector(c) {
		t.Errorf("WrapConnector = %T", got)
	}
	if got := agentsql.WrapDriver(nil, fakeDriver{}); got != driver.Driver(fakeDriver{}) {
		t.Errorf("WrapDriver = %T", got)
	}
	if got := agentsql.Unwrap(c); got != any(c) {
		t.Errorf("Unwrap = %T", got)
	}
}
