package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/sampleapp/internal/queue"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

var server *testdb.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = testdb.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var q = queue.Queue{Name: "letters"}

func enqueue(t *testing.T, db store.DB, payload any) int64 {
	t.Helper()
	id, err := q.Enqueue(t.Context(), db, "letter", payload, map[string]string{"traceparent": "tp"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func take(t *testing.T, db store.DB, limit int) []queue.Job {
	t.Helper()
	jobs, err := q.Take(t.Context(), db, limit)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// only takes the one job that must be due.
func only(t *testing.T, db store.DB) queue.Job {
	t.Helper()
	jobs := take(t, db, 10)
	if len(jobs) != 1 {
		t.Fatalf("took %d jobs, want 1", len(jobs))
	}
	return jobs[0]
}

// endLease lets the time of every lease pass.
func endLease(t *testing.T, db store.DB) {
	t.Helper()
	if _, err := db.Exec(t.Context(), "update jobs set due_at = now() - interval '2 seconds' where state = 'pending'"); err != nil {
		t.Fatal(err)
	}
}

// row is the state of the only job.
func row(t *testing.T, db *pgxpool.Pool) string {
	t.Helper()
	var s string
	err := db.QueryRow(t.Context(), `select state || ' attempt ' || attempt || ' due in ' ||
		round(extract(epoch from due_at - now())) || case when last_error <> '' then ' ' || last_error else '' end from jobs`).Scan(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJobArrivesAsItWasEnqueued(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	id := enqueue(t, db, map[string]int{"n": 5})
	j := only(t, db)
	if j.ID != id || j.Kind != "letter" || string(j.Payload) != `{"n": 5}` || j.Trace["traceparent"] != "tp" || j.Attempt != 1 || j.MaxAttempts != queue.DefaultMaxAttempts {
		t.Errorf("got %+v with payload %s", j, j.Payload)
	}
	if j.Waited < 0 || j.Waited > 10*time.Second {
		t.Errorf("it waited %v, want the time since the enqueuing", j.Waited)
	}
}

func TestJobOfARolledBackTransactionDoesNotExist(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	failed := errors.New("something else failed")
	err := store.InTx(t.Context(), db, func(tx pgx.Tx) error {
		enqueue(t, tx, 1)
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if jobs := take(t, db, 10); len(jobs) != 0 {
		t.Errorf("took %v, want none", jobs)
	}
}

func TestUncommittedJobIsNotTaken(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	err := store.InTx(t.Context(), db, func(tx pgx.Tx) error {
		enqueue(t, tx, 1)
		if jobs := take(t, db, 10); len(jobs) != 0 {
			t.Errorf("took %v before the commit, want none", jobs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	only(t, db)
}

func TestManyWorkersTakeEachJobOnce(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	const jobs, workers = 120, 6
	for i := range jobs {
		enqueue(t, db, i)
	}
	var mu sync.Mutex
	var taken []int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				some, err := q.Take(t.Context(), db, 7)
				if err != nil {
					t.Error(err)
					return
				}
				if len(some) == 0 {
					return
				}
				mu.Lock()
				for _, j := range some {
					taken = append(taken, j.ID)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(taken)
	if unique := slices.Compact(slices.Clone(taken)); len(taken) != jobs || len(unique) != jobs {
		t.Errorf("took %d jobs, %d different ones, want each of %d once", len(taken), len(unique), jobs)
	}
}

func TestOtherQueuesAreLeftAlone(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	enqueue(t, db, 1)
	if jobs, err := (queue.Queue{Name: "parcels"}).Take(t.Context(), db, 10); err != nil || len(jobs) != 0 {
		t.Errorf("took %v %v, want none", jobs, err)
	}
}

func TestJobOfADeadWorkerIsTakenAgainAfterItsLease(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	enqueue(t, db, 1)
	first := only(t, db)
	if jobs := take(t, db, 10); len(jobs) != 0 {
		t.Fatalf("took %v during the lease, want none", jobs)
	}
	if got := row(t, db); got != "pending attempt 1 due in 30" {
		t.Errorf("during the lease the job is %q", got)
	}
	endLease(t, db)
	second := only(t, db)
	if second.ID != first.ID || second.Attempt != 2 || second.Waited < 2*time.Second {
		t.Errorf("the second taking is %+v, want attempt 2 of job %d after 2 s", second, first.ID)
	}
	// The first worker was not dead, only slow: whatever it says is too late.
	for name, err := range map[string]error{
		"complete": q.Complete(t.Context(), db, first),
		"retry":    q.Retry(t.Context(), db, first, errors.New("x"), 0),
		"release":  q.Release(t.Context(), db, first),
		"bury":     q.Bury(t.Context(), db, first, errors.New("x")),
	} {
		if !errors.Is(err, queue.ErrLost) {
			t.Errorf("%s by the slow worker: %v, want ErrLost", name, err)
		}
	}
	if err := q.Complete(t.Context(), db, second); err != nil {
		t.Error(err)
	}
}

func TestEndsOfAJob(t *testing.T) {
	t.Parallel()
	cause := errors.New(strings.Repeat("x", 600))
	cut := strings.Repeat("x", 500)
	for sentence, c := range map[string]struct {
		end  func(context.Context, store.DB, queue.Job) error
		want string
		// due tells whether it can be taken at once.
		due bool
	}{
		"a completed job is done": {
			q.Complete, "done attempt 1 due in 30", false,
		},
		"a failed job is due later, with its error cut to size": {
			func(ctx context.Context, db store.DB, j queue.Job) error {
				return q.Retry(ctx, db, j, cause, 90*time.Second)
			}, "pending attempt 1 due in 90 " + cut, false,
		},
		"a released job is due at once, and the attempt does not count": {
			q.Release, "pending attempt 0 due in 0", true,
		},
		"a buried job stays, with its error": {
			func(ctx context.Context, db store.DB, j queue.Job) error { return q.Bury(ctx, db, j, cause) },
			"dead attempt 1 due in 30 " + cut, false,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			db := server.Pool(t)
			enqueue(t, db, 1)
			if err := c.end(t.Context(), db, only(t, db)); err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(row(t, db), "-0", "0"); got != c.want {
				t.Errorf("the job is %q, want %q", got, c.want)
			}
			if due := len(take(t, db, 10)) == 1; due != c.due {
				t.Errorf("due at once: %v, want %v", due, c.due)
			}
		})
	}
}

func TestPruneDeletesOldFinishedJobsOnly(t *testing.T) {
	t.Parallel()
	db := server.Pool(t)
	_, err := db.Exec(t.Context(), `insert into jobs (queue, kind, payload, max_attempts, state, finished_at)
		select 'letters', 'letter', 'null', 3, s.state, now() - s.age from (values
		('done', interval '3 hours'), ('dead', interval '2 hours'), ('done', interval '1 minute'), ('pending', null)) as s (state, age)`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{1, 1, 0} { // a limit of 1 per call
		if n, err := q.Prune(t.Context(), db, time.Hour, 1); err != nil || n != want {
			t.Errorf("call %d deleted %d (%v), want %d", i+1, n, err, want)
		}
	}
	var left string
	if err := db.QueryRow(t.Context(), "select string_agg(state, ' ' order by state) from jobs").Scan(&left); err != nil || left != "done pending" {
		t.Errorf("left: %q %v, want the young and the pending one", left, err)
	}
}
