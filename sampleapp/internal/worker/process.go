package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/queue"
)

// tracerName is the instrumentation scope of the worker's spans.
const tracerName = "github.com/cacheu/plumbline/sampleapp/internal/worker"

// The outcomes of an attempt, as a label of the jobs counter.
const (
	outcomeDone     = "done"
	outcomeRetry    = "retry"
	outcomeDead     = "dead"
	outcomeReleased = "released"
)

// process runs one attempt of a job, in the trace of its enqueuer.
func (w *Worker) process(jobs context.Context, j queue.Job) {
	a := w.config.Agent
	start := time.Now()
	ctx := a.Propagator().Extract(jobs, propagation.MapCarrier(j.Trace))
	ctx, span := a.TracerProvider().Tracer(tracerName).Start(ctx, "process "+w.config.Queue.Name,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String(catalog.AttrMessagingSystem, "postgresql"),
			attribute.String(catalog.AttrMessagingDestination, w.config.Queue.Name),
			attribute.String(catalog.AttrMessagingOperation, "process")))
	defer span.End()
	err := w.attempt(ctx, j)
	outcome, finishErr := w.finish(ctx, jobs, j, err)
	took := time.Since(start)
	w.metrics.observe(span.SpanContext(), outcome, took, j.Waited)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	logger := a.Logger(ctx)
	if finishErr != nil {
		// The lease will end, and the job be tried again.
		span.SetStatus(codes.Error, finishErr.Error())
		level.Error(logger).Log(catalog.LogMessage, "the outcome of a job could not be recorded",
			catalog.LogJobID, j.ID, "outcome", outcome, catalog.LogError, finishErr)
		return
	}
	line := level.Info(logger)
	fields := []any{catalog.LogMessage, "job " + outcome, catalog.LogJobID, j.ID, "kind", j.Kind, "attempt", j.Attempt,
		"waited_seconds", j.Waited.Seconds(), catalog.LogDuration, took.Seconds()}
	if err != nil {
		line, fields = level.Warn(logger), append(fields, catalog.LogError, err)
	}
	line.Log(fields...)
}

// jobMetrics are the instruments of one queue.
type jobMetrics struct {
	duration, wait prometheus.Observer
	outcomes       map[string]prometheus.Counter
}

func newJobMetrics(a *agent.Agent, queueName string) (*jobMetrics, error) {
	duration, wait := histogram(catalog.JobDuration), histogram(catalog.JobWait)
	d := catalog.Jobs.Desc()
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.LabelNames())
	for _, c := range []prometheus.Collector{duration, wait, outcomes} {
		if err := a.Registerer().Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of queue %s: %w", queueName, err)
		}
	}
	m := &jobMetrics{
		duration: duration.WithLabelValues(queueName), wait: wait.WithLabelValues(queueName),
		outcomes: make(map[string]prometheus.Counter),
	}
	// All of them from the start: a counter that appears at 1 has no increase.
	for _, o := range []string{outcomeDone, outcomeRetry, outcomeDead, outcomeReleased} {
		m.outcomes[o] = outcomes.WithLabelValues(queueName, o)
	}
	return m, nil
}

// histogram makes a histogram of the catalogue with native and classic buckets,
// as the agent's own have.
func histogram(h catalog.Histogram) *prometheus.HistogramVec {
	d := h.Desc()
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: d.Name, Help: d.Help, Buckets: h.Buckets,
		NativeHistogramBucketFactor: 1.05, NativeHistogramMaxBucketNumber: 160,
		NativeHistogramMinResetDuration: time.Hour,
	}, d.LabelNames())
}

func (m *jobMetrics) observe(sc trace.SpanContext, outcome string, took, waited time.Duration) {
	m.outcomes[outcome].Inc()
	m.wait.Observe(waited.Seconds())
	if e, ok := m.duration.(prometheus.ExemplarObserver); ok && sc.IsSampled() {
		e.ObserveWithExemplar(took.Seconds(), prometheus.Labels{catalog.ExemplarTraceID: sc.TraceID().String()})
		return
	}
	m.duration.Observe(took.Seconds())
}
