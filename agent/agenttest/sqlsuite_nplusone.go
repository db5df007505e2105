package agenttest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Queries of the N+1 rules.
const (
	listArticles = "select author from articles order by id limit 20"
	getAuthor    = "select id from authors where id = $1"
)

// sqlHandler is a request handler under test; fail reports an error of it.
type sqlHandler func(ctx context.Context, db SQLDatabase, fail func(error))

// nPlusOneCase is a handler and the number of findings that it must have.
type nPlusOneCase struct {
	run  sqlHandler
	want int
	// count is how often the repeated query ran.
	count string
}

// articles reads the authors of the articles.
func articles(ctx context.Context, db SQLDatabase, fail func(error)) (ids []int) {
	_, err := db.Query(ctx, func(id int) { ids = append(ids, id) }, listArticles)
	fail(err)
	return ids
}

func nPlusOneCases() map[string]nPlusOneCase {
	return map[string]nPlusOneCase{
		"twenty articles and then the author of each": {want: 1, count: "20", run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			for _, id := range articles(ctx, db, fail) {
				_, err := db.Query(ctx, nil, getAuthor, id)
				fail(err)
			}
		}},
		"the author of each article while the articles are being read": {want: 1, count: "20", run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			_, err := db.Query(ctx, func(id int) {
				_, err := db.Query(ctx, nil, getAuthor, id)
				fail(err)
			}, listArticles)
			fail(err)
		}},
		"a transaction for each article": {want: 1, count: "20", run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			for _, id := range articles(ctx, db, fail) {
				fail(db.Tx(ctx, true, "update authors set name = name where id = $1", id))
			}
		}},
		"a prepared statement for each article": {want: 1, count: "20", run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			fail(db.Prepared(ctx, getAuthor, articles(ctx, db, fail)))
		}},
		"one JOIN": {run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			_, err := db.Query(ctx, nil, "select u.id from articles p join authors u on u.id = p.author")
			fail(err)
		}},
		"one batch": {run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			fail(db.Batch(ctx, articles(ctx, db, fail)))
		}},
		"a parallel fan-out": {run: fanOut},
		"pages": {run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			_, err := db.Query(ctx, nil, "select count(*) from authors")
			fail(err)
			for page := range 10 {
				_, err := db.Query(ctx, nil, "select id from authors order by id limit 5 offset $1", 5*page)
				fail(err)
			}
		}},
		"a loop that is longer than the rows before it": {run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			_, err := db.Query(ctx, nil, "select id from articles where id <= 3")
			fail(err)
			for id := range 10 {
				_, err := db.Query(ctx, nil, getAuthor, id)
				fail(err)
			}
		}},
		"a loop after a change of many rows": {run: func(ctx context.Context, db SQLDatabase, fail func(error)) {
			fail(db.Tx(ctx, true, "delete from notes where id > $1", 1000))
			for id := range 10 {
				_, err := db.Query(ctx, nil, getAuthor, id)
				fail(err)
			}
		}},
	}
}

// fanOut runs one query on eight connections at the same time: each waits on
// the server until all of them have begun.
func fanOut(ctx context.Context, db SQLDatabase, fail func(error)) {
	ids := articles(ctx, db, fail)[:8]
	var started, done sync.WaitGroup
	started.Add(len(ids))
	for range ids {
		done.Go(func() {
			_, err := db.Query(ctx, func(int) {
				started.Done()
				started.Wait() // the rows of all eight are open
			}, "select id from authors where id = 1")
			fail(err)
		})
	}
	done.Wait()
}

func exerciseNPlusOne(t *testing.T, adapter SQLAdapter) {
	t.Helper()
	for name, c := range nPlusOneCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := New(t)
			db := adapter.open(t, rec.Agent(), 10)
			_, root := rec.request(func(ctx context.Context) {
				c.run(ctx, db, func(err error) {
					if err != nil {
						t.Error(err)
					}
				})
			})
			c.check(t, rec)
			if n := len(root.Events()); n != c.want {
				t.Errorf("%d events of the span, want %d", n, c.want)
			}
		})
	}
}

func (c nPlusOneCase) check(t *testing.T, rec *Recorder) {
	t.Helper()
	got := 0.0
	for _, m := range rec.Metric(catalog.DBClientNPlusOne) {
		got += m.GetCounter().GetValue()
	}
	if got != float64(c.want) {
		t.Errorf("%v findings, want %d", got, c.want)
	}
	var warnings []string
	for _, line := range rec.Lines() {
		if strings.Contains(line, "N+1") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != c.want {
		t.Fatalf("warned %q, want %d lines", warnings, c.want)
	}
	for _, line := range warnings {
		for _, part := range []string{
			" " + catalog.LogCount + "=" + c.count + " ", " " + catalog.LogSource + `="select author from articles order by id limit ?" `,
			" = ANY(?)", "_test.go:",
		} {
			if !strings.Contains(line, part) {
				t.Errorf("the warning lacks %q: %s", part, line)
			}
		}
	}
}
