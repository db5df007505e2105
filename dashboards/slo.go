package dashboards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// noRules is what panels of recorded series say.
const noRules = "no requests, or the rules of plumbline are not loaded"

// objectives shows what was promised, what is left of the budget for breaking
// it, and how fast that goes.
func objectives(o Options) (Dashboard, error) {
	d, err := assemble(catalog.DashboardSLO, "Objectives and budgets",
		"Service level objectives of one service: budgets that are left, how fast they burn, and the alerts about it. Made of recorded series.",
		join(chooseSources(catalog.VarPrometheus), chooseService("Every service that answers HTTP requests.",
			func(ms ...promql.Matcher) promql.Expr { return promql.Value(catalog.ServiceRequests, ms...) })),
		[]row{
			{"Budgets over the whole time range", []panel{o.errorBudgetLeft(), o.latencyBudgetLeft(), o.badRatio(), o.slowRequests(), served(), firing()}},
			{"How fast they burn", []panel{o.burnBars(o.errors()), o.burnBars(o.latency()), o.burnLines(o.errors()), o.burnLines(o.latency())}},
			{"What it is made of", []panel{badRequests(), activeAlerts()}},
		})
	return d.over("now-24h", "1m"), err
}

// objective is one promise and the series that are recorded about it.
type objective struct {
	name, what, alert string
	budget            float64
	bad, all          catalog.Recorded
	ratio             func(catalog.SLOWindow) catalog.Recorded
}

func (o Options) errors() objective {
	return objective{"Error", "requests that end in a server error (5xx)", "ErrorBudgetBurn", o.objectives().ErrorBudget(),
		catalog.ServiceErrors, catalog.ServiceRequests, catalog.ServiceErrorRatio}
}

func (o Options) latency() objective {
	return objective{"Latency", fmt.Sprintf("answered requests that take longer than %v", o.LatencyObjective), "LatencyBudgetBurn",
		o.objectives().LatencyBudget(), catalog.ServiceSlow, catalog.ServiceAnswered, catalog.ServiceSlowRatio}
}

// overRange is the share of bad requests over the whole time range. Sums of
// rates are divided, so that a busy hour counts more than a quiet one.
func (j objective) overRange() promql.Expr {
	sum := func(r catalog.Recorded) promql.Expr {
		return promql.Sum(promql.SumOverTime(r, promql.WholeRange(), thisService()...))
	}
	return promql.Div(sum(j.bad), sum(j.all))
}

func (j objective) left() panel {
	return panel{newStat(j.name+" budget",
		fmt.Sprintf("The objective allows %s of %s. This is what is left of that allowance, if it is for the shown time range: 100 %% is untouched, 0 %% is used up, below it the objective is broken. "+
			"Choose 30 days above to see the month.", share(j.budget), j.what), unitRatio, noRules).
		Thresholds(steps(bad, above(0, warn), above(0.25, good))).
		WithTarget(query{"A", promql.Complement(promql.DivBy(j.overRange(), promql.Number(j.budget))), "left"}.once()), 4, 5}.
		to(toRunbook(j.alert+"Slow"), toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

func (o Options) errorBudgetLeft() panel   { return o.errors().left() }
func (o Options) latencyBudgetLeft() panel { return o.latency().left() }

func (j objective) share(title string) panel {
	return panel{newStat(title, fmt.Sprintf("Share of %s, over the shown time range. The objective allows %s: orange is more than that, red the pace at which the alert pages.",
		j.what, share(j.budget)), unitRatio, noRules).
		Thresholds(budgetLimits(j.budget)).
		WithTarget(query{"A", j.overRange(), title}.once()), 4, 5}.
		to(toRunbook(j.alert + "Fast"))
}

func (o Options) badRatio() panel     { return o.errors().share("Error ratio") }
func (o Options) slowRequests() panel { return o.latency().share("Slow ratio") }

func served() panel {
	return panel{newStat("Requests", "Requests per second at the end of the time range. With few of them a single failure is a large share: the burn alerts stay quiet below ten bad requests.", unitRate, noRules).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.ServiceRequests, thisService()...)), "Requests"}.once()), 4, 5}.
		to(toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

func firing() panel {
	return panel{newStat("Alerts firing", "Alerts about this service that fire now, whatever they are about. The table below names them and leads to their runbooks.", unitCount, "none").
		Thresholds(steps(good, above(1, bad))).
		WithTarget(query{"A", promql.Count(promql.Value(catalog.Alerts, append(thisService(), promql.Equal(catalog.AlertState, alertFiring))...)), "Firing"}.once()), 4, 5}.
		to(toBoard(catalog.DashboardStackHealth, "Is the stack itself well"))
}

// alertFiring is the state of an alert that has been told to Alertmanager.
const alertFiring = "firing"

// burn is how many times faster than allowed the budget went within a window.
func (j objective) burn(w catalog.SLOWindow) promql.Expr {
	return promql.DivBy(promql.Max(promql.Value(j.ratio(w), thisService()...)), promql.Number(j.budget))
}

// burnLimits are the paces at which the alerts of a window page or write a
// ticket. Below 1 a budget lasts.
func burnLimits(w catalog.SLOWindow) cog.Builder[dashboard.ThresholdsConfig] {
	limit := map[catalog.SLOWindow]float64{
		catalog.SLOWindow5m: slo.PageFactor, catalog.SLOWindow1h: slo.PageFactor, catalog.SLOWindow30m: 6,
		catalog.SLOWindow6h: 6, catalog.SLOWindow2h: 3, catalog.SLOWindow1d: 3, catalog.SLOWindow3d: 1.5,
	}[w]
	return steps(good, above(1, warn), above(limit, bad))
}

func (o Options) burnBars(j objective) panel {
	var b *bargauge.PanelBuilder = newBars(j.name+" budget: burn rate by window",
		fmt.Sprintf("How many times faster than allowed the budget goes, measured over the last five minutes up to three days. 1 is exactly the allowance of %s; at %v a month's budget is gone in two days. "+
			"High over short windows only: it has just begun. High over long ones only: it is over.", share(j.budget), slo.PageFactor), unitCount, noRules).
		Max(slo.PageFactor)
	for _, w := range catalog.SLOWindows() {
		b = b.WithTarget(query{"w" + string(w), j.burn(w), string(w)}.once()).
			OverrideByName(string(w), []dashboard.DynamicConfigValue{limits(burnLimits(w))})
	}
	return panel{b, 12, 9}.to(toRunbook(j.alert+"Fast"), toRunbook(j.alert+"Slow"))
}

func (o Options) burnLines(j objective) panel {
	b := newTimeSeries(j.name+" budget: burn rate over time",
		fmt.Sprintf("The same as it develops, over the windows that page. The dashed lines are 1, where the budget just lasts, and %v, where the alert pages if the lines of 5m and 1h are both above it. "+
			"The long line follows the short one slowly: that is its purpose.", slo.PageFactor), unitCount, noRules).
		Thresholds(steps(good, above(1, warn), above(slo.PageFactor, bad))).
		ThresholdsStyle(dashedLimits()).
		AxisSoftMax(slo.PageFactor + 1)
	for i, w := range []catalog.SLOWindow{catalog.SLOWindow5m, catalog.SLOWindow1h, catalog.SLOWindow6h, catalog.SLOWindow3d} {
		b = b.WithTarget(query{"w" + string(w), j.burn(w), string(w)}.overTime()).
			OverrideByName(string(w), []dashboard.DynamicConfigValue{fixedColor([]string{"light-blue", "blue", "purple", "dark-purple"}[i])})
	}
	return panel{b, 12, 9}.to(toRunbook(j.alert+"Fast"), toBoard(catalog.DashboardP99, "Percentiles"))
}

func badRequests() panel {
	return panel{newTimeSeries("Bad requests", "Requests per second that used the budgets up, by what was wrong with them; an answer that was slow is counted as slow, an error as an error however slow it was.",
		unitRate, noRules).
		WithTarget(query{"errors", promql.Sum(promql.Value(catalog.ServiceErrors, thisService()...)), "errors"}.overTime()).
		WithTarget(query{"slow", promql.Sum(promql.Value(catalog.ServiceSlow, thisService()...)), "slow"}.overTime()).
		OverrideByName("errors", []dashboard.DynamicConfigValue{fixedColor(bad)}).
		OverrideByName("slow", []dashboard.DynamicConfigValue{fixedColor(warn)}), 12, 9}.
		to(toBoard(catalog.DashboardBottleneck, "Where the time goes"), toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}

func activeAlerts() panel {
	runbook := dashboard.DynamicConfigValue{Id: "links", Value: []map[string]any{{
		"title": "Runbook", "url": runbookPages + "${__value.raw}.md", "targetBlank": true,
	}}}
	labels := []catalog.Label{catalog.AlertName, catalog.AlertState, catalog.AlertSeverity}
	return panel{newTable("Alerts about this service", "Alerts that are pending or fire now. Pending: the condition holds, and not yet for as long as the alert waits. Click a name for its runbook.",
		"no alert about this service is pending or fires", "Alerts",
		[]key{{catalog.AlertName, "Alert", []dashboard.DynamicConfigValue{runbook}}, {catalog.AlertState, "State", nil}, {catalog.AlertSeverity, "Severity", nil}},
		[]column{{"Alerts", promql.Count(promql.Value(catalog.Alerts, thisService()...), labels...), nil}}), 12, 9}.
		to(toBoard(catalog.DashboardServiceOverview, "Service overview"))
}
