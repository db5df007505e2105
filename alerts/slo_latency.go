package alerts

import (
	"fmt"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Names of the alerts on the latency budget.
const (
	LatencyBudgetBurnFast = "LatencyBudgetBurnFast"
	LatencyBudgetBurnSlow = "LatencyBudgetBurnSlow"
)

// sloLatency alerts on services that answer more requests too slowly than
// promised.
func sloLatency(o Options) Group {
	budget := o.objectives().LatencyBudget()
	labels := map[catalog.Label]string{catalog.AlertSLO: "latency"}
	return Group{
		Name:     "slo-latency",
		Doc:      "Alerts on services that answer more requests too slowly than their latency budget allows.",
		Interval: o.interval(),
		Rules: []Rule{{
			Alert:    LatencyBudgetBurnFast,
			Expr:     o.burnExpr(pageWindows(), catalog.ServiceSlowRatio, catalog.ServiceSlow, budget),
			For:      o.scaled(pageBurnFor),
			Severity: Page,
			Labels:   labels,
			Annotations: o.serviceAnnotations(LatencyBudgetBurnFast,
				fmt.Sprintf("%s answers %s of its requests in more than %v", service(), percentage(), o.LatencyObjective),
				fmt.Sprintf("%s of the answered requests to %s took more than %v over the last hour (6 hours, if the trouble is too small to show in one), and they still do; "+
					"%s may. At this pace a 30-day budget lasts 2 days (5).",
					percentage(), service(), o.LatencyObjective, percent(budget))),
		}, {
			Alert:    LatencyBudgetBurnSlow,
			Expr:     o.burnExpr(ticketWindows(), catalog.ServiceSlowRatio, catalog.ServiceSlow, budget),
			For:      o.scaled(ticketBurnFor),
			Severity: Ticket,
			Labels:   labels,
			Annotations: o.serviceAnnotations(LatencyBudgetBurnSlow,
				fmt.Sprintf("%s slowly uses up its latency budget", service()),
				fmt.Sprintf("%s of the answered requests to %s took more than %v over the last day (3 days, if the trouble is too small to show in one), and they still do; "+
					"%s may. At this pace a 30-day budget lasts 10 days (30).",
					percentage(), service(), o.LatencyObjective, percent(budget))),
		}},
	}
}
