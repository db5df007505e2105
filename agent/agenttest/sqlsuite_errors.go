package agenttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// secret is what must not be found anywhere.
const secret = "hunter2"

func sqlError(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	for query, state := range map[string]string{
		"select * from nowhere":             "42P01", // undefined table
		"insert into articles values (1,1)": "23505", // unique violation
		"select 1/(id-id) from articles":    "22012", // division by zero
	} {
		before := len(rec.Spans())
		spans, _ := rec.request(func(ctx context.Context) {
			if _, err := db.Query(ctx, nil, query); err == nil {
				t.Errorf("%s: no error", query)
			}
		})
		span := only(t, spans[before:])
		if got := Attribute(span, catalog.AttrErrorType); got != state || span.Status().Code != codes.Error {
			t.Errorf("%s: error type %q, status %v; want %s", query, got, span.Status(), state)
		}
		if got := span.Status().Description; got != state {
			t.Errorf("%s: the span's error is %q, want the class alone", query, got)
		}
	}
}

// sqlCancelled cancels when the server is at it.
func sqlCancelled(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db, other := adapter.open(t, rec.Agent(), 2), adapter.open(t, nil, 1)
	const query = "select pg_sleep(60), 'cancelled by a test'"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	var spans []sdktrace.ReadOnlySpan
	go func() {
		var err error
		spans, _ = rec.request(func(request context.Context) {
			request, stop := context.WithCancel(request)
			defer stop()
			defer context.AfterFunc(ctx, stop)() // the request's context ends with ctx
			err = db.Exec(request, query)
		})
		done <- err
	}()
	leaktest.Eventually(t, "the query runs", func() bool {
		n, err := other.Query(t.Context(), nil, `select 1 from pg_stat_activity
			where state = 'active' and query like '%cancelled by a test%' and pid <> pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	span := only(t, spans)
	if got := Attribute(span, catalog.AttrErrorType); got != "canceled" || span.Status().Code != codes.Error {
		t.Errorf("error type %q, status %v", got, span.Status())
	}
}

func sqlTimeout(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 2)
	if err := db.Exec(t.Context(), "select 1"); err != nil { // a connection is there
		t.Fatal(err)
	}
	spans, _ := rec.request(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if err := db.Exec(ctx, "select pg_sleep(60)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
	span := only(t, spans[1:])
	if got := Attribute(span, catalog.AttrErrorType); got != "timeout" {
		t.Errorf("error type %q", got)
	}
	if h := rec.Metric(catalog.DBClientOperationDuration); len(h) != 2 {
		t.Errorf("%d series, want one for each of two signatures", len(h))
	}
}

// sqlLiterals runs queries with a secret at every place, and searches all that
// was recorded for it.
func sqlLiterals(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	db := adapter.open(t, rec.Agent(), 4)
	rec.request(func(ctx context.Context) {
		for _, query := range []string{
			"select id from authors where name = 'hunter2'",
			"select id from authors where name like E'%hunter2\\'%' /* hunter2 */",
			"select id from authors where name in ('a', 'hunter2', $$hunter2$$) -- hunter2",
			"select 'hunter2'::int",                                 // the error quotes it
			"insert into notes select 1, 'hunter2' from nowhere",    // is never planned
			"with x as (select 'hunter2' as y) select 1 from x, xx", // undefined table
		} {
			_, _ = db.Query(ctx, nil, query) // some fail, which is on purpose
		}
		_, _ = db.Query(ctx, nil, "select id from authors where name = $1", secret)
		_ = db.Exec(ctx, "insert into notes (id, body) values (70, $1), (70, $1)", secret) // the error has a detail
		_ = db.Tx(ctx, true, "select cast(cast($1 as text) as int)", secret)
		if _, err := db.Query(ctx, nil, "select id from authors where name = $1", "remember me not"); err != nil {
			t.Error(err)
		}
		for i := range 10 { // a finding must not have it either
			_, _ = db.Query(ctx, nil, fmt.Sprintf("select id from authors where name = '%s' and id = %d", secret, i))
		}
	})
	text := rec.text()
	for _, must := range []string{"select id from authors where name = ?", "22P02", "23505"} {
		if !strings.Contains(text, must) {
			t.Errorf("the search is in vain: %q is not in what was recorded", must)
		}
	}
	for _, not := range []string{secret, "remember me not"} {
		if i := strings.Index(text, not); i >= 0 {
			t.Errorf("%q has left the process: ...%s...", not, text[max(0, i-200):min(len(text), i+50)])
		}
	}
}

// text is everything that was recorded: spans, metrics and log lines.
func (r *Recorder) text() string {
	r.tb.Helper()
	var b strings.Builder
	for _, s := range r.Spans() {
		fmt.Fprintln(&b, s.Name(), s.Status().Description, s.Attributes(), s.Links())
		for _, e := range s.Events() {
			fmt.Fprintln(&b, e.Name, e.Attributes)
		}
	}
	for _, m := range catalog.All() {
		for _, series := range r.Metric(m) {
			fmt.Fprintln(&b, m.Desc().Name, series)
		}
	}
	for _, line := range r.Lines() {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

func sqlPool(t *testing.T, adapter SQLAdapter) {
	rec := New(t)
	primary, replica := adapter.open(t, rec.Agent(), 3), adapter.open(t, rec.Agent(), 7)
	for name, db := range map[string]SQLDatabase{"primary": primary, "replica": replica} {
		if err := db.Observe(rec.Agent(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := primary.Observe(rec.Agent(), "primary"); err == nil || !strings.Contains(err.Error(), `"primary"`) {
		t.Errorf("a second pool of the same name: %v", err)
	}
	release := holdAll(t, primary, 3)
	gauges := func(m catalog.Gauge) map[string]float64 {
		values := make(map[string]float64)
		for _, series := range rec.Metric(m) {
			l := Labels(series)
			values[l[string(catalog.Pool)]+l[string(catalog.State)]] = series.GetGauge().GetValue()
		}
		return values
	}
	if limits := gauges(catalog.DBClientConnectionsMax); limits["primary"] != 3 || limits["replica"] != 7 {
		t.Errorf("limits %v", limits)
	}
	if used := gauges(catalog.DBClientConnections); used["primaryused"] != 3 || used["primaryidle"] != 0 || used["replicaused"] != 0 {
		t.Errorf("used %v", used)
	}
	release()
	leaktest.Eventually(t, "a caller has waited for a connection", func() bool {
		release := holdAll(t, primary, 3)
		done := make(chan error, 1)
		go func() { done <- primary.Exec(t.Context(), "select 1") }()
		for range 1000 { // likely enough for the other one to get in line; if not, there is a next time
			runtime.Gosched()
		}
		release()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		waits, seconds := 0.0, 0.0
		for _, m := range rec.Metric(catalog.DBClientConnectionWaits) {
			waits += m.GetCounter().GetValue()
		}
		for _, m := range rec.Metric(catalog.DBClientConnectionWait) {
			seconds += m.GetCounter().GetValue()
		}
		return waits > 0 && seconds > 0
	})
}

// holdAll takes n connections out of a pool until they are released.
func holdAll(t *testing.T, db SQLDatabase, n int) (release func()) {
	t.Helper()
	var all []func()
	for range n {
		free, err := db.Hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, free)
	}
	return func() {
		for _, free := range all {
			free()
		}
	}
}
