// Package queue keeps jobs in a table of PostgreSQL.
//
// A job is enqueued in the transaction that makes it necessary, so that there
// is neither a job for something that was rolled back nor something saved
// without its job. [Queue.Take] hands each due job to one worker for the time
// of a lease, by FOR UPDATE SKIP LOCKED. A worker that dies says nothing: its
// lease ends, and the job is due again. A job therefore runs at least once, and
// what it does must be idempotent.
//
// Everything is safe for concurrent use, in one process and in many. An idle
// Take costs one index probe.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// Defaults of [Queue] and of jobs.
const (
	// DefaultLease is how long a worker may hold a job. It must exceed the
	// longest time that an attempt can take.
	DefaultLease = 30 * time.Second
	// DefaultMaxAttempts is how often a job is tried.
	DefaultMaxAttempts = 8
	// maxErrorLength bounds what is kept of an attempt's error.
	maxErrorLength = 500
)

// ErrLost says that the lease of a job had ended: another worker may have it.
var ErrLost = errors.New("the lease of the job has ended")

// Job is one piece of work, taken by a worker.
type Job struct {
	ID   int64
	Kind string
	// Payload is JSON, as it was enqueued.
	Payload json.RawMessage
	// Trace is the trace context of the enqueuer, as propagation headers.
	Trace map[string]string
	// Attempt counts from 1. It may exceed MaxAttempts when workers died:
	// such a job is to be buried without trying it.
	Attempt, MaxAttempts int
	// Waited is how long the job had been due when it was taken.
	Waited time.Duration
}

// Queue is a named queue. The zero Lease means [DefaultLease].
type Queue struct {
	Name  string
	Lease time.Duration
}

// Enqueue adds a job that is due at once. db is the transaction that the job
// belongs to; trace may be nil. It returns the job's id.
func (q Queue) Enqueue(ctx context.Context, db store.DB, kind string, payload any, trace map[string]string) (int64, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return 0, fmt.Errorf("encode a %s job: %w", kind, err)
	}
	if trace == nil {
		trace = map[string]string{}
	}
	var id int64
	err = db.QueryRow(ctx, `insert into jobs (queue, kind, payload, trace, max_attempts)
		values ($1, $2, $3, $4, $5) returning id`, q.Name, kind, json.RawMessage(body), trace, DefaultMaxAttempts).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("enqueue a %s job: %w", kind, err)
	}
	return id, nil
}

// Take leases up to limit due jobs, the longest due first.
func (q Queue) Take(ctx context.Context, db store.DB, limit int) ([]Job, error) {
	// A pending job's due_at is also the end of its lease: taking a job and
	// finding one whose worker died are the same statement.
	const sql = `with due as (
			select id, due_at from jobs where queue = $1 and state = 'pending' and due_at <= now()
			order by due_at, id limit $2 for update skip locked
		)
		update jobs set attempt = jobs.attempt + 1, due_at = now() + $3::interval
		from due where jobs.id = due.id
		returning jobs.id, kind, payload, trace, jobs.attempt, max_attempts, now() - due.due_at`
	lease := q.Lease
	if lease <= 0 {
		lease = DefaultLease
	}
	rows, err := db.Query(ctx, sql, q.Name, limit, lease)
	if err != nil {
		return nil, fmt.Errorf("take jobs: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Job])
	if err != nil {
		return nil, fmt.Errorf("take jobs: %w", err)
	}
	return jobs, nil
}

// Complete ends a job that succeeded. Run it in the transaction that records
// the job's effect; on [ErrLost] that must be rolled back.
func (q Queue) Complete(ctx context.Context, db store.DB, j Job) error {
	return q.finish(ctx, db, j, "complete",
		"update jobs set state = 'done', finished_at = now() where id = $1 and attempt = $2 and state = 'pending'")
}

// Retry gives a failed job back, due after delay.
func (q Queue) Retry(ctx context.Context, db store.DB, j Job, cause error, delay time.Duration) error {
	return q.finish(ctx, db, j, "retry",
		"update jobs set due_at = now() + $3::interval, last_error = $4 where id = $1 and attempt = $2 and state = 'pending'",
		delay, short(cause))
}

// Release gives back a job that was not tried to the end, due at once, without
// counting the attempt: a worker that shuts down in good order is no failure.
func (q Queue) Release(ctx context.Context, db store.DB, j Job) error {
	return q.finish(ctx, db, j, "release",
		"update jobs set due_at = now(), attempt = attempt - 1 where id = $1 and attempt = $2 and state = 'pending'")
}

// Bury ends a job that will not be tried again.
func (q Queue) Bury(ctx context.Context, db store.DB, j Job, cause error) error {
	return q.finish(ctx, db, j, "bury",
		"update jobs set state = 'dead', finished_at = now(), last_error = $3 where id = $1 and attempt = $2 and state = 'pending'",
		short(cause))
}

// Prune deletes up to limit finished jobs older than age and returns their
// number, so that the table does not grow for ever.
func (q Queue) Prune(ctx context.Context, db store.DB, age time.Duration, limit int) (int64, error) {
	tag, err := db.Exec(ctx, `delete from jobs where id in (
		select id from jobs where queue = $1 and state <> 'pending' and finished_at < now() - $2::interval
		order by finished_at limit $3 for update skip locked)`, q.Name, age, limit)
	if err != nil {
		return 0, fmt.Errorf("prune jobs: %w", err)
	}
	return tag.RowsAffected(), nil
}

// finish runs a statement on a job while its lease is this worker's. The number
// of the attempt is the fence: whoever took the job since has raised it.
func (q Queue) finish(ctx context.Context, db store.DB, j Job, verb, sql string, args ...any) error {
	tag, err := db.Exec(ctx, sql, append([]any{j.ID, j.Attempt}, args...)...)
	if err != nil {
		return fmt.Errorf("%s job %d: %w", verb, j.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%s job %d: %w", verb, j.ID, ErrLost)
	}
	return nil
}

func short(err error) string {
	s := err.Error()
	if len(s) > maxErrorLength {
		s = s[:maxErrorLength]
	}
	return s
}
