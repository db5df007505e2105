package alerts

import (
	"fmt"
	"regexp"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Names of the alerts on scrape targets.
const (
	TargetDown     = "TargetDown"
	TargetVanished = "TargetVanished"
)

// Delays and memory of the target alerts.
const (
	downPageFor   = 2 * time.Minute
	downTicketFor = 5 * time.Minute
	// vanishedFor outlasts a rolling restart that replaces every target.
	vanishedFor = 5 * time.Minute
	// vanishedMemory is for how long a job that is gone is still missed.
	vanishedMemory = 24 * time.Hour
)

// targets alerts on what Prometheus can no longer scrape. A target can fail in
// two ways that look nothing alike: it stays listed and does not answer
// (up == 0), or it is no longer listed, and then its series just end, which
// every rule on up takes for health.
func targets(o Options) Group {
	return Group{
		Name:     "targets",
		Doc:      "Alerts on scrape targets that do not answer, and on jobs that no longer have any.",
		Interval: o.interval(),
		Rules: []Rule{
			record(catalog.JobTargets, promql.Count(promql.Value(catalog.Up, o.allJobs()...), catalog.Job)),
			o.wholeServiceDown(),
			o.someTargetDown(),
			o.vanished(Page, o.serviceJobs(),
				"Its service is blind at best and gone at worst: no other alert can fire for it."),
			o.vanished(Ticket, o.storeJobs(),
				"Nothing watches this store any more."),
		},
	}
}

// wholeServiceDown pages when a service has no target left that answers: then
// nothing else can tell whether its users are served.
func (o Options) wholeServiceDown() Rule {
	up := promql.Value(catalog.Up, o.serviceJobs()...)
	return Rule{
		Alert: TargetDown,
		Expr: promql.UnlessOn(promql.Equals(up, promql.Number(0)),
			promql.Above(promql.Max(up, catalog.Job), promql.Number(0)), catalog.Job),
		For:      o.scaled(downPageFor),
		Severity: Page,
		Annotations: o.targetAnnotations(TargetDown,
			fmt.Sprintf("No target of %s answers", label(catalog.Job)),
			fmt.Sprintf("Prometheus cannot scrape %s, and no other target of the job %s answers either. "+
				"The service is down or cannot be reached, and no alert on its errors or latency can fire meanwhile.",
				label(catalog.Instance), label(catalog.Job))),
	}
}

// someTargetDown files a ticket for a target whose fellows still answer, and
// for stores, which users do not depend on.
func (o Options) someTargetDown() Rule {
	up := promql.Value(catalog.Up, o.serviceJobs()...)
	store := promql.Value(catalog.Up, o.storeJobs()...)
	return Rule{
		Alert: TargetDown,
		Expr: promql.Or(
			promql.AndOn(promql.Equals(up, promql.Number(0)),
				promql.Above(promql.Max(up, catalog.Job), promql.Number(0)), catalog.Job),
			promql.Equals(store, promql.Number(0))),
		For:      o.scaled(downTicketFor),
		Severity: Ticket,
		Annotations: o.targetAnnotations(TargetDown,
			fmt.Sprintf("A target of %s does not answer", label(catalog.Job)),
			fmt.Sprintf("Prometheus cannot scrape %s of the job %s. Either other targets of the job still answer, "+
				"or the job is a store of telemetry: users are served, but what this target would report is missing.",
				label(catalog.Instance), label(catalog.Job))),
	}
}

// vanished compares the jobs of now with those of the last day. It looks at
// jobs and not at targets, because a rolling restart replaces every target on
// purpose.
func (o Options) vanished(s Severity, jobs []promql.Matcher, meaning string) Rule {
	return Rule{
		Alert: TargetVanished,
		Expr: promql.Unless(
			promql.LastOverTime(catalog.JobTargets, o.window(vanishedMemory), jobs...),
			promql.Value(catalog.JobTargets)),
		For:      o.scaled(vanishedFor),
		Severity: s,
		Annotations: o.targetAnnotations(TargetVanished,
			fmt.Sprintf("%s has no targets any more", label(catalog.Job)),
			fmt.Sprintf("The job %s had %s within the last day and has none now: they are not down, they are no longer listed. %s "+
				"If the job was removed on purpose, silence this alert for a day.",
				label(catalog.Job), "{{ $value }} target(s)", meaning)),
	}
}

func (o Options) allJobs() []promql.Matcher {
	return []promql.Matcher{promql.Like(catalog.Job, regexp.MustCompile(o.Jobs))}
}

func (o Options) serviceJobs() []promql.Matcher {
	return append(o.allJobs(), promql.NotLike(catalog.Job, regexp.MustCompile(o.StoreJobs)))
}

func (o Options) storeJobs() []promql.Matcher {
	return append(o.allJobs(), promql.Like(catalog.Job, regexp.MustCompile(o.StoreJobs)))
}
