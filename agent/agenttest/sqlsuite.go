package agenttest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// SQLSchema makes what [ExerciseSQL] asks for, in PostgreSQL: 50 authors, of
// whom 20 have one article each, and an empty table.
const SQLSchema = `
	create table authors (id int primary key, name text not null);
	create table articles (id int primary key, author int not null references authors);
	create table notes (id int primary key, body text);
	insert into authors select i, 'author ' || i from generate_series(1, 50) i;
	insert into articles select i, i from generate_series(1, 20) i`

// SQLAdapter is an adapter under test.
type SQLAdapter struct {
	// Open opens a database that has [SQLSchema], measured with a, which may
	// be nil, through a pool of at most limit connections.
	Open func(tb testing.TB, a *agent.Agent, limit int) SQLDatabase
	// SeesRows says that the adapter sees when the caller reads a row, and so
	// does not charge to the database what the caller does between two rows.
	SeesRows bool
}

// SQLDatabase is what the suite does with a database. Queries have parameters
// in the form $1.
type SQLDatabase interface {
	// Exec runs a query that returns no rows.
	Exec(ctx context.Context, query string, args ...any) error
	// Query calls each, if it is not nil, with the first column of each row
	// while the rows are open, and returns the number of rows.
	Query(ctx context.Context, each func(id int), query string, args ...any) (int, error)
	// Prepared runs a statement, prepared once, with each of the arguments.
	Prepared(ctx context.Context, query string, args []int) error
	// Batch runs "select name from authors where id = $1" for all ids in one
	// round trip, in whatever form the adapter's library has for it.
	Batch(ctx context.Context, ids []int) error
	// Tx runs a query in a transaction that is committed or rolled back.
	Tx(ctx context.Context, commit bool, query string, args ...any) error
	// Observe exports the statistics of the pool.
	Observe(a *agent.Agent, name string) error
	// Hold takes a connection out of the pool until it is released.
	Hold(ctx context.Context) (release func(), err error)
	// Close closes the pool.
	Close()
}

// ExerciseSQL runs the rules that every SQL adapter must follow against one, on
// a real server.
func ExerciseSQL(t *testing.T, adapter SQLAdapter) {
	t.Helper()
	for name, rule := range map[string]func(*testing.T, SQLAdapter){
		"a query is a span and a series without its values":   sqlQuery,
		"a query without rows is no error and has none":       sqlNoRows,
		"what changes rows is an operation":                   sqlExec,
		"a prepared statement is an operation for each run":   sqlPrepared,
		"a transaction is its beginning, queries and end":     sqlTx,
		"an error is named by its SQL state, without text":    sqlError,
		"a query that is cancelled says so":                   sqlCancelled,
		"a query that takes too long says so":                 sqlTimeout,
		"no literal and no argument leaves the process":       sqlLiterals,
		"a pool's statistics are exported by its name":        sqlPool,
		"a nil agent only passes on":                          sqlNilAgent,
		"no goroutine is left":                                sqlGoroutines,
		"time between rows is the caller's own":               sqlBetweenRows,
		"an operation outside of a request is a trace itself": sqlOutside,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rule(t, adapter)
		})
	}
	t.Run("N+1", func(t *testing.T) {
		t.Parallel()
		exerciseNPlusOne(t, adapter)
	})
}

// open opens a database for the time of a test.
func (s SQLAdapter) open(t *testing.T, a *agent.Agent, limit int) SQLDatabase {
	t.Helper()
	db := s.Open(t, a, limit)
	t.Cleanup(db.Close)
	return db
}

// request runs f in a measured request and returns the spans that ended before
// the request's own, and that one.
func (r *Recorder) request(f func(context.Context)) (inner []sdktrace.ReadOnlySpan, root sdktrace.ReadOnlySpan) {
	r.tb.Helper()
	request, in := r.agent.StartRequest(httptest.NewRequest(http.MethodGet, "/articles", nil), "/articles")
	f(in.Context())
	request.End(agent.Response{})
	spans := r.Spans()
	if len(spans) == 0 {
		r.tb.Fatalf("no span, not even the request's")
	}
	return spans[:len(spans)-1], spans[len(spans)-1]
}

// component returns the seconds and calls that requests were charged with.
func (r *Recorder) component(c catalog.Component) (seconds, calls float64) {
	r.tb.Helper()
	for _, m := range r.Metric(catalog.HTTPServerComponentSeconds) {
		if Labels(m)[string(catalog.ComponentLabel)] == string(c) {
			seconds += m.GetCounter().GetValue()
		}
	}
	for _, m := range r.Metric(catalog.HTTPServerComponentCalls) {
		if Labels(m)[string(catalog.ComponentLabel)] == string(c) {
			calls += m.GetCounter().GetValue()
		}
	}
	return seconds, calls
}

// only returns the one span of a list.
func only(t *testing.T, spans []sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan {
	t.Helper()
	if len(spans) != 1 {
		t.Fatalf("spans %q, want one", names(spans))
	}
	return spans[0]
}

func names(spans []sdktrace.ReadOnlySpan) []string {
	names := make([]string, len(spans))
	for i, s := range spans {
		names[i] = s.Name()
	}
	return names
}

func sqlQuery(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	spans, root := rec.request(func(ctx context.Context) {
		n, err := db.Query(ctx, nil, "select id from authors where id <= $1 and name <> 'nobody' -- why", 7)
		if err != nil || n != 7 {
			t.Errorf("%d rows, error %v", n, err)
		}
	})
	const signature = "select id from authors where id <= ? and name <> ?"
	span := only(t, spans)
	for key, want := range map[string]string{
		catalog.AttrDBSystemName: "postgresql", catalog.AttrDBOperationName: "SELECT", catalog.AttrDBQueryText: signature,
		catalog.AttrDBNamespace: "postgres", catalog.AttrServerAddress: "127.0.0.1", catalog.AttrDBRows: "7",
	} {
		if got := Attribute(span, key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if span.Name() != "SELECT authors" || span.Parent().SpanID() != root.SpanContext().SpanID() || span.Status().Code != codes.Unset {
		t.Errorf("span %q under %s with status %v", span.Name(), span.Parent().SpanID(), span.Status())
	}
	series := rec.Metric(catalog.DBClientOperationDuration)
	if len(series) != 1 || series[0].GetHistogram().GetSampleCount() != 1 {
		t.Fatalf("series %v, want one with one observation", series)
	}
	want := map[string]string{
		string(catalog.ServiceName): "test", string(catalog.DBSystemName): "postgresql",
		string(catalog.DBOperationName): "SELECT", string(catalog.DBQuerySignature): signature,
	}
	if got := Labels(series[0]); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("labels %v, want %v", got, want)
	}
	if seconds, calls := rec.component(catalog.DB); seconds <= 0 || calls != 1 {
		t.Errorf("%v s in %v calls of db, want some in 1", seconds, calls)
	}
}

func sqlNoRows(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	spans, _ := rec.request(func(ctx context.Context) {
		if n, err := db.Query(ctx, nil, "select id from authors where id = $1", -1); err != nil || n != 0 {
			t.Errorf("%d rows, error %v", n, err)
		}
	})
	if span := only(t, spans); Attribute(span, catalog.AttrDBRows) != "0" || span.Status().Code != codes.Unset {
		t.Errorf("%s rows, status %v", Attribute(span, catalog.AttrDBRows), span.Status())
	}
}

func sqlExec(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	spans, _ := rec.request(func(ctx context.Context) {
		if err := db.Exec(ctx, "update authors set name = name where id = $1", 3); err != nil {
			t.Error(err)
		}
	})
	if span := only(t, spans); span.Name() != "UPDATE authors" || Attribute(span, catalog.AttrDBOperationName) != "UPDATE" {
		t.Errorf("span %q", span.Name())
	}
}

func sqlPrepared(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	spans, _ := rec.request(func(ctx context.Context) {
		if err := db.Prepared(ctx, "select id from authors where id = $1", []int{1, 2, 3}); err != nil {
			t.Error(err)
		}
	})
	if got := strings.Join(names(spans), ", "); got != "SELECT authors, SELECT authors, SELECT authors" {
		t.Fatalf("spans %q", got)
	}
	if got := Attribute(spans[2], catalog.AttrDBQueryText); got != "select id from authors where id = ?" {
		t.Errorf("signature %q", got)
	}
	if _, calls := rec.component(catalog.DB); calls != 3 {
		t.Errorf("%v calls of db, want 3", calls)
	}
}

func sqlTx(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	for i, c := range []struct {
		commit bool
		end    string
		rows   int
	}{{true, "COMMIT", 1}, {false, "ROLLBACK", 0}} {
		if err := db.Exec(t.Context(), "delete from notes where id = $1", i); err != nil { // of a run before
			t.Fatal(err)
		}
		before := len(rec.Spans())
		spans, _ := rec.request(func(ctx context.Context) {
			if err := db.Tx(ctx, c.commit, "insert into notes values ($1, 'x')", i); err != nil {
				t.Error(err)
			}
		})
		if got := strings.Join(names(spans[before:]), ", "); got != "BEGIN, INSERT notes, "+c.end {
			t.Errorf("spans %q", got)
		}
		if n, err := db.Query(t.Context(), nil, "select id from notes where id = $1", i); err != nil || n != c.rows {
			t.Errorf("after %s there are %d rows, want %d (error %v)", c.end, n, c.rows, err)
		}
	}
}

func sqlOutside(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	if err := db.Exec(t.Context(), "select 1"); err != nil {
		t.Fatal(err)
	}
	if span := only(t, rec.Spans()); span.Name() != "SELECT" || span.Parent().IsValid() {
		t.Errorf("span %q under %v", span.Name(), span.Parent())
	}
	if m := rec.Metric(catalog.HTTPServerComponentCalls); m != nil {
		t.Errorf("charged %v", m)
	}
}

// sqlBetweenRows compares with the clock, and holds on any machine: a request
// cannot have been in the database while the caller worked on a row.
func sqlBetweenRows(t *testing.T, adapter SQLAdapter) {
	if !adapter.SeesRows {
		return // there is no rule for what cannot be seen
	}
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	var work time.Duration
	start := time.Now()
	rec.request(func(ctx context.Context) {
		_, err := db.Query(ctx, func(int) {
			at := time.Now()
			<-time.After(10 * time.Millisecond)
			work += time.Since(at)
		}, "select id from articles where id <= 5")
		if err != nil {
			t.Error(err)
		}
	})
	rest := time.Since(start) - work
	seconds, _ := rec.component(catalog.DB)
	if seconds > rest.Seconds() || seconds <= 0 {
		t.Errorf("%v s in the database, but all but the work on rows took %v s", seconds, rest.Seconds())
	}
	h := rec.Metric(catalog.DBClientOperationDuration)[0].GetHistogram()
	if h.GetSampleSum() > rest.Seconds() {
		t.Errorf("the operation took %v s, but all but the work on rows took %v s", h.GetSampleSum(), rest.Seconds())
	}
}

func sqlNilAgent(t *testing.T, adapter SQLAdapter) {
	db := adapter.open(t, nil, 2)
	if n, err := db.Query(t.Context(), nil, "select id from articles"); err != nil || n != 20 {
		t.Errorf("%d rows, error %v", n, err)
	}
	if err := db.Tx(t.Context(), false, "insert into notes values (99, 'x')"); err != nil {
		t.Error(err)
	}
	if err := db.Observe(nil, "primary"); err != nil {
		t.Error(err)
	}
}

func sqlGoroutines(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	leaktest.Run(t, func() {
		db := adapter.Open(t, rec.Agent(), 4)
		defer db.Close()
		rec.request(func(ctx context.Context) {
			if _, err := db.Query(ctx, nil, "select id from articles"); err != nil {
				t.Error(err)
			}
			ctx, cancel := context.WithCancel(ctx)
			if _, err := db.Query(ctx, func(int) { cancel() }, "select id from articles"); err == nil {
				t.Log("all rows were read before the cancellation was seen")
			}
			if err := db.Tx(t.Context(), true, "update authors set name = name where id = 1"); err != nil {
				t.Error(err)
			}
		})
	})
}
