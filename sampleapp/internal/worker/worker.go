// Package worker does the jobs that were enqueued.
//
// River takes due jobs, a bounded number at a time; each runs on its own
// goroutine, in the trace of the request that enqueued it, measured by the
// agent. A job that fails is tried again later, at growing distances, and given
// up after its last attempt or an error marked as [Permanent].
//
// An idle worker costs a few small statements per second.
package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/faults"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/quiet"
)

// Defaults of [Config].
const (
	DefaultConcurrency = 4
	DefaultPoll        = 500 * time.Millisecond
	DefaultDrain       = 10 * time.Second
	// DefaultAttemptTimeout and DefaultRescueAfter tell a job that takes long
	// from one whose worker died.
	DefaultAttemptTimeout = 10 * time.Second
	DefaultRescueAfter    = 30 * time.Second
	// finishTimeout bounds the recording of a job's effect.
	finishTimeout = 5 * time.Second
	// keepFinished is how long finished jobs stay in the table.
	keepFinished = time.Hour
)

// Config configures a worker. DB and Sender are required.
type Config struct {
	// Agent observes the worker. Nil observes nothing.
	Agent *agent.Agent
	DB    *pgxpool.Pool
	// Sender sends the invites.
	Sender Sender
	// Faults are drills of misbehaviour. Nil has none.
	Faults *faults.Source
	// Concurrency is the most jobs at one time. Defaults to 4.
	Concurrency int
	// Poll is the distance between looks at an empty queue, where no
	// notification of a new job comes earlier. Defaults to 0.5 seconds.
	Poll time.Duration
	// Drain bounds how long running jobs may take after the stop; then they
	// are cancelled and given back. Defaults to 10 seconds.
	Drain time.Duration
	// AttemptTimeout bounds one attempt. Defaults to 10 seconds.
	AttemptTimeout time.Duration
	// RescueAfter is when a job that has not ended is taken for one whose worker
	// died, and tried again. It must exceed AttemptTimeout by the 5 seconds that
	// recording its effect may take. Defaults to 30 seconds.
	RescueAfter time.Duration
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
	if c.AttemptTimeout <= 0 {
		c.AttemptTimeout = DefaultAttemptTimeout
	}
	if c.RescueAfter <= 0 {
		c.RescueAfter = DefaultRescueAfter
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			return min(time.Second<<min(attempt, 20), 5*time.Minute)
		}
	}
	return c
}

// Worker does the jobs of the invites' queue.
type Worker struct {
	config Config
	client *river.Client[pgx.Tx]
	busy   atomic.Int64 // jobs that run now
}

// New returns a worker. It does not connect.
func New(c Config) (*Worker, error) {
	w := &Worker{config: c.withDefaults()}
	if least := w.config.AttemptTimeout + finishTimeout; w.config.RescueAfter <= least {
		return nil, fmt.Errorf("RescueAfter is %v: want more than %v, or jobs are done twice at a time", w.config.RescueAfter, least)
	}
	if err := w.renew(); err != nil {
		return nil, err
	}
	if err := agentjob.ObserveQueue(c.Agent, jobs.Invites, jobs.Depth(c.DB, jobs.Invites)); err != nil {
		return nil, err
	}
	if _, err := c.Agent.ObserveUsage(catalog.ResourceWorkers, w.usage); err != nil {
		return nil, err
	}
	return w, nil
}

// usage tells how many jobs run. How many wait is in the database, which is
// asked for the depth of the queue already.
func (w *Worker) usage() agent.Usage {
	return agent.Usage{Used: float64(w.busy.Load()), Limit: float64(w.config.Concurrency), Waiting: -1, Waited: -1}
}

// renew makes a client of River that has not been started.
func (w *Worker) renew() (err error) {
	c := w.config
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &inviteWorker{db: c.DB, sender: c.Sender, faults: c.Faults, busy: &w.busy}); err != nil {
		return fmt.Errorf("add the worker for invites: %w", err)
	}
	w.client, err = river.NewClient(riverpgxv5.New(c.DB), &river.Config{
		Queues:  map[string]river.QueueConfig{jobs.Invites: {MaxWorkers: c.Concurrency}},
		Workers: workers, Middleware: []rivertype.Middleware{jobs.Measure(c.Agent)}, Logger: quiet.Logger(c.Agent),
		JobTimeout: c.AttemptTimeout, RescueStuckJobsAfter: c.RescueAfter, SoftStopTimeout: c.Drain, RetryPolicy: backoff(c.Backoff),
		FetchPollInterval: c.Poll, FetchCooldown: min(c.Poll, river.FetchCooldownDefault),
		CompletedJobRetentionPeriod: keepFinished, CancelledJobRetentionPeriod: keepFinished, DiscardedJobRetentionPeriod: keepFinished,
	})
	if err != nil {
		return fmt.Errorf("prepare to take jobs: %w", err)
	}
	return nil
}

// backoff is a policy of River.
type backoff func(attempt int) time.Duration

// NextRetry implements [river.ClientRetryPolicy].
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time { return time.Now().Add(b(job.Attempt)) }

// Run takes and does jobs until ctx ends, and returns when the last running one
// has ended or was given back. It is called once.
func (w *Worker) Run(ctx context.Context) {
	if !w.start(ctx) {
		return
	}
	<-ctx.Done()
	// River cancels the jobs that take too long. Then all that is left to do is
	// recording, which has a time-out of its own.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.config.Drain+2*finishTimeout)
	defer cancel()
	if err := w.client.Stop(stop); err != nil {
		level.Error(w.config.Agent.Logger(ctx)).Log(catalog.LogMessage, "the worker did not stop in order; its jobs will be tried again", catalog.LogError, err)
	}
}

// start starts River, as soon as the database answers, and reports whether it
// has: not where ctx ends before.
func (w *Worker) start(ctx context.Context) bool {
	// Jobs keep running when ctx ends: they are drained.
	base := quiet.Context(context.WithoutCancel(ctx))
	failing := false
	for {
		err := w.client.Start(base)
		if err != nil && !failing {
			level.Error(w.config.Agent.Logger(ctx)).Log(catalog.LogMessage, "the queue cannot be read; trying on", catalog.LogError, err)
		}
		if err == nil {
			if failing {
				level.Info(w.config.Agent.Logger(ctx)).Log(catalog.LogMessage, "the queue can be read again")
			}
			return true
		}
		failing = true
		select {
		case <-ctx.Done():
			return false
		case <-time.After(w.config.Poll):
		}
		if err := w.renew(); err != nil {
			return false // cannot happen: the same configuration was good before
		}
	}
}
