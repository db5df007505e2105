package agentjob_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/testpg"
)

// table is a queue in a table, as services without a job library have it.
type table struct {
	db  *sql.DB
	rec *agenttest.Recorder
}

func newTable(t *testing.T, rec *agenttest.Recorder) table {
	t.Helper()
	server, err := testpg.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := agentsql.Open(rec.Agent(), "pgx", server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.ExecContext(t.Context(), `create table jobs (id serial primary key, trace text not null,
		due timestamptz not null default now() - interval '1 minute', attempt int not null default 0, done bool not null default false)`)
	if err != nil {
		t.Fatal(err)
	}
	return table{db, rec}
}

func (q table) put(ctx context.Context) error {
	return agentjob.Enqueue(ctx, q.rec.Agent(), "mail", func(ctx context.Context) error {
		headers, err := json.Marshal(agentjob.Inject(ctx, q.rec.Agent()))
		if err != nil {
			return err
		}
		_, err = q.db.ExecContext(ctx, "insert into jobs (trace) values ($1)", string(headers))
		return err
	})
}

// work takes one job and runs f as an attempt at it.
func (q table) work(ctx context.Context, f func(context.Context) error) error {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	job := agentjob.Job{Queue: "mail", MaxAttempts: 2}
	var headers string
	row := tx.QueryRowContext(ctx, `select id, trace, due, attempt + 1 from jobs
		where not done order by due limit 1 for update skip locked`)
	if err := row.Scan(&job.ID, &headers, &job.Due, &job.Attempt); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(headers), &job.Trace); err != nil {
		return err
	}
	failed := agentjob.Run(ctx, q.rec.Agent(), job, f)
	_, err = tx.ExecContext(ctx, "update jobs set attempt = $1, done = $2 where id = $3", job.Attempt, failed == nil, job.ID)
	return errors.Join(failed, err, tx.Commit())
}

func (q table) read(ctx context.Context) (depth int64, oldest time.Duration, err error) {
	var seconds float64
	err = q.db.QueryRowContext(ctx, `select count(*), coalesce(extract(epoch from now() - min(due)), 0)
		from jobs where not done`).Scan(&depth, &seconds)
	return depth, time.Duration(seconds * float64(time.Second)), err
}

// TestAQueueInPostgreSQL takes a job from a request through a table to a worker
// that needs two attempts.
func TestAQueueInPostgreSQL(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	q := newTable(t, rec)
	if err := agentjob.ObserveQueue(rec.Agent(), "mail", q.read, agentjob.WithInterval(0)); err != nil {
		t.Fatal(err)
	}
	ctx, request := rec.Agent().StartOperation(t.Context(), agent.OperationInfo{Name: "request"})
	if err := q.put(ctx); err != nil {
		t.Fatal(err)
	}
	request.End(agent.Outcome{})
	if got := scrape(rec); !strings.HasPrefix(got, "mail has 1 since 6") {
		t.Errorf("%q, want one job of a little over 60 s", got)
	}
	if err := q.work(t.Context(), func(context.Context) error { return errBoom }); !errors.Is(err, errBoom) {
		t.Fatal(err)
	}
	err := q.work(t.Context(), func(ctx context.Context) error { return q.db.PingContext(ctx) })
	if err != nil {
		t.Fatal(err)
	}
	if got := scrape(rec); got != "mail has 0 since 0 s, 0 errors" {
		t.Errorf("%q", got)
	}
	if got := counts(rec); got != "mail ok 1, mail retry 1" {
		t.Errorf("counted %q", got)
	}
	if waits := rec.Metric(catalog.JobWait); waits[0].GetHistogram().GetSampleCount() != 2 || waits[0].GetHistogram().GetSampleSum() < 120 {
		t.Errorf("waits %v, want two of more than a minute", waits)
	}
	q.checkTrace(t)
}

// checkTrace: request -> send -> INSERT, and send -> process -> PING.
func (q table) checkTrace(t *testing.T) {
	t.Helper()
	parents := make(map[string]string) // by name; the last one of a name counts
	ids := make(map[string]string)
	for _, s := range q.rec.Spans() {
		ids[s.SpanContext().SpanID().String()] = s.Name()
	}
	for _, s := range q.rec.Spans() {
		parents[s.Name()] = ids[s.Parent().SpanID().String()]
	}
	for name, parent := range map[string]string{
		"send mail": "request", "INSERT jobs": "send mail", "process mail": "send mail", "PING": "process mail",
	} {
		if parents[name] != parent {
			t.Errorf("%q is a child of %q, want of %q", name, parents[name], parent)
		}
	}
}
