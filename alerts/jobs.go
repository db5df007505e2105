package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Names of the alerts on background jobs.
const (
	JobsWaitTooLong = "JobsWaitTooLong"
	JobsFail        = "JobsFail"
)

// Windows, delays and limits of the alerts on jobs.
const (
	// jobsWaitFor only outlasts an odd reading or two of the queue: the job has
	// done the waiting.
	jobsWaitFor    = 2 * time.Minute
	jobsFailWindow = 15 * time.Minute
	jobsFailFor    = 5 * time.Minute
	// jobsFailLimit is the share of attempts that may fail.
	jobsFailLimit = 0.1
)

// jobs alerts on work that is done later. No alert on requests sees it: the
// request that asked for the work was answered in time.
func jobs(o Options) Group {
	return Group{
		Name:     "jobs",
		Doc:      "Alerts on background jobs that wait too long or fail.",
		Interval: o.interval(),
		Rules:    []Rule{o.jobsWaitTooLong(), o.jobsFail()},
	}
}

// perQueue are the labels of one queue of a service.
func perQueue() []catalog.Label { return append(slo.ServiceLabels(), catalog.Queue) }

// jobsWaitTooLong pages, because somebody waits for what the job does. It needs
// no guard against few jobs: one that is due and that nobody takes for so long
// is a queue that stands still, however short it is. Attempts that are to be
// made again later are not due, so a job that keeps failing does not count.
func (o Options) jobsWaitTooLong() Rule {
	oldest := promql.Max(promql.Value(catalog.JobQueueOldestAge), perQueue()...)
	return Rule{
		Alert:    JobsWaitTooLong,
		Expr:     promql.Above(oldest, promql.Number(o.scaled(o.JobAgeLimit).Seconds())),
		For:      o.scaled(jobsWaitFor),
		Severity: Page,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardJobs, JobsWaitTooLong,
			fmt.Sprintf("A job of %s waits for {{ $value | humanizeDuration }}", label(catalog.Queue)),
			fmt.Sprintf("The oldest job in the queue %s of %s has been due for {{ $value | humanizeDuration }}. "+
				"Nobody works on the queue, or not fast enough for what comes in.", label(catalog.Queue), service())),
	}
}

// jobsFail counts attempts and not jobs: a job that succeeds at its fifth
// attempt was late, and what failed four times will fail for good before long.
//
// Its guard is [Options.MinBadRequests] failed attempts. With the default of 10
// and the limit of 10 %, a queue with fewer than 40 attempts an hour stays quiet
// unless more than one in ten fails.
func (o Options) jobsFail() Rule {
	window := o.window(jobsFailWindow)
	failed := promql.Sum(promql.Increase(catalog.Jobs, window,
		promql.OneOf(catalog.Outcome, catalog.JobFailed, catalog.JobRetry, catalog.JobPanicked)), perQueue()...)
	all := promql.Sum(promql.Increase(catalog.Jobs, window), perQueue()...)
	return Rule{
		Alert: JobsFail,
		Expr: promql.And(promql.Above(promql.Div(failed, all), promql.Number(jobsFailLimit)),
			promql.AtLeast(failed, promql.Number(float64(o.MinBadRequests)))),
		For:      o.scaled(jobsFailFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardJobs, JobsFail,
			fmt.Sprintf("%s of the attempts at jobs of %s fail", percentage(), label(catalog.Queue)),
			fmt.Sprintf("%s of the attempts at jobs of the queue %s of %s failed within the last quarter of an hour. "+
				"What fails is tried again, later each time, and given up after its last attempt.",
				percentage(), label(catalog.Queue), service())),
	}
}
