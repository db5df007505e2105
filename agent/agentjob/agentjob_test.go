package agentjob_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

var errBoom = errors.New("boom")

// counts renders jobs_total as "queue outcome n".
func counts(rec *agenttest.Recorder) string {
	var all []string
	for _, m := range rec.Metric(catalog.Jobs) {
		l := agenttest.Labels(m)
		all = append(all, fmt.Sprint(l[string(catalog.Queue)], " ", l[string(catalog.Outcome)], " ", m.GetCounter().GetValue()))
	}
	return strings.Join(all, ", ")
}

// part is the seconds and calls of a component.
func part(rec *agenttest.Recorder, c catalog.Component) (seconds, calls float64) {
	for _, m := range rec.Metric(catalog.JobComponentSeconds) {
		if agenttest.Labels(m)[string(catalog.ComponentLabel)] == string(c) {
			seconds += m.GetCounter().GetValue()
		}
	}
	for _, m := range rec.Metric(catalog.JobComponentCalls) {
		if agenttest.Labels(m)[string(catalog.ComponentLabel)] == string(c) {
			calls += m.GetCounter().GetValue()
		}
	}
	return seconds, calls
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	fail := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	classify := func(o agentjob.Outcome) func(error) agentjob.Outcome {
		return func(error) agentjob.Outcome { return o }
	}
	tests := map[string]struct {
		job       agentjob.Job
		run       func(context.Context) error
		want      agentjob.Outcome
		errorType string
	}{
		"a job that succeeds":                          {run: fail(nil), want: agentjob.OK},
		"an attempt that will be made again":           {job: agentjob.Job{Attempt: 1, MaxAttempts: 3}, run: fail(errBoom), want: agentjob.Retry, errorType: "_OTHER"},
		"the last attempt":                             {job: agentjob.Job{Attempt: 3, MaxAttempts: 3}, run: fail(errBoom), want: agentjob.Failed, errorType: "_OTHER"},
		"a job without attempts":                       {run: fail(fmt.Errorf("send: %w", context.DeadlineExceeded)), want: agentjob.Failed, errorType: "timeout"},
		"a worker that is stopped":                     {job: agentjob.Job{Attempt: 1, MaxAttempts: 3}, run: fail(context.Canceled), want: agentjob.Retry, errorType: "canceled"},
		"a panic":                                      {run: func(context.Context) error { panic("boom") }, want: agentjob.Panicked, errorType: "panic"},
		"an error that the library means as a snooze":  {job: agentjob.Job{Outcome: classify(agentjob.Snoozed)}, run: fail(errBoom), want: agentjob.Snoozed},
		"an error that the library means as a success": {job: agentjob.Job{Outcome: classify(agentjob.OK)}, run: fail(errBoom), want: agentjob.OK},
		"an outcome that somebody invents":             {job: agentjob.Job{Outcome: classify("42")}, run: fail(errBoom), want: agentjob.Failed, errorType: "_OTHER"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := agenttest.New(t)
			c.job.Queue, c.job.Kind, c.job.ID = "mail", "welcome", "j-1"
			var err error
			panicked := func() (p any) {
				defer func() { p = recover() }()
				err = agentjob.Run(t.Context(), rec.Agent(), c.job, c.run)
				return nil
			}()
			if (panicked != nil) != (c.want == agentjob.Panicked) || panicked != nil && panicked != "boom" {
				t.Errorf("panic %v", panicked)
			}
			if panicked == nil {
				if want := c.run(t.Context()); !errors.Is(err, want) {
					t.Errorf("error %v, want the job's: %v", err, want)
				}
			}
			if got := counts(rec); got != fmt.Sprintf("mail %s 1", c.want) {
				t.Errorf("counted %q, want %s", got, c.want)
			}
			span := rec.Spans()[0]
			if got := agenttest.Attribute(span, catalog.AttrErrorType); got != c.errorType || (span.Status().Code == otelcodes.Error) != (c.errorType != "") {
				t.Errorf("error type %q, status %v", got, span.Status())
			}
			if got := agenttest.Attribute(span, catalog.AttrJobOutcome); got != string(c.want) || span.SpanKind() != trace.SpanKindConsumer {
				t.Errorf("outcome %q of a span of kind %s", got, span.SpanKind())
			}
			if h := rec.Metric(catalog.JobDuration); len(h) != 1 || h[0].GetHistogram().GetSampleCount() != 1 {
				t.Errorf("durations %v", h)
			}
			if active := rec.Metric(catalog.JobsActive); active[0].GetGauge().GetValue() != 0 {
				t.Errorf("active %v", active)
			}
			lines := rec.Lines()
			last := lines[len(lines)-1]
			if !strings.Contains(last, " msg=job queue=mail outcome="+string(c.want)+" kind=welcome job_id=j-1 ") {
				t.Errorf("log %q", last)
			}
		})
	}
}

// TestTimes has the clock of synctest, so that the numbers are exact.
func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec := agenttest.New(t)
		job := agentjob.Job{Queue: "mail", Due: time.Now().Add(-3 * time.Second), Attempt: 2}
		err := agentjob.Run(t.Context(), rec.Agent(), job, func(ctx context.Context) error {
			<-time.After(40 * time.Millisecond)
			_, call := rec.Agent().StartCall(ctx, agent.CallInfo{Component: catalog.HTTP, Name: "POST"})
			<-time.After(200 * time.Millisecond)
			call.End(nil)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range map[float64]catalog.Histogram{3: catalog.JobWait, 0.24: catalog.JobDuration} {
			if got := rec.Metric(m)[0].GetHistogram().GetSampleSum(); got != name {
				t.Errorf("%s: %v s, want %v", m.Desc().Name, got, name)
			}
		}
		if seconds, calls := part(rec, catalog.HTTP); seconds != 0.2 || calls != 1 {
			t.Errorf("http: %v s in %v calls", seconds, calls)
		}
		if seconds, _ := part(rec, catalog.Self); seconds != 0.04 {
			t.Errorf("self: %v s", seconds)
		}
		if line := rec.Lines()[0]; !strings.Contains(line, " attempt=2 wait_seconds=3.000000 duration_seconds=0.240000 time_http=0.200000 time_self=0.040000") {
			t.Errorf("log %q", line)
		}
	})
}

func TestAJobThatIsNotDueYetHasNotWaited(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	nothing := func(context.Context) error { return nil }
	_ = agentjob.Run(t.Context(), rec.Agent(), agentjob.Job{Queue: "a", Due: time.Now().Add(time.Hour)}, nothing)
	_ = agentjob.Run(t.Context(), rec.Agent(), agentjob.Job{Queue: "b"}, nothing)
	waits := rec.Metric(catalog.JobWait)
	if len(waits) != 1 || waits[0].GetHistogram().GetSampleSum() != 0 || agenttest.Labels(waits[0])[string(catalog.Queue)] != "a" {
		t.Errorf("waits %v, want one of 0 s in queue a", waits)
	}
}

func TestTheTraceLeadsFromTheJobToWhoEnqueuedIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		newTrace      bool
		parent, links int
	}{
		"as its child":        {parent: 1},
		"by a link, if asked": {newTrace: true, links: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := agenttest.New(t)
			var carried map[string]string
			ctx, request := rec.Agent().StartOperation(t.Context(), agent.OperationInfo{Name: "request"})
			err := agentjob.Enqueue(ctx, rec.Agent(), "mail", func(ctx context.Context) error {
				carried = agentjob.Inject(ctx, rec.Agent())
				return nil
			})
			request.End(agent.Outcome{})
			if err != nil {
				t.Fatal(err)
			}
			job := agentjob.Job{Queue: "mail", Trace: carried, NewTrace: c.newTrace}
			if err := agentjob.Run(t.Context(), rec.Agent(), job, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
			spans := rec.Spans()
			send, process := spans[0], spans[2]
			if send.Name() != "send mail" || send.SpanKind() != trace.SpanKindProducer || process.Name() != "process mail" {
				t.Fatalf("spans %q (%s) and %q", send.Name(), send.SpanKind(), process.Name())
			}
			if child := process.Parent().SpanID() == send.SpanContext().SpanID(); child != (c.parent == 1) {
				t.Errorf("parent %v", process.Parent())
			}
			if len(process.Links()) != c.links || c.links == 1 && process.Links()[0].SpanContext.SpanID() != send.SpanContext().SpanID() {
				t.Errorf("links %v", process.Links())
			}
			if same := process.SpanContext().TraceID() == send.SpanContext().TraceID(); same == c.newTrace {
				t.Errorf("the same trace: %v", same)
			}
			if got := trace.SpanContextFromContext(agentjob.Extract(t.Context(), rec.Agent(), carried)).SpanID(); got != send.SpanContext().SpanID() {
				t.Errorf("extracted %s", got)
			}
		})
	}
}

func TestEnqueueingIsChargedToTheQueue(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	err := agentjob.Run(t.Context(), rec.Agent(), agentjob.Job{Queue: "a"}, func(ctx context.Context) error {
		return agentjob.Enqueue(ctx, rec.Agent(), "b", func(context.Context) error { return fmt.Errorf("insert hunter2: %w", errBoom) })
	})
	if !errors.Is(err, errBoom) {
		t.Errorf("error %v", err)
	}
	if _, calls := part(rec, catalog.Queued); calls != 1 {
		t.Errorf("%v calls of queue, want 1", calls)
	}
	if got := rec.Spans()[0].Status().Description; got != "_OTHER" {
		t.Errorf("the producer's span says %q, want the class of the error alone", got)
	}
}

func TestNPlusOneIsFoundInAJob(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	query := func(ctx context.Context, signature string, rows int64) {
		_, call := rec.Agent().StartCall(ctx, agent.CallInfo{Component: catalog.DB, Name: "SELECT", Query: signature})
		call.SetRows(rows)
		call.End(nil)
	}
	_ = agentjob.Run(t.Context(), rec.Agent(), agentjob.Job{Queue: "digest"}, func(ctx context.Context) error {
		query(ctx, "select id from users", 20)
		for range 20 {
			query(ctx, "select 1 from posts where author = ?", 1)
		}
		return nil
	})
	found := rec.Metric(catalog.DBClientNPlusOne)
	if len(found) != 1 || agenttest.Labels(found[0])[string(catalog.HTTPRoute)] != "process digest" {
		t.Errorf("findings %v, want one of process digest", found)
	}
}

func TestQueueNamesAreCapped(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	run := func(queue string) {
		job := agentjob.Job{Queue: queue, Kind: "\xff" + strings.Repeat("k", 500), Due: time.Now()}
		if err := agentjob.Run(t.Context(), rec.Agent(), job, func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	run("")
	run("bad \xff name")
	run(strings.Repeat("long", 100))
	for i := range 300 {
		run(fmt.Sprint("queue ", i))
	}
	for _, m := range []catalog.Metric{catalog.Jobs, catalog.JobWait, catalog.JobDuration, catalog.JobsActive} {
		series := rec.Metric(m)
		if len(series) != 101 {
			t.Errorf("%s: %d series, want 100 and one for the rest", m.Desc().Name, len(series))
		}
		for _, s := range series {
			if name := agenttest.Labels(s)[string(catalog.Queue)]; len(name) > 128 || name == "" {
				t.Errorf("%s: queue %q", m.Desc().Name, name)
			}
		}
	}
	if got := counts(rec); !strings.Contains(got, "other ok 203") || !strings.Contains(got, "unknown ok 1") {
		t.Errorf("counted %q", got)
	}
}

func TestANilAgentOnlyRuns(t *testing.T) {
	t.Parallel()
	fail := func(context.Context) error { return errBoom }
	if err := agentjob.Run(t.Context(), nil, agentjob.Job{Queue: "a"}, fail); !errors.Is(err, errBoom) {
		t.Error(err)
	}
	if err := agentjob.Enqueue(t.Context(), nil, "a", fail); !errors.Is(err, errBoom) {
		t.Error(err)
	}
	if err := agentjob.ObserveQueue(nil, "a", nil); err != nil {
		t.Error(err)
	}
	if got := agentjob.Inject(t.Context(), nil); got != nil {
		t.Errorf("injected %v", got)
	}
	if ctx := agentjob.Extract(t.Context(), nil, nil); ctx != t.Context() {
		t.Error("extracting made a context")
	}
}
