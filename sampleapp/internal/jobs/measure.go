package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/sampleapp/internal/quiet"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// metadata is what sampleapp keeps in River's metadata of a job.
type metadata struct {
	Trace map[string]string `json:"trace,omitempty"`
}

func withTrace(trace map[string]string) ([]byte, error) {
	raw, err := json.Marshal(metadata{trace})
	if err != nil {
		return nil, fmt.Errorf("encode the trace of a job: %w", err)
	}
	return raw, nil
}

// traceOf returns the trace that a job was enqueued with. A job without one, or
// with something else in its place, begins a trace of its own.
func traceOf(j *rivertype.JobRow) map[string]string {
	var m metadata
	if err := json.Unmarshal(j.Metadata, &m); err != nil {
		return nil
	}
	return m.Trace
}

// Measure returns River's middleware that has the agent measure each attempt.
func Measure(a *agent.Agent) rivertype.Middleware {
	return river.WorkerMiddlewareFunc(func(ctx context.Context, j *rivertype.JobRow, work func(context.Context) error) error {
		return agentjob.Run(quiet.Lift(ctx), a, agentjob.Job{
			Queue: j.Queue, Kind: j.Kind, ID: strconv.FormatInt(j.ID, 10), Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
			Due: j.ScheduledAt, Trace: traceOf(j), Outcome: outcome,
		}, work)
	})
}

// outcome names the errors by which a job tells River more than that it failed.
func outcome(err error) agentjob.Outcome {
	switch {
	case errors.As(err, new(*river.JobSnoozeError)):
		return agentjob.Snoozed
	case errors.As(err, new(*river.JobCancelError)):
		return agentjob.Failed // what no further attempt would change
	case errors.Is(err, context.Canceled):
		return agentjob.Cancelled // the worker stops: the job is given back
	}
	return "" // a retry, or the last attempt
}

// Depth reads how many jobs of a queue are due, and since when the oldest is.
func Depth(db store.DB, queue string) agentjob.ReadQueue {
	return func(ctx context.Context) (depth int64, oldest time.Duration, err error) {
		// River moves jobs from scheduled and retryable to available some seconds
		// after they are due. Who waits for them waits from then on.
		err = db.QueryRow(quiet.Context(ctx), `select count(*), coalesce(max(now() - scheduled_at), '0')
			from river_job where queue = $1 and state in ('available', 'retryable', 'scheduled') and scheduled_at <= now()`,
			queue).Scan(&depth, &oldest)
		if err != nil {
			return 0, 0, fmt.Errorf("read the queue: %w", err)
		}
		return depth, oldest, nil
	}
}
