package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Names of the alerts on metrics that should be there.
const (
	MetricsAbsent     = "MetricsAbsent"
	RequestsUncounted = "RequestsUncounted"
)

// Delays and memory of these alerts.
const (
	absentFor = 5 * time.Minute
	// absentMemory is for how long metrics that are gone are still missed.
	absentMemory = 24 * time.Hour
	uncountedFor = 10 * time.Minute
)

// absence alerts where other alerts have gone blind: all of them are content
// with series that do not exist.
func absence(o Options) Group {
	return Group{
		Name:     "absence",
		Doc:      "Alerts on targets that answer without the agent's metrics, and on requests that the rules cannot count.",
		Interval: o.interval(),
		Rules: []Rule{
			record(catalog.JobAgents, promql.Count(promql.Value(catalog.BuildInfo, o.allJobs()...), catalog.Job)),
			o.metricsAbsent(),
			o.requestsUncounted(),
		},
	}
}

// metricsAbsent looks at jobs that had the agent's metrics within the last day:
// other jobs never will have any. A job none of whose targets answers is the
// business of TargetDown.
func (o Options) metricsAbsent() Rule {
	gone := promql.Unless(promql.LastOverTime(catalog.JobAgents, o.window(absentMemory)), promql.Value(catalog.JobAgents))
	answers := promql.Above(promql.Max(promql.Value(catalog.Up, o.allJobs()...), catalog.Job), promql.Number(0))
	return Rule{
		Alert:    MetricsAbsent,
		Expr:     promql.AndOn(gone, answers, catalog.Job),
		For:      o.scaled(absentFor),
		Severity: Page,
		Annotations: o.targetAnnotations(MetricsAbsent,
			fmt.Sprintf("%s answers without the agent's metrics", label(catalog.Job)),
			fmt.Sprintf("%s of the job %s exported the agent's metrics within the last day, and none does now, although it answers. "+
				"No alert on the service can fire. If that is on purpose, silence this alert for a day.", "{{ $value }} target(s)", label(catalog.Job))),
	}
}

// requestsUncounted compares the two metrics that every served request leaves
// behind. Where one is there and nothing is recorded of the other, the rules
// read a form of histogram that this Prometheus does not store, or are not
// evaluated; then the alerts on errors and latency can never fire.
func (o Options) requestsUncounted() Rule {
	serves := promql.Count(promql.Value(catalog.HTTPServerActiveRequests), slo.ServiceLabels()...)
	return Rule{
		Alert:    RequestsUncounted,
		Expr:     promql.Unless(serves, promql.Value(catalog.ServiceRequests)),
		For:      o.scaled(uncountedFor),
		Severity: Page,
		Annotations: o.serviceAnnotations(RequestsUncounted,
			fmt.Sprintf("The requests of %s are not counted", service()),
			fmt.Sprintf("%s serves requests (%s of its routes report them), and the rules count none: this Prometheus stores another form of histograms "+
				"than the rules read, or the rules are not evaluated. No alert on errors or latency can fire.", service(), "{{ $value }}")),
	}
}
