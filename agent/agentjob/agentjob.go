// Package agentjob measures background jobs, whatever runs them.
//
//	err := agentjob.Run(ctx, a, agentjob.Job{
//		Queue: "invites", Kind: "send_invite", ID: row.ID, Attempt: row.Attempt, MaxAttempts: 5,
//		Due: row.ScheduledAt, Trace: row.Trace,
//	}, func(ctx context.Context) error { return send(ctx, row) })
//
// Each attempt gets a consumer span in the trace of whoever enqueued the job,
// an observation of its duration in job_duration_seconds and of the time it was
// due before in job_wait_seconds, a count in jobs_total by outcome, a split of
// its time by component, a search for N+1 queries, and one log line.
// [ObserveQueue] exports how many jobs wait, and since when.
//
// The trace goes along with the job where the program stores it:
//
//	err := agentjob.Enqueue(ctx, a, "invites", func(ctx context.Context) error {
//		return insert(ctx, args, agentjob.Inject(ctx, a))
//	})
//
// Everything here is safe for concurrent use, returns the job's error as it is,
// and raises its panic again after recording it. No goroutine is started but
// for one at a time for each observed queue, while metrics are gathered. With a
// nil agent jobs are only run.
package agentjob

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
	"github.com/cacheu/plumbline/agent/internal/opmetrics"
)

// maxQueues caps the queues that are told apart; the jobs of further ones are
// counted as "other".
const maxQueues = 100

// Outcome is how an attempt ended. The values are a closed set, because they
// are a label.
type Outcome string

// The outcomes. A failed attempt that will be made again is a Retry; the last
// one is Failed.
const (
	OK        Outcome = catalog.JobOK
	Failed    Outcome = catalog.JobFailed
	Retry     Outcome = catalog.JobRetry
	Panicked  Outcome = catalog.JobPanicked
	Cancelled Outcome = catalog.JobCancelled
	Snoozed   Outcome = catalog.JobSnoozed
)

// Job describes one attempt at a job. Only Queue is needed.
type Job struct {
	// Queue names the queue: few distinct values, no identifiers. Empty counts
	// as "unknown".
	Queue string
	// Kind is what the job does, for the span and the log line.
	Kind string
	// ID identifies the job, for the span and the log line. It is no label.
	ID string
	// Attempt is 1 for the first. MaxAttempts is the most attempts there will
	// be; 0 means that this one is the last. Together they tell a Retry from
	// an attempt that Failed.
	Attempt, MaxAttempts int
	// Due is when the job could have run at the earliest: when it was
	// enqueued, or the time that it was scheduled for. The zero time observes
	// no wait.
	Due time.Time
	// Trace is what [Inject] returned where the job was enqueued, or nil.
	Trace map[string]string
	// NewTrace begins a trace for the attempt that is linked to the other one,
	// for jobs that run long after or very often.
	NewTrace bool
	// Outcome, if not nil, names the outcome of an error, for libraries whose
	// jobs end early by returning an error of a special type. The empty value
	// leaves the decision to the attempts.
	Outcome func(error) Outcome
}

// outcome is how an attempt ended.
func (j Job) outcome(err error, panicked any) Outcome {
	switch {
	case panicked != nil:
		return Panicked
	case err == nil:
		return OK
	}
	if j.Outcome != nil {
		switch o := j.Outcome(err); o {
		case OK, Failed, Retry, Cancelled, Snoozed:
			return o
		}
	}
	if j.Attempt < j.MaxAttempts {
		return Retry
	}
	return Failed
}

// kit is what all jobs of an agent share.
type kit struct {
	agent    *agent.Agent
	set      *opmetrics.Set
	outcomes *metrics.Cache[outcomeKey, prometheus.Counter]
	waits    *metrics.Cache[string, prometheus.Observer]
	failures *prometheus.CounterVec // to read a queue
	observed atomic.Int64           // queues
}

var _ agent.Capped = (*kit)(nil)

// Cap implements [agent.Capped].
func (k *kit) Cap() (label catalog.Label, values, most int) {
	return catalog.Queue, k.set.Len(), maxQueues
}

type outcomeKey struct {
	queue   string
	outcome Outcome
}

type kitKey struct{}

func kitOf(a *agent.Agent) *kit {
	return a.Kit(kitKey{}, func(a *agent.Agent) any {
		// Errors mean that the service registered other metrics of such names;
		// those are then not exported, and jobs run all the same.
		set, _ := opmetrics.New(a.Registerer(), opmetrics.Kind{
			Duration: catalog.JobDuration, Active: catalog.JobsActive,
			Seconds: catalog.JobComponentSeconds, Calls: catalog.JobComponentCalls, Limit: maxQueues,
		})
		jobs, _ := metrics.Counter(a.Registerer(), catalog.Jobs)
		wait, _ := metrics.Histogram(a.Registerer(), catalog.JobWait)
		failures, _ := metrics.Counter(a.Registerer(), catalog.JobQueueCollectErrors)
		// Queues are capped by the set already.
		return &kit{
			agent: a, set: set, failures: failures,
			outcomes: metrics.NewCache(8*(maxQueues+1), func(k outcomeKey) outcomeKey { k.queue = catalog.Overflow; return k },
				func(k outcomeKey) prometheus.Counter { return jobs.WithLabelValues(k.queue, string(k.outcome)) }),
			waits: metrics.NewCache(maxQueues+1, func(string) string { return catalog.Overflow },
				func(queue string) prometheus.Observer { return wait.WithLabelValues(queue) }),
		}
	}).(*kit)
}

// Run runs one attempt at a job and returns its error.
func Run(ctx context.Context, a *agent.Agent, job Job, f func(context.Context) error) (err error) {
	if a == nil {
		return f(ctx)
	}
	k := kitOf(a)
	queue := k.set.Name(job.Queue)
	wait := job.wait(time.Now())
	if wait >= 0 {
		k.waits.Get(queue.Text).Observe(wait.Seconds())
	}
	queue.Active.Inc()
	ctx, operation := a.StartOperation(ctx, agent.OperationInfo{
		Name: "process " + queue.Text, Kind: trace.SpanKindConsumer, NewTrace: job.NewTrace,
		Caller: propagation.MapCarrier(job.Trace), Attributes: job.attributes(queue.Text),
	})
	defer func() {
		panicked := recover()
		queue.Active.Dec()
		outcome := job.outcome(err, panicked)
		k.outcomes.Get(outcomeKey{queue.Text, outcome}).Inc()
		operation.End(agent.Outcome{
			Series: k.set.Series(queue, ""), ErrorType: errorType(outcome, err), Err: err, Panic: panicked,
			Attributes: []attribute.KeyValue{attribute.String(catalog.AttrJobOutcome, string(outcome))},
			Message:    "job", Pairs: job.pairs(queue.Text, outcome, wait),
		})
		if panicked != nil {
			panic(panicked)
		}
	}()
	return f(ctx)
}

// wait is how long the job was due before now, or negative where that is not
// known. Clocks of different machines may disagree: a job that was taken before
// it was due has not waited.
func (j Job) wait(now time.Time) time.Duration {
	if j.Due.IsZero() {
		return -1
	}
	return max(0, now.Sub(j.Due))
}

func (j Job) attributes(queue string) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 5)
	attributes = append(attributes,
		attribute.String(catalog.AttrMessagingDestination, queue),
		attribute.String(catalog.AttrMessagingOperation, "process"))
	if j.Kind != "" {
		attributes = append(attributes, attribute.String(catalog.AttrJobKind, opmetrics.Clean(j.Kind)))
	}
	if j.ID != "" {
		attributes = append(attributes, attribute.String(catalog.AttrMessagingMessageID, opmetrics.Clean(j.ID)))
	}
	if j.Attempt > 0 {
		attributes = append(attributes, attribute.Int(catalog.AttrJobAttempt, j.Attempt))
	}
	return attributes
}

func (j Job) pairs(queue string, outcome Outcome, wait time.Duration) []string {
	pairs := append(make([]string, 0, 12), catalog.LogQueue, queue, catalog.LogOutcome, string(outcome))
	if j.Kind != "" {
		pairs = append(pairs, catalog.LogKind, j.Kind)
	}
	if j.ID != "" {
		pairs = append(pairs, catalog.LogJobID, j.ID)
	}
	if j.Attempt > 0 {
		pairs = append(pairs, catalog.LogAttempt, strconv.Itoa(j.Attempt))
	}
	if wait >= 0 {
		pairs = append(pairs, catalog.LogWait, strconv.FormatFloat(wait.Seconds(), 'f', 6, 64))
	}
	return pairs
}

// errorType is the class of a failed attempt's error; empty where it did not
// fail. The error's text is in the log line and the span's status.
func errorType(outcome Outcome, err error) string {
	switch {
	case outcome != Failed && outcome != Retry:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return catalog.MethodOther
}

// Enqueue calls put, which stores a job, within a producer span, and charges
// the time to the component "queue" of the request in ctx. The trace that
// [Inject] takes from put's context leads from the job back to here. It returns
// put's error.
func Enqueue(ctx context.Context, a *agent.Agent, queue string, put func(context.Context) error) error {
	if a == nil {
		return put(ctx)
	}
	name := kitOf(a).set.Name(queue).Text
	ctx, call := a.StartCall(ctx, agent.CallInfo{
		Component: catalog.Queued, Name: "send " + name, Kind: trace.SpanKindProducer,
		Attributes: []attribute.KeyValue{
			attribute.String(catalog.AttrMessagingDestination, name), attribute.String(catalog.AttrMessagingOperation, "send"),
		},
	})
	err := put(ctx)
	if err == nil {
		call.End(nil)
		return nil
	}
	class := failure(errorType(Failed, err))
	call.End(class, attribute.String(catalog.AttrErrorType, string(class)))
	return err
}

// failure stands for the error of storing a job in a span: its class. The text
// of a database's error may quote values of the job.
type failure string

// Error implements error.
func (f failure) Error() string { return string(f) }

// Inject returns the trace of ctx in the formats that the agent is configured
// for, to be stored with a job and given to [Job.Trace]: at most a few short
// strings. It is nil where there is no trace.
func Inject(ctx context.Context, a *agent.Agent) map[string]string {
	headers := propagation.MapCarrier{}
	a.Propagator().Inject(ctx, headers)
	if len(headers) == 0 {
		return nil
	}
	return headers
}

// Extract returns ctx with the trace of what [Inject] returned, for programs
// that do not use [Run].
func Extract(ctx context.Context, a *agent.Agent, headers map[string]string) context.Context {
	return a.Propagator().Extract(ctx, propagation.MapCarrier(headers))
}
