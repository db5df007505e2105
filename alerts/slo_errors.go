package alerts

import (
	"fmt"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Names of the alerts on the error budget.
const (
	ErrorBudgetBurnFast = "ErrorBudgetBurnFast"
	ErrorBudgetBurnSlow = "ErrorBudgetBurnSlow"
)

// sloErrors alerts on services that fail more requests than promised.
func sloErrors(o Options) Group {
	budget := o.objectives().ErrorBudget()
	labels := map[catalog.Label]string{catalog.AlertSLO: "errors"}
	return Group{
		Name:     "slo-errors",
		Doc:      "Alerts on services that fail more requests than their error budget allows.",
		Interval: o.interval(),
		Rules: []Rule{{
			Alert:    ErrorBudgetBurnFast,
			Expr:     o.burnExpr(pageWindows(), catalog.ServiceErrorRatio, catalog.ServiceErrors, budget),
			For:      o.scaled(pageBurnFor),
			Severity: Page,
			Labels:   labels,
			Annotations: o.serviceAnnotations(ErrorBudgetBurnFast,
				fmt.Sprintf("%s fails %s of its requests", service(), percentage()),
				fmt.Sprintf("%s of the requests to %s ended in a server error over the last hour (6 hours, if the trouble is too small to show in one), and they still do; "+
					"%s may. At this pace a 30-day budget lasts 2 days (5).",
					percentage(), service(), percent(budget))),
		}, {
			Alert:    ErrorBudgetBurnSlow,
			Expr:     o.burnExpr(ticketWindows(), catalog.ServiceErrorRatio, catalog.ServiceErrors, budget),
			For:      o.scaled(ticketBurnFor),
			Severity: Ticket,
			Labels:   labels,
			Annotations: o.serviceAnnotations(ErrorBudgetBurnSlow,
				fmt.Sprintf("%s slowly uses up its error budget", service()),
				fmt.Sprintf("%s of the requests to %s ended in a server error over the last day (3 days, if the trouble is too small to show in one), and they still do; "+
					"%s may. At this pace a 30-day budget lasts 10 days (30).",
					percentage(), service(), percent(budget))),
		}},
	}
}
