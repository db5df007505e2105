// Package worker takes jobs from a queue and does them.
//
// One loop takes due jobs, a bounded number at a time; each runs on its own
// goroutine, in the trace of the request that enqueued it. A job that fails is
// tried again later, at growing distances, and given up after its last attempt
// or a [Permanent] error. [Worker.Run] returns after the last job has ended.
//
// An idle worker costs one small statement per poll.
package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/queue"
	"github.com/cacheu/plumbline/sampleapp/internal/quiet"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// Defaults of [Config].
const (
	DefaultConcurrency = 4
	DefaultPoll        = 500 * time.Millisecond
	DefaultDrain       = 10 * time.Second
	// attemptTimeout bounds one attempt, and finishTimeout the recording of its
	// outcome. Together they stay well below the queue's lease.
	attemptTimeout = 10 * time.Second
	finishTimeout  = 5 * time.Second
	// Finished jobs are kept that long, and deleted at that pace.
	keepFinished = time.Hour
	pruneEvery   = time.Minute
	pruneLimit   = 5000
)

// Task is what is to be done for jobs of one kind.
type Task interface {
	// Do does the job. It must be idempotent: after a worker's death it is done
	// again. It honours ctx.
	Do(ctx context.Context, j queue.Job) error
	// Succeeded records the effect in the transaction that completes the job.
	Succeeded(ctx context.Context, tx store.DB, j queue.Job) error
	// Failed records the failure in the transaction that buries the job.
	Failed(ctx context.Context, tx store.DB, j queue.Job) error
}

// Permanent marks an error that no further attempt will change.
type Permanent struct{ Err error }

// Error implements error.
func (p Permanent) Error() string { return p.Err.Error() }

// Unwrap returns the marked error.
func (p Permanent) Unwrap() error { return p.Err }

// Config configures a worker. DB, Queue and Tasks are required.
type Config struct {
	// Agent observes the worker. Nil observes nothing.
	Agent *agent.Agent
	DB    *pgxpool.Pool
	Queue queue.Queue
	// Tasks are by the kind of their jobs. Jobs of other kinds are buried.
	Tasks map[string]Task
	// Concurrency is the most jobs at one time. Defaults to 4.
	Concurrency int
	// Poll is the distance between looks at an empty queue. Defaults to 0.5
	// seconds.
	Poll time.Duration
	// Drain bounds how long running jobs may take after the stop; then they
	// are cancelled and given back. Defaults to 10 seconds.
	Drain time.Duration
	// Backoff is the distance to the next attempt after the given number of
	// attempts. Defaults to 2, 4, 8 ... seconds, at most five minutes.
	Backoff func(attempt int) time.Duration
}

func (c Config) withDefaults() Config {
	if c.Concurrency <= 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Poll <= 0 {
		c.Poll = DefaultPoll
	}
	if c.Drain <= 0 {
		c.Drain = DefaultDrain
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			return min(time.Second<<min(attempt, 20), 5*time.Minute)
		}
	}
	return c
}

// Worker takes jobs from a queue.
type Worker struct {
	config  Config
	metrics *jobMetrics
	slots   chan struct{} // one element per running job
	running sync.WaitGroup
	failing bool // the last look at the queue failed
}

// New returns a worker. It fails when its metrics cannot be registered.
func New(c Config) (*Worker, error) {
	m, err := newJobMetrics(c.Agent, c.Queue.Name)
	if err != nil {
		return nil, err
	}
	c = c.withDefaults()
	w := &Worker{config: c, metrics: m, slots: make(chan struct{}, c.Concurrency)}
	if _, err := c.Agent.ObserveUsage(catalog.ResourceWorkers, w.usage); err != nil {
		return nil, err
	}
	return w, nil
}

// usage tells how many jobs run. How many wait is in the database, and asking
// for that is not for whoever collects metrics.
func (w *Worker) usage() agent.Usage {
	return agent.Usage{Used: float64(len(w.slots)), Limit: float64(cap(w.slots)), Waiting: -1, Waited: -1}
}

// Run takes and does jobs until ctx ends, and returns when the last running one
// has ended or was given back. It is called once.
func (w *Worker) Run(ctx context.Context) {
	// Jobs keep running when ctx ends: they are drained.
	jobs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	poll := time.NewTicker(w.config.Poll)
	defer poll.Stop()
	var pruned time.Time
	for ctx.Err() == nil {
		if time.Since(pruned) > pruneEvery {
			pruned = time.Now()
			w.prune(ctx)
		}
		if w.takeSome(ctx, jobs) {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
	w.drain(cancel)
}

// takeSome fills the free slots with jobs and reports whether it got any. It
// waits for a slot.
func (w *Worker) takeSome(ctx, jobs context.Context) bool {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	free := 1
	for free < cap(w.slots) {
		select {
		case w.slots <- struct{}{}:
			free++
			continue
		default:
		}
		break
	}
	taken, err := w.config.Queue.Take(quiet.Context(ctx), w.config.DB, free)
	w.noteTake(ctx, err)
	for range free - len(taken) {
		<-w.slots
	}
	for _, j := range taken {
		w.running.Go(func() {
			defer func() { <-w.slots }()
			w.process(jobs, j)
		})
	}
	return len(taken) > 0
}

// noteTake logs when the queue cannot be read, and when it can be again.
func (w *Worker) noteTake(ctx context.Context, err error) {
	if ctx.Err() != nil || w.failing == (err != nil) {
		return
	}
	w.failing = err != nil
	if err != nil {
		level.Error(w.config.Agent.Logger(ctx)).Log(catalog.LogMessage, "the queue cannot be read; trying on", catalog.LogError, err)
		return
	}
	level.Info(w.config.Agent.Logger(ctx)).Log(catalog.LogMessage, "the queue can be read again")
}

func (w *Worker) prune(ctx context.Context) {
	ctx = quiet.Context(ctx)
	// A failure shows in the next look at the queue, which is logged.
	_, _ = w.config.Queue.Prune(ctx, w.config.DB, keepFinished, pruneLimit)
}

// drain waits for the running jobs, and cancels those that take too long.
func (w *Worker) drain(cancel context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		w.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(w.config.Drain)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		cancel()
		<-done // bounded: finishing an attempt has its own time-out
	}
}

// attempt runs the task of a job.
func (w *Worker) attempt(ctx context.Context, j queue.Job) error {
	task, ok := w.config.Tasks[j.Kind]
	if !ok {
		return Permanent{fmt.Errorf("no task for jobs of kind %q", j.Kind)}
	}
	if j.Attempt > j.MaxAttempts {
		return Permanent{fmt.Errorf("%d attempts ended without an outcome: its workers died", j.MaxAttempts)}
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return task.Do(ctx, j)
}

// finish records how an attempt ended and returns the outcome. jobs is the
// context of all jobs, which has ended only when the worker gives up waiting.
func (w *Worker) finish(ctx, jobs context.Context, j queue.Job, cause error) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	q, db, task := w.config.Queue, w.config.DB, w.config.Tasks[j.Kind]
	switch {
	case cause == nil:
		return outcomeDone, store.InTx(ctx, db, func(tx pgx.Tx) error {
			if err := task.Succeeded(ctx, tx, j); err != nil {
				return err
			}
			return q.Complete(ctx, tx, j)
		})
	case jobs.Err() != nil:
		return outcomeReleased, q.Release(ctx, db, j)
	case errors.As(cause, new(Permanent)) || j.Attempt >= j.MaxAttempts:
		return outcomeDead, store.InTx(ctx, db, func(tx pgx.Tx) error {
			if task != nil {
				if err := task.Failed(ctx, tx, j); err != nil {
					return err
				}
			}
			return q.Bury(ctx, tx, j, cause)
		})
	default:
		return outcomeRetry, q.Retry(ctx, db, j, cause, w.config.Backoff(j.Attempt))
	}
}
