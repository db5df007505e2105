package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

const (
	noJobs  = "no job of this service in this time range"
	noQueue = "the service reads the state of no queue"
	queued  = "The queue is read every few seconds, whether or not a worker is there."
)

// Outcomes of an attempt at a job.
const (
	outcomeRetry     = "retry"
	outcomeFailed    = "error"
	outcomePanicked  = "panic"
	outcomeCancelled = "cancelled"
	outcomeSnoozed   = "snoozed"
)

// jobs shows work that nobody waits for while he looks: whether it gets done,
// how late, and what it costs.
func jobs(o Options) (Dashboard, error) {
	return assemble(catalog.DashboardJobs, "Jobs",
		"Background jobs: how many wait and since when, how long they take, how they end.",
		join(chooseSources(catalog.VarPrometheus, catalog.VarLoki, catalog.VarJaeger),
			chooseService("Every service that works on jobs.", func(ms ...promql.Matcher) promql.Expr {
				return promql.Of(o.Flavor, catalog.JobDuration, promql.WholeRange(), ms...).Present()
			}),
			chooseInstance(),
			choices{orAll(valuesVariable(catalog.VarQueue, "Queue", "Queues that the service works on.",
				promql.Value(catalog.JobsActive, thisService()...), catalog.Queue))}),
		[]row{
			{"Is the work done in time", []panel{waitingJobs(), oldestJob(), jobRate(), o.jobWaitP99(), jobFailures(), jobRetries()}},
			{"What waits", []panel{queueDepth(), queueAge(), o.jobWait()}},
			{"How long it takes", []panel{o.jobDuration(), o.jobHeatmap()}},
			{"How it ends", []panel{jobOutcomes(), jobRatios(), jobsUnderWay(), o.jobComponents()}},
			{"Single jobs", []panel{jobTraces(), jobLines()}},
		})
}

// theseJobs matches the series of the chosen queues.
func theseJobs(ms ...promql.Matcher) []promql.Matcher {
	return append(append(theseInstances(), promql.Selected(catalog.Queue, catalog.VarQueue)), ms...)
}

// attempts is how many attempts per second ended in one of the outcomes; 0, and
// not nothing, where none did.
func attempts(w promql.Window, by []catalog.Label, outcomes ...string) promql.Expr {
	all := promql.Sum(promql.Rate(catalog.Jobs, w, theseJobs()...), by...)
	return promql.Or(promql.Sum(promql.Rate(catalog.Jobs, w, theseJobs(promql.OneOf(catalog.Outcome, outcomes...))...), by...),
		promql.Times(all, promql.Number(0)))
}

// shareOf is their share of all attempts.
func shareOf(w promql.Window, by []catalog.Label, outcomes ...string) promql.Expr {
	return promql.Div(attempts(w, by, outcomes...), promql.Sum(promql.Rate(catalog.Jobs, w, theseJobs()...), by...))
}

func waitingJobs() panel {
	return panel{newStat("Waiting", "Jobs that are due and wait for a worker at the end of the time range. "+
		"A number that stays is a queue that keeps up; one that only rises needs more workers, or faster ones.", unitCount, noQueue).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.JobQueueDepth, theseJobs()...)), "Waiting"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardUtilization, "What the workers use"))
}

func oldestJob() panel {
	return panel{newStat("Oldest", "How long the oldest job that is due has waited. It says more than the depth: a thousand jobs of a minute ago are fewer worries than one of yesterday. "+
		"Orange after a minute, red after ten.", unitTime, noQueue).
		Thresholds(steps(good, above(60, warn), above(600, bad))).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.JobQueueOldestAge, theseJobs()...)), "Oldest"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func jobRate() panel {
	return panel{newStat("Attempts", "Attempts at jobs per second that ended, averaged over the time range, whatever their outcome. A job that is retried counts once for each attempt.",
		unitOps, noJobs).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.Jobs, promql.WholeRange(), theseJobs()...)), "Attempts"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

// waits is the distribution of the times from being due to being taken.
func (o Options) waits(w promql.Window) promql.Distribution {
	return promql.Of(o.Flavor, catalog.JobWait, w, theseJobs()...)
}

// work is the distribution of the durations of attempts.
func (o Options) work(w promql.Window) promql.Distribution {
	return promql.Of(o.Flavor, catalog.JobDuration, w, theseJobs()...)
}

func (o Options) jobWaitP99() panel {
	return panel{newStat("P99 of the wait", "One job in a hundred waited longer than this from being due to being taken by a worker. It is what users feel of a queue.", unitTime, noJobs).
		WithTarget(query{"A", o.waits(promql.WholeRange()).Quantile(0.99), "P99 of the wait"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardP99, "Percentiles of requests"))
}

func jobFailures() panel {
	return panel{newStat("Failed for good", "Share of the attempts that ended in an error and will not be made again, or in a panic. Each of them is work that was promised and not done.", unitRatio, noJobs).
		Thresholds(steps(good, above(0.001, warn), above(0.01, bad))).
		WithTarget(query{"A", shareOf(promql.WholeRange(), nil, outcomeFailed, outcomePanicked), "Failed for good"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func jobRetries() panel {
	return panel{newStat("To be retried", "Share of the attempts that failed and will be made again. A few are what retries are for; many are a dependency in trouble, and load that comes back.", unitRatio, noJobs).
		Thresholds(steps(good, above(0.05, warn), above(0.25, bad))).
		WithTarget(query{"A", shareOf(promql.WholeRange(), nil, outcomeRetry), "To be retried"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func queueDepth() panel {
	return panel{newTimeSeries("Depth", "Jobs that are due and wait for a worker, by queue. "+queued+" A saw is a producer that comes in bursts; a ramp is more work than the workers do.", unitCount, noQueue).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.JobQueueDepth, theseJobs()...), catalog.Queue), by(catalog.Queue)}.overTime()), 8, 9}.
		to(toBoard(catalog.DashboardUtilization, "What the workers use"))
}

func queueAge() panel {
	return panel{newTimeSeries("Age of the oldest", "How long the oldest job that is due has waited, by queue. "+queued+" A line that rises a second per second is a queue that nobody works on.", unitTime, noQueue).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.JobQueueOldestAge, theseJobs()...), catalog.Queue), by(catalog.Queue)}.overTime()), 8, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func (o Options) jobWait() panel {
	d := o.waits(promql.RateInterval()).By(catalog.Queue)
	return panel{newTimeSeries("Wait", "How long jobs waited from being due to being taken, by queue: P50 is what is usual, P99 what one job in a hundred exceeds. "+
		"It is of jobs that were taken: those that still wait are in the two charts to the left.", unitTime, noJobs).
		WithTarget(query{"p50", d.Quantile(0.5), by(catalog.Queue) + " P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), by(catalog.Queue) + " P99"}.overTime()), 8, 9}.
		to(toBoard(catalog.DashboardP99, "Percentiles of requests"))
}

func (o Options) jobDuration() panel {
	d := o.work(promql.RateInterval()).By(catalog.Queue)
	return panel{newTimeSeries("Duration of an attempt", "How long a worker spent on one attempt, by queue, waiting not included. Points are single attempts: click one to open its trace, which begins where the job was enqueued.", unitTime, noJobs).
		WithTarget(query{"mean", d.Mean(), by(catalog.Queue) + " mean"}.overTime()).
		WithTarget(query{"p50", d.Quantile(0.5), by(catalog.Queue) + " P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), by(catalog.Queue) + " P99"}.withExemplars()), 12, 10}.
		to(toBoard(catalog.DashboardProfiling, "Profiles of the service"))
}

func (o Options) jobHeatmap() panel {
	return panel{o.newHeatmap("Every attempt, by duration", "How many attempts per second took how long: time runs to the right, duration upwards on a logarithmic scale; the stronger the colour, the more. "+
		"Two bands are two kinds of jobs: choose a queue above. Points are single attempts: click one to open its trace.", noJobs, o.work(promql.RateInterval())), 12, 10}.
		to(toBoard(catalog.DashboardProfiling, "Profiles of the service"))
}

func jobOutcomes() panel {
	b := newStack("Attempts by outcome", "Attempts per second by how they ended, stacked. Green done, yellow to be made again, red failed for good or panicked, blue put off by the job itself, grey cancelled.",
		unitOps, noJobs).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.Jobs, promql.RateInterval(), theseJobs()...), catalog.Outcome), by(catalog.Outcome)}.overTime())
	for _, c := range []struct{ outcome, color string }{
		{outcomeOK, good}, {outcomeRetry, "yellow"}, {outcomeFailed, bad}, {outcomePanicked, "dark-red"}, {outcomeSnoozed, "blue"}, {outcomeCancelled, "gray"},
	} {
		b = b.OverrideByName(c.outcome, []dashboard.DynamicConfigValue{fixedColor(c.color)})
	}
	return panel{b, 12, 9}.to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func jobRatios() panel {
	queue := []catalog.Label{catalog.Queue}
	return panel{newTimeSeries("Retries and failures", "Share of the attempts that failed, by queue: those that will be made again, and those that will not. "+
		"Retries that rise before failures do are the warning: a job gives up after its last attempt.", unitRatio, noJobs).
		WithTarget(query{"retry", shareOf(promql.RateInterval(), queue, outcomeRetry), by(catalog.Queue) + " to be retried"}.overTime()).
		WithTarget(query{"failed", shareOf(promql.RateInterval(), queue, outcomeFailed, outcomePanicked), by(catalog.Queue) + " failed for good"}.overTime()).
		AxisSoftMax(0.1).
		OverrideByRegexp("/retried$/", []dashboard.DynamicConfigValue{fixedColor("yellow")}).
		OverrideByRegexp("/good$/", []dashboard.DynamicConfigValue{fixedColor(bad)}), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func jobsUnderWay() panel {
	return panel{newStack("Jobs under way", "Jobs that were being worked on at each moment, by queue, stacked. A scrape is a snapshot: what comes and goes between two is not seen. "+
		"As many as there are workers, all the time, is a queue that needs more of them.", unitCount, noJobs).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.JobsActive, theseJobs()...), catalog.Queue), by(catalog.Queue)}.overTime()), 12, 12}.
		to(toBoard(catalog.DashboardUtilization, "What the workers use"))
}

func (o Options) jobComponents() panel {
	spent := promql.Sum(promql.Rate(catalog.JobComponentSeconds, promql.RateInterval(), theseJobs()...), catalog.ComponentLabel)
	return byComponent("An attempt's time, by component",
		"Mean time of an attempt, split by what it was spent on and stacked: the upper edge is the mean duration. "+componentText,
		unitTime, noJobs, query{"A", promql.DivAll(spent, o.work(promql.RateInterval()).Rate()), by(catalog.ComponentLabel)}).
		to(toLesson("sync-logging", "The lesson: it was the logging"))
}

func jobTraces() panel {
	return panel{newTraces("Jobs with an error", "Up to 50 of the newest traces in which a span of the service failed, slowest first. The trace begins where the job was enqueued, so that it shows who asked for it.",
		"no job of this service failed in this time range", traceSearch{tags: "error=true"}), 12, 10}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func jobLines() panel {
	return panel{newLogs("Attempts that did not end well", "The newest 100 log lines of attempts with another outcome than ok. Open a line for the queue, the kind, the id and the attempt of the job; its trace_id opens the trace.",
		"every attempt in this time range ended well",
		linesOf()+" |= `"+catalog.LogOutcome+"=` != `"+catalog.LogOutcome+"="+outcomeOK+"`"), 12, 10}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}
