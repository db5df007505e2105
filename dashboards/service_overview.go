package dashboards

import (
	"fmt"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/table"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// serviceOverview answers, for one service: is it well, who suffers, and which
// of its parts to look at next.
func serviceOverview(o Options) (Dashboard, error) {
	slow, err := o.objectives().SlowRatio(o.requests(promql.WholeRange()))
	if err != nil {
		return Dashboard{}, err
	}
	return assemble(catalog.DashboardServiceOverview, "Service overview",
		"Rate, errors and duration of one service, with its dependencies, its process and its error log.",
		serviceVariables(o), []row{
			{"Over the whole time range", []panel{
				o.requestRate(), o.errorRatio(), o.slowRatio(slow), o.p99(), inFlight(), versions(),
			}},
			{"Duration: the average beside the percentiles", []panel{
				o.durationNumbers(), o.durationLines(), o.durationHeatmap(),
			}},
			{"Traffic and errors", []panel{o.statusCodes(), o.errorRatioOverTime(), inFlightByRoute()}},
			{"By route", []panel{o.routes()}},
			{"What it waits for", []panel{o.componentTime(), o.clientDuration(), o.databaseDuration()}},
			{"Process", []panel{cpu(), memory(), goroutines()}},
			{"Errors in the log", []panel{errorLog()}},
		})
}

func serviceVariables(o Options) []cog.Builder[dashboard.VariableModel] {
	environment := promql.Selected(catalog.DeploymentEnvironment, catalog.VarEnvironment)
	return []cog.Builder[dashboard.VariableModel]{
		sourceVariable(catalog.VarPrometheus, "Prometheus data source", typePrometheus),
		sourceVariable(catalog.VarLoki, "Loki data source", typeLoki),
		orAll(valuesVariable(catalog.VarEnvironment, "Environment",
			"Where the service runs. All includes services that do not say.",
			promql.Value(catalog.BuildInfo), catalog.DeploymentEnvironment)),
		valuesVariable(catalog.VarService, "Service", "Every service that embeds the agent.",
			promql.Value(catalog.BuildInfo, environment), catalog.ServiceName),
		orAll(valuesVariable(catalog.VarRoute, "Route",
			"Route templates, for the panels about HTTP requests.",
			slo.Requests(o.Flavor, promql.WholeRange(), thisService()...).Present(), catalog.HTTPRoute)),
	}
}

func (o Options) requestRate() panel {
	return panel{newStat("Requests", "HTTP requests per second that the service dealt with, averaged over the time range. Those that ended in an error are included.",
		unitRate, noRequests).
		WithTarget(query{"A", o.requests(promql.WholeRange()).Rate(), "Requests"}.once()), 4, 4}
}

func (o Options) errorRatio() panel {
	budget := o.objectives().ErrorBudget()
	return panel{newStat("Error ratio",
		fmt.Sprintf("Share of requests that ended in a server error (5xx). The objective allows %s. "+
			"Orange uses the budget up faster than that; red is the pace at which the alert pages.", share(budget)),
		unitRatio, noRequests).
		Thresholds(budgetLimits(budget)).
		WithTarget(query{"A", slo.ErrorRatio(o.requests(promql.WholeRange())), "Error ratio"}.once()), 4, 4}
}

func (o Options) slowRatio(expr promql.Expr) panel {
	budget := o.objectives().LatencyBudget()
	return panel{newStat("Slower than the objective",
		fmt.Sprintf("Share of answered requests that took more than %v; server errors are not counted here. "+
			"The objective allows %s. Orange and red as for the error ratio.", o.LatencyObjective, share(budget)),
		unitRatio, noRequests).
		Thresholds(budgetLimits(budget)).
		WithTarget(query{"A", expr, "Slower than the objective"}.once()), 4, 4}
}

func (o Options) p99() panel {
	return panel{newStat("P99",
		fmt.Sprintf("One request in a hundred took longer than this. Red above the objective of %v.", o.LatencyObjective),
		unitTime, noRequests).
		Thresholds(o.latencyLimit()).
		WithTarget(query{"A", o.requests(promql.WholeRange()).Quantile(0.99), "P99"}.once()), 4, 4}
}

func inFlight() panel {
	return panel{newStat("In flight", "Requests that are being served at the end of the time range. "+
		"Rising while the request rate does not: requests take longer, or hang.", unitCount, noRequests).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.HTTPServerActiveRequests, theseRoutes()...)), "In flight"}.once()), 4, 4}
}

func versions() panel {
	return panel{newStat("Instances by version", "How many processes run each version. "+
		"Two versions at once are a roll-out, or one that got stuck.", unitCount, "none").
		TextMode(common.BigValueTextModeValueAndName).
		WithTarget(query{"A", promql.Count(promql.Value(catalog.BuildInfo, thisService()...), catalog.Version), by(catalog.Version)}.once()), 4, 4}
}

// value returns the statistic of the distribution.
func (s statistic) value(d promql.Distribution) promql.Expr {
	if s.quantile == 0 {
		return d.Mean()
	}
	return d.Quantile(s.quantile)
}

func (o Options) durationNumbers() panel {
	b := newStat("Duration over the time range",
		"The same requests, described six ways. A mean far from P50 means that a few slow requests hide in it; "+
			"P99 is what one request in a hundred exceeds, P99.9 one in a thousand. "+
			"Percentiles are taken from all requests of the range together, not averaged.",
		unitTime, noRequests)
	for _, s := range statistics() {
		b = b.WithTarget(query{s.ref, s.value(o.requests(promql.WholeRange())), s.name}.once()).
			OverrideByName(s.name, []dashboard.DynamicConfigValue{fixedColor(s.color)})
	}
	return panel{b, gridWidth, 4}
}

func (o Options) durationLines() panel {
	b := newTimeSeries("Duration over time",
		fmt.Sprintf("The same six, as they develop. The dashed line is the objective of %v. "+
			"Points are single requests: click one to open its trace. "+
			"Only P99 rising is a few requests in trouble; P50 rising as well is everybody.", o.LatencyObjective),
		unitTime, noRequests).
		Thresholds(o.latencyLimit()).
		ThresholdsStyle(dashedLimits())
	for _, s := range statistics() {
		q := query{s.ref, s.value(o.requests(promql.RateInterval())), s.name}
		target := q.overTime()
		if s.name == "P99" {
			target = q.withExemplars()
		}
		b = b.WithTarget(target).
			OverrideByName(s.name, []dashboard.DynamicConfigValue{fixedColor(s.color)})
	}
	return panel{b, 12, 10}
}

func (o Options) durationHeatmap() panel {
	return panel{heatmap.NewPanelBuilder().
		Title("Duration heatmap").
		Description("How many requests per second took how long: time runs to the right, duration upwards on a logarithmic scale; the stronger the colour, the more. " +
			"Two bands are two kinds of requests, such as hits and misses of a cache. Points are single requests: click one to open its trace.").
		Datasource(prometheusSource()).
		Unit(unitRate).
		NoValue(noRequests).
		WithTarget(query{"A", o.requests(promql.RateInterval()).Buckets(), o.heatmapLegend()}.asHeatmap()).
		Calculate(false).
		ShowValue(common.VisibilityModeNever).
		CellGap(1).
		CellValues(heatmap.NewCellValuesBuilder().Unit(unitRate)).
		Color(heatmap.NewHeatmapColorOptionsBuilder().
			Mode(heatmap.HeatmapColorModeScheme).Scheme("Oranges").Fill("dark-orange").
			Scale(heatmap.HeatmapColorScaleExponential).Exponent(0.5).Steps(64)).
		FilterValues(heatmap.NewFilterValueRangeBuilder().Le(1e-9)).
		YAxis(heatmap.NewYAxisConfigBuilder().Unit(unitTime).AxisPlacement(common.AxisPlacementLeft)).
		ShowLegend().
		Tooltip(heatmap.NewHeatmapTooltipBuilder().Mode(common.TooltipDisplayModeSingle).YHistogram(true)).
		ExemplarsColor("rgba(255,0,255,0.7)"), 12, 10}
}

// heatmapLegend is empty for native histograms, whose buckets are not series.
func (o Options) heatmapLegend() string {
	if o.Flavor == Classic {
		return by(catalog.Le)
	}
	return ""
}

func (o Options) statusCodes() panel {
	b := newStack("Requests by status code",
		"Requests per second, stacked, so the upper edge is all of them. Green answered, blue redirected, yellow the caller's mistake, red the service's.",
		unitRate, noRequests).
		WithTarget(query{"A", o.requests(promql.RateInterval()).By(catalog.HTTPResponseStatusCode).Rate(),
			by(catalog.HTTPResponseStatusCode)}.overTime())
	for _, class := range []struct{ digit, color string }{{"2", "green"}, {"3", "blue"}, {"4", "yellow"}, {"5", "red"}} {
		b = b.OverrideByRegexp("^"+class.digit+"..$", []dashboard.DynamicConfigValue{fixedColor(class.color)})
	}
	return panel{b, 8, 8}
}

func (o Options) errorRatioOverTime() panel {
	budget := o.objectives().ErrorBudget()
	return panel{newTimeSeries("Error ratio over time",
		fmt.Sprintf("Share of requests that ended in a server error (5xx), by route. The dashed lines are the budget of %s and the pace at which the alert pages. "+
			"A route without requests has no line.", share(budget)),
		unitRatio, noRequests).
		Thresholds(budgetLimits(budget)).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", slo.ErrorRatio(o.requests(promql.RateInterval()), catalog.HTTPRoute), by(catalog.HTTPRoute)}.overTime()), 8, 8}
}

func inFlightByRoute() panel {
	return panel{newStack("Requests in flight",
		"Requests that were being served at each moment, by route, stacked. A scrape is a snapshot: what comes and goes between two is not seen.",
		unitCount, noRequests).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.HTTPServerActiveRequests, theseRoutes()...), catalog.HTTPRoute),
			by(catalog.HTTPRoute)}.overTime()), 8, 8}
}

// routes merges four queries that have the route in common into one table.
func (o Options) routes() panel {
	d := o.requests(promql.WholeRange()).By(catalog.HTTPRoute)
	columns := []struct {
		ref, name string
		expr      promql.Expr
		props     []dashboard.DynamicConfigValue
	}{
		{"rate", "Requests", d.Rate(), []dashboard.DynamicConfigValue{unit(unitRate)}},
		{"errors", "Error ratio", slo.ErrorRatio(o.requests(promql.WholeRange()), catalog.HTTPRoute),
			[]dashboard.DynamicConfigValue{unit(unitRatio), coloredCell(), limits(budgetLimits(o.objectives().ErrorBudget()))}},
		{"p50", "P50", d.Quantile(0.5), []dashboard.DynamicConfigValue{unit(unitTime)}},
		{"p99", "P99", d.Quantile(0.99),
			[]dashboard.DynamicConfigValue{unit(unitTime), coloredCell(), limits(o.latencyLimit())}},
	}
	b := table.NewPanelBuilder().
		Title("Routes").
		Description("Every route over the whole time range, slowest P99 first. Colours as above. Click a route to see the whole dashboard for it alone.").
		Datasource(prometheusSource()).
		Unit(unitCount).
		NoValue(noRequests).
		Mappings(nothing("-")).
		Thresholds(noLimits()).
		SortBy([]cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName("P99").Desc(true)}).
		OverrideByName("Route", []dashboard.DynamicConfigValue{routeLink()})
	rename := map[string]string{string(catalog.HTTPRoute): "Route"}
	order := map[string]int{string(catalog.HTTPRoute): 0}
	for i, c := range columns {
		b = b.WithTarget(query{c.ref, c.expr, ""}.inTable()).OverrideByName(c.name, c.props)
		rename["Value #"+c.ref] = c.name
		order["Value #"+c.ref] = i + 1
	}
	return panel{b.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "renameByName": rename, "indexByName": order,
		}}), gridWidth, 9}
}

// share prints a ratio as a percentage.
func share(ratio float64) string { return strconv.FormatFloat(ratio*100, 'g', 6, 64) + " %" }
