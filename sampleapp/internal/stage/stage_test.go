package stage_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/stage"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

func TestEveryScenarioIsProgrammedAndServesItsRoute(t *testing.T) {
	t.Parallel()
	for _, spec := range scenario.All() {
		for _, v := range spec.Variants {
			t.Run(spec.Name+" "+v.Name, func(t *testing.T) {
				t.Parallel()
				set, _, _ := open(t, spec.Name, v.Name, 2000)
				q := spec.Requests[0]
				method := q.Method
				if method == "" {
					method = http.MethodGet
				}
				w := httptest.NewRecorder()
				set.Handler.ServeHTTP(w, httptest.NewRequest(method, strings.ReplaceAll(q.Path, "{n}", "0"), strings.NewReader(q.Body)))
				if w.Code >= 300 {
					t.Errorf("%s %s answers %d: %s", method, q.Path, w.Code, w.Body)
				}
			})
		}
	}
}

func TestUnknownScenariosAndPartsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := stage.Open(t.Context(), stage.Env{}, "nothing", scenario.Before, stage.Main); err == nil ||
		err.Error() != `nothing programs the scenario "nothing"` {
		t.Errorf("got %v", err)
	}
	if _, err := stage.Open(t.Context(), stage.Env{}, "n-plus-one", scenario.Before, "side"); err == nil ||
		!strings.Contains(err.Error(), `there is no part "side"`) {
		t.Errorf("got %v", err)
	}
}

// noErrors hides nothing but what a check is expected to report.
type noErrors struct {
	testing.TB
	errors []string
}

func (n *noErrors) Errorf(format string, args ...any) {
	n.errors = append(n.errors, fmt.Sprintf(format, args...))
}

func TestNPlusOneIsFoundBeforeAndGoneAfter(t *testing.T) {
	t.Parallel()
	for variant, want := range map[string]int{scenario.Before: 1, scenario.After: 0} {
		set, recorder, _ := open(t, "n-plus-one", variant, 0)
		seen := &noErrors{TB: t}
		agenttest.NoNPlusOne(seen, set.Handler, httptest.NewRequest(http.MethodGet, "/api/posts", nil))
		if len(seen.errors) != want {
			t.Errorf("%s has the findings %q, want %d", variant, seen.errors, want)
		}
		queries := recorder.Metric(catalog.DBClientQueriesPerRequest)
		if got, want := queries[0].GetHistogram().GetSampleSum(), map[string]float64{scenario.Before: 21, scenario.After: 1}[variant]; got != want {
			t.Errorf("%s sends %v queries, want %v", variant, got, want)
		}
	}
}

// A run's slow requests are found by the attribute that came as baggage.
func TestServerSpansCarryTheRun(t *testing.T) {
	t.Parallel()
	set, recorder, _ := open(t, "n-plus-one", scenario.After, 0)
	r := httptest.NewRequest(http.MethodGet, "/api/posts", nil)
	r.Header.Set("baggage", "plumbline.bench.run_id=run-7,plumbline.bench.variant=after,secret=x")
	set.Handler.ServeHTTP(httptest.NewRecorder(), r)
	for _, span := range recorder.Spans() {
		if span.Name() != "GET /api/posts" {
			continue
		}
		got := map[string]string{}
		for _, a := range span.Attributes() {
			got[string(a.Key)] = a.Value.Emit()
		}
		if got[catalog.AttrBenchRunID] != "run-7" || got[catalog.AttrBenchVariant] != "after" || got["secret"] != "" {
			t.Errorf("the span has %v", got)
		}
		return
	}
	t.Error("there is no server span")
}

// Both variants answer the same: the difference is in how.
func TestVariantsAnswerTheSame(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"n-plus-one": "/api/posts?before=50", "sync-logging": "/api/products/7", "index": "/api/users/42/purchases",
		"average-is-a-liar": "/api/customers/42/balance",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, _, _ := open(t, name, scenario.Before, 100_000)
			after, _, _ := open(t, name, scenario.After, 100_000)
			status, one := ask(t, before.Handler, http.MethodGet, path)
			_, two := ask(t, after.Handler, http.MethodGet, path)
			if status != http.StatusOK || one != two || len(one) < 30 {
				t.Errorf("%d %s\nbefore %s\nafter  %s", status, path, one, two)
			}
		})
	}
}

// The order of the columns serves two of three queries.
func TestCompositeIndexServesItsFirstColumn(t *testing.T) {
	t.Parallel()
	set, _, _ := open(t, "index", scenario.After, 100_000)
	f := facts(t, set)
	if f["rows_read_per_query"] > 200 || f["seq_scan"] != 0 {
		t.Errorf("with the index: %v", f)
	}
	both, first, last := f["composite_blocks_user_and_time"], f["composite_blocks_user"], f["composite_blocks_time_alone"]
	if both > 20 || first > 20 || last < 300 {
		t.Errorf("blocks read: user and time %v, user %v, time alone %v; want few, few, and all of the table", both, first, last)
	}
	set, _, _ = open(t, "index", scenario.Before, 100_000)
	if f := facts(t, set); f["rows_read_per_query"] != 100_000 || f["seq_scan"] != 1 {
		t.Errorf("without the index: %v", f)
	}
}

// TestStampede holds the database until everybody who would ask it has: twenty
// readers of a key that has expired.
func TestStampede(t *testing.T) {
	t.Parallel()
	for variant, want := range map[string]int{scenario.Before: 10, scenario.After: 1} {
		set, _, env := open(t, "cache", variant, 0)
		// Connections of its own: the pool's ten are the readers'.
		holder, watcher := connect(t, env), connect(t, env)
		if _, err := holder.Exec(t.Context(), "begin; lock table order_lines in access exclusive mode"); err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		for range 20 {
			readers.Go(func() { ask(t, set.Handler, http.MethodGet, "/api/products/1/summary") })
		}
		waiting := waitForBlocked(t, watcher, want)
		if _, err := holder.Exec(t.Context(), "rollback"); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		f := facts(t, set)
		if waiting != want {
			t.Errorf("%s: %d queries wait for the table, want %d", variant, waiting, want)
		}
		if most := map[string]float64{scenario.Before: 20, scenario.After: 1}[variant]; f["loads_at_once_max"] != most {
			t.Errorf("%s: %v loads at once, want %v", variant, f["loads_at_once_max"], most)
		}
	}
}

// A write shows at once, or when the entry expires.
func TestReadAfterWrite(t *testing.T) {
	t.Parallel()
	for variant, stale := range map[string]float64{scenario.Before: 1, scenario.After: 0} {
		set, _, _ := open(t, "cache", variant, 0)
		_, first := ask(t, set.Handler, http.MethodGet, "/api/products/1/summary")
		if status, body := ask(t, set.Handler, http.MethodPut, "/api/products/1"); status != http.StatusOK {
			t.Fatalf("the write answers %d: %s", status, body)
		}
		_, second := ask(t, set.Handler, http.MethodGet, "/api/products/1/summary")
		if got := facts(t, set)["stale_reads"]; got != stale || (first == second) != (stale == 1) {
			t.Errorf("%s: %v stale reads, want %v; %s then %s", variant, got, stale, first, second)
		}
	}
}

func TestSessionsOfAKilledInstance(t *testing.T) {
	t.Parallel()
	for variant, lost := range map[string]bool{scenario.Before: true, scenario.After: false} {
		set, _, _ := open(t, "sessions", variant, 0)
		everybody := func() (refused int) {
			for s := range 300 {
				if status, _ := ask(t, set.Handler, http.MethodGet, fmt.Sprintf("/api/me?session=%d", s)); status != http.StatusOK {
					refused++
				}
			}
			return refused
		}
		if n := everybody(); n != 0 {
			t.Errorf("%s: %d of 300 are not logged in at first", variant, n)
		}
		if err := set.Event(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := everybody()
		if lost != (n >= 60 && n <= 140) || !lost && n != 0 {
			t.Errorf("%s: %d of 300 are lost with one of three instances", variant, n)
		}
		if f := facts(t, set); f["logins_lost"] != float64(n) {
			t.Errorf("%s: the facts say %v", variant, f)
		}
		if err := set.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := everybody(); n != 0 {
			t.Errorf("%s: %d of 300 are not logged in after the restart", variant, n)
		}
	}
}

// A payment that fails takes its order with it, where one transaction holds
// both; else the order stays.
func TestHalfAnOrder(t *testing.T) {
	t.Parallel()
	set, _, _ := open(t, "microservices", scenario.After, 0)
	buy := func() int {
		status, _ := ask(t, set.Handler, http.MethodPost, "/api/checkout?user_id=1")
		return status
	}
	if status := buy(); status != http.StatusCreated {
		t.Fatalf("checkout answers %d", status)
	}
	if err := set.Event(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := buy(); status != http.StatusInternalServerError {
		t.Errorf("without payments checkout answers %d", status)
	}
	if f := facts(t, set); f["orders_without_payment"] != 1 {
		t.Errorf("got %v, want one order without payment", f)
	}
	if err := set.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := buy(); status != http.StatusCreated {
		t.Errorf("after the restart checkout answers %d", status)
	}
	before, _, env := open(t, "microservices", scenario.Before, 0)
	if _, err := env.DB.Exec(t.Context(), "drop table payments"); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, before.Handler, http.MethodPost, "/api/checkout?user_id=1"); status != http.StatusInternalServerError {
		t.Errorf("without payments checkout in one process answers %d", status)
	}
	var orders int
	if err := env.DB.QueryRow(t.Context(), "select count(*) from checkouts").Scan(&orders); err != nil || orders != 0 {
		t.Errorf("%d orders stay, want none: %v", orders, err)
	}
}

// connect opens a connection that is not of the scenario's pool.
func connect(t *testing.T, env stage.Env) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), env.DB.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// waitForBlocked returns how many sessions wait for a lock: as soon as these
// are as many as wanted and stay so, and in any case after a while.
func waitForBlocked(t *testing.T, conn *pgx.Conn, want int) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for same := 0; same < 20 && ctx.Err() == nil; <-tick.C {
		err := conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if same++; n != want {
			same = 0
		}
	}
	return n
}
