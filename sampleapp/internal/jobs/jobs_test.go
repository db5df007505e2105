package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/quiet"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

var server *testdb.Server

func TestMain(m *testing.M) {
	os.Exit(testdb.Main(m, &server))
}

func TestJobOfARolledBackTransactionDoesNotExist(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	inserter, err := jobs.NewInserter(nil, db)
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("something else failed")
	for _, want := range []error{failed, nil} {
		err := store.InTx(t.Context(), db, func(tx pgx.Tx) error {
			return errors.Join(inserter.Enqueue(t.Context(), tx, jobs.Invite{InviteID: 1}), want)
		})
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
		if n := row[int](t, db, "select count(*)::int from river_job"); (n == 1) != (want == nil) {
			t.Errorf("%d jobs after a transaction that ended with %v", n, want)
		}
	}
	if got := row[string](t, db, "select concat_ws(' ', queue, kind, max_attempts, state) from river_job"); got != "invites send_invite 8 available" {
		t.Errorf("the job is %q", got)
	}
}

func row[T any](t *testing.T, db *pgxpool.Pool, sql string) (value T) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestDepthCountsWhatIsDue has a job in every state that River knows.
func TestDepthCountsWhatIsDue(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	read := func() (int64, time.Duration) {
		t.Helper()
		depth, oldest, err := jobs.Depth(db, jobs.Invites)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return depth, oldest.Round(time.Minute)
	}
	if depth, oldest := read(); depth != 0 || oldest != 0 {
		t.Errorf("an empty queue has %d jobs, the oldest waits for %s", depth, oldest)
	}
	_, err := db.Exec(t.Context(), `insert into river_job (queue, kind, args, max_attempts, state, scheduled_at, finalized_at)
		select queue, 'x', '{}', 3, state::river_job_state, now() - age::interval, case when final then now() end from (values
		('invites', 'available', '2 minutes', false), ('invites', 'retryable', '5 minutes', false), ('invites', 'scheduled', '1 minute', false),
		('invites', 'scheduled', '-1 minute', false), ('invites', 'retryable', '-1 minute', false),
		('invites', 'running', '9 minutes', false), ('invites', 'completed', '9 minutes', true), ('invites', 'discarded', '9 minutes', true),
		('invites', 'cancelled', '9 minutes', true), ('parcels', 'available', '9 minutes', false)) as j (queue, state, age, final)`)
	if err != nil {
		t.Fatal(err)
	}
	if depth, oldest := read(); depth != 3 || oldest != 5*time.Minute {
		t.Errorf("%d jobs wait, the oldest for %s, want 3 and 5 minutes", depth, oldest)
	}
	if _, _, err := jobs.Depth(db, jobs.Invites)(canceled(t)); err == nil {
		t.Error("it reads after the end of its context")
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestMeasureNamesRiversOutcomes(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for sentence, c := range map[string]struct {
		err  error
		want agentjob.Outcome
	}{
		"a success":                        {nil, agentjob.OK},
		"an attempt that will be repeated": {boom, agentjob.Retry},
		"an error for good":                {river.JobCancel(boom), agentjob.Failed},
		"a snooze":                         {river.JobSnooze(time.Minute), agentjob.Snoozed},
		"a worker that stops":              {fmt.Errorf("call: %w", context.Canceled), agentjob.Cancelled},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			recorder := agenttest.New(t)
			middleware, ok := jobs.Measure(recorder.Agent()).(rivertype.WorkerMiddleware)
			if !ok {
				t.Fatal("it is no middleware for workers")
			}
			const trace = "0af7651916cd43dd8448eb211c80319c"
			job := &rivertype.JobRow{ID: 42, Queue: jobs.Invites, Kind: "send_invite", Attempt: 1, MaxAttempts: 2, ScheduledAt: time.Now().Add(-time.Minute),
				Metadata: []byte(`{"trace": {"traceparent": "00-` + trace + `-b7ad6b7169203331-01"}}`)}
			// River's own context is a quiet one; the job's is not.
			err := middleware.Work(quiet.Context(t.Context()), job, func(context.Context) error { return c.err })
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			m := recorder.Metric(catalog.Jobs)
			if len(m) != 1 || agenttest.Labels(m[0])[string(catalog.Outcome)] != string(c.want) {
				t.Errorf("counted %v, want one %s", m, c.want)
			}
			if spans := recorder.Spans(); len(spans) != 1 || spans[0].SpanContext().TraceID().String() != trace {
				t.Errorf("spans %v, want one in the enqueuer's trace", spans)
			}
			if wait := recorder.Metric(catalog.JobWait)[0].GetHistogram().GetSampleSum(); wait < 60 || wait > 100 {
				t.Errorf("it waited %g s, want about 60", wait)
			}
		})
	}
}

func TestAJobWithoutATraceBeginsOne(t *testing.T) {
	t.Parallel()
	for sentence, metadata := range map[string]string{"nothing": "", "something else": `{"trace": 5}`, "an empty object": "{}"} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			recorder := agenttest.New(t)
			job := &rivertype.JobRow{Queue: jobs.Invites, Metadata: []byte(metadata)}
			middleware := jobs.Measure(recorder.Agent()).(rivertype.WorkerMiddleware)
			if err := middleware.Work(quiet.Context(t.Context()), job, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if spans := recorder.Spans(); len(spans) != 1 || spans[0].Parent().IsValid() {
				t.Errorf("spans %v, want one root", spans)
			}
		})
	}
}

// TestQuietLoggerKeepsTheTraceOut: River logs with the context of its loops.
func TestQuietLoggerKeepsTheTraceOut(t *testing.T) {
	t.Parallel()
	recorder := agenttest.New(t)
	logger := quiet.Logger(recorder.Agent()).With("a", 1).WithGroup("g")
	logger.InfoContext(quiet.Context(t.Context()), "idle chatter")
	logger.WarnContext(quiet.Context(t.Context()), "look here", "b", 2)
	lines := recorder.Lines()
	if len(lines) != 1 || !strings.Contains(lines[0], `msg="look here"`) || !strings.Contains(lines[0], "g.b=2") || strings.Contains(lines[0], catalog.LogTraceID) {
		t.Errorf("logged %q, want the warning alone and without a trace", lines)
	}
}
