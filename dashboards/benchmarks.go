package dashboards

import (
	"net/url"
	"regexp"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// The values of the labels clock and variant, and of services, that the load
// generator gives its runs.
const (
	clockCorrected = "corrected"
	clockRaw       = "raw"
	variantBefore  = "before"
	outcomeOK      = "ok"
	// measured are the services that a scenario's runs measure. They are called
	// bench, the scenario, and the variant.
	measured = `bench-$scenario-.*`
)

// labPages is where the pages of the lab can be read.
const labPages = "https://github.com/cacheu/plumbline/blob/main/docs/lab/"

// noRun is what panels say when the time range holds nothing of the run.
const noRun = "no run in this time range"

// benchmarks shows one run of a benchmark: what was sent, how long it took by
// both clocks, and what the variants say about themselves.
func benchmarks(o Options) (Dashboard, error) {
	d, err := assemble(catalog.DashboardBenchmarks, "Benchmarks",
		"One run of a benchmark: the load, the latency from the planned and from the real send, and what it cost the variants.",
		benchmarkVariables(o), []row{
			{"The load", []panel{o.benchRequests(), o.benchErrors(), o.benchP99s(), benchRates()}},
			{"Latency of successes, at the generator", []panel{
				o.benchDuration(), o.benchClocks(), o.benchHeatmap(variantBefore, "Before: duration heatmap"), o.benchHeatmap("", "After: duration heatmap"),
			}},
			{"At the variants", []panel{o.clientAgainstServer(), benchCPU(), o.benchQueries(), benchComponents()}},
		})
	if err != nil {
		return d, err
	}
	for _, link := range []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder("The page of this scenario").Type(dashboard.DashboardLinkTypeLink).
			Url(labPages + "${scenario}.md").Tooltip("What people assume, what to look at, and what the fix costs").TargetBlank(true),
		dashboard.NewDashboardLinkBuilder("Profiles side by side").Type(dashboard.DashboardLinkTypeLink).
			Url(profilesURL()).Tooltip("The flame graphs of both variants, in Explore").KeepTime(true).TargetBlank(true),
	} {
		built, err := link.Build()
		if err != nil {
			return d, err
		}
		built.Placement = nil
		d.Model.Links = append(d.Model.Links, built)
	}
	return d, nil
}

// profilesURL opens Explore with the profile of each variant in a pane. The
// data source is called as the lab provisions it.
func profilesURL() string {
	pane := func(variant string) string {
		return `{"datasource":"pyroscope","queries":[{"refId":"A","profileTypeId":"process_cpu:cpu:nanoseconds:cpu:nanoseconds",` +
			`"labelSelector":"{` + string(catalog.ServiceName) + `=\"bench-${scenario}-` + variant + `\"}","queryType":"profile"}]}`
	}
	escape := func(s string) string {
		// Grafana fills the variable in after this: it must stay as it is.
		return regexp.MustCompile(`%24%7Bscenario%7D`).ReplaceAllString(url.QueryEscape(s), "$${scenario}")
	}
	return "/explore?schemaVersion=1&orgId=1&panes=" + escape(`{"before":`+pane("before")+`,"after":`+pane("after")+`}`)
}

func benchmarkVariables(o Options) []cog.Builder[dashboard.VariableModel] {
	runs := func(ms ...promql.Matcher) promql.Expr {
		return promql.Of(o.Flavor, catalog.BenchRequestDuration, promql.WholeRange(), ms...).Present()
	}
	return []cog.Builder[dashboard.VariableModel]{
		sourceVariable(catalog.VarPrometheus, "Prometheus data source", typePrometheus),
		valuesVariable(catalog.VarScenario, "Scenario", "Every scenario that was measured in the time range; target is a URL of somebody's own.",
			runs(), catalog.Scenario),
		valuesVariable(catalog.VarRunID, "Run", "Runs of the scenario in the time range, the newest first.",
			runs(promql.SelectedOne(catalog.Scenario, catalog.VarScenario)), catalog.RunID).
			Sort(dashboard.VariableSortAlphabeticalDesc),
	}
}

// thisRun matches the series of the chosen run.
func thisRun(ms ...promql.Matcher) []promql.Matcher {
	return append([]promql.Matcher{promql.SelectedOne(catalog.RunID, catalog.VarRunID)}, ms...)
}

// theVariants matches the services that the chosen scenario's runs measure.
func theVariants() promql.Matcher {
	return promql.Like(catalog.ServiceName, regexp.MustCompile(measured))
}

// latencies is the distribution of the chosen run by one clock.
func (o Options) latencies(w promql.Window, clock string, ms ...promql.Matcher) promql.Distribution {
	return promql.Of(o.Flavor, catalog.BenchRequestDuration, w, thisRun(append(ms, promql.Equal(catalog.Clock, clock))...)...)
}

func sent(w promql.Window, ms ...promql.Matcher) promql.Expr {
	return promql.Sum(promql.Rate(catalog.BenchRequests, w, thisRun(ms...)...), catalog.Variant)
}

func (o Options) benchRequests() panel {
	return panel{newStat("Requests sent", "Requests of the run within the time range, by variant, failures included. "+
		"Counters are read at every scrape, so that a few at the ends are missing.", unitCount, noRun).
		WithTarget(query{"A", promql.Sum(promql.Increase(catalog.BenchRequests, promql.WholeRange(), thisRun()...), catalog.Variant),
			by(catalog.Variant)}.once()), 6, 5}
}

func (o Options) benchErrors() panel {
	failed := sent(promql.WholeRange(), promql.NotEqual(catalog.Outcome, outcomeOK))
	return panel{newStat("Failed requests", "Share of requests that were refused, failed, not answered or not sent. "+
		"Look here first: latencies below are those of successes alone.", unitRatio, noRun).
		Thresholds(steps(good, above(0.001, warn), above(0.01, bad))).
		WithTarget(query{"A", promql.Div(failed, sent(promql.WholeRange())), by(catalog.Variant)}.once()), 6, 5}
}

func (o Options) benchP99s() panel {
	return panel{newStat("P99 of the run", "One request in a hundred took longer than this, from the time at which it was planned. "+
		"The report of the run has the interval around it and the verdict.", unitTime, noRun).
		WithTarget(query{"A", o.latencies(promql.WholeRange(), clockCorrected).By(catalog.Variant).Quantile(0.99), by(catalog.Variant)}.once()), 6, 5}
}

func benchRates() panel {
	offered := promql.Sum(promql.Value(catalog.BenchOfferedRate, thisRun()...), catalog.Variant)
	return panel{newTimeSeries("Offered and achieved rate", "Requests per second that the generator meant to send, and that it sent. "+
		"Variants are measured by turns. Achieved below offered: the generator is the bottleneck, and the run says nothing.", unitRate, noRun).
		WithTarget(query{"offered", offered, by(catalog.Variant) + " offered"}.overTime()).
		WithTarget(query{"achieved", sent(promql.RateInterval()), by(catalog.Variant) + " achieved"}.overTime()), gridWidth, 8}
}

func (o Options) benchDuration() panel {
	d := o.latencies(promql.RateInterval(), clockCorrected).By(catalog.Variant)
	b := newTimeSeries("Duration from the planned time", "Percentiles by variant. A stalled server shows here, because requests are sent whether or not "+
		"earlier ones were answered. Points are single requests: click one to open its trace.", unitTime, noRun)
	for _, s := range statistics() {
		if s.quantile == 0 || s.quantile == 0.95 {
			continue
		}
		target := query{s.ref, d.Quantile(s.quantile), by(catalog.Variant) + " " + s.name}
		if s.name == "P99" {
			b = b.WithTarget(target.withExemplars())
		} else {
			b = b.WithTarget(target.overTime())
		}
	}
	return panel{b, 12, 10}
}

func (o Options) benchClocks() panel {
	legend := by(catalog.Variant) + " P99 "
	return panel{newTimeSeries("P99 by both clocks", "From the planned time (corrected) and from the real send (raw). They differ when requests were sent late: "+
		"a generator that waits for answers, or that has no processor time to spare, hides what corrected shows.", unitTime, noRun).
		WithTarget(query{"corrected", o.latencies(promql.RateInterval(), clockCorrected).By(catalog.Variant).Quantile(0.99), legend + clockCorrected}.overTime()).
		WithTarget(query{"raw", o.latencies(promql.RateInterval(), clockRaw).By(catalog.Variant).Quantile(0.99), legend + clockRaw}.overTime()), 12, 10}
}

// benchHeatmap draws the variant before, or with no variant all others.
func (o Options) benchHeatmap(variant, title string) panel {
	which := promql.NotEqual(catalog.Variant, variantBefore)
	if variant != "" {
		which = promql.Equal(catalog.Variant, variant)
	}
	return panel{heatmap.NewPanelBuilder().
		Title(title).
		Description("How many requests per second took how long: time runs to the right, duration upwards on a logarithmic scale. " +
			"A second band far above the first is what an average hides.").
		Datasource(prometheusSource()).
		Unit(unitRate).
		NoValue(noRun).
		WithTarget(query{"A", o.latencies(promql.RateInterval(), clockCorrected, which).Buckets(), o.heatmapLegend()}.asHeatmap()).
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
		ExemplarsColor("rgba(255,0,255,0.7)"), 12, 9}
}

func (o Options) clientAgainstServer() panel {
	server := promql.Of(o.Flavor, catalog.HTTPServerRequestDuration, promql.RateInterval(), theVariants()).By(catalog.ServiceName)
	return panel{newTimeSeries("P99 at the client and at the server", "What the generator waited, and what the variant itself measured. "+
		"The difference is network, connection set-up and waiting to be accepted: a server does not see its own queue.", unitTime, noRun).
		WithTarget(query{"client", o.latencies(promql.RateInterval(), clockCorrected).By(catalog.Variant).Quantile(0.99), "client " + by(catalog.Variant)}.overTime()).
		WithTarget(query{"server", server.Quantile(0.99), "server " + by(catalog.ServiceName)}.overTime()), 12, 9}
}

func benchCPU() panel {
	return panel{newTimeSeries("Processor cores in use", "Cores that each process of the scenario keeps busy, its parts included. "+
		"Near the number of processors, latency is a matter of waiting for one.", unitCount, noRun).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.ProcessCPUSeconds, promql.RateInterval(), theVariants()), catalog.ServiceName),
			by(catalog.ServiceName)}.overTime()), 12, 9}
}

func (o Options) benchQueries() panel {
	return panel{newTimeSeries("Queries per request", "Mean number of database queries that one request sends, by variant. "+
		"One that grows with the rows of the answer is a query in a loop.", unitCount, noRun).
		WithTarget(query{"A", promql.Of(o.Flavor, catalog.DBClientQueriesPerRequest, promql.RateInterval(), theVariants()).By(catalog.ServiceName).Mean(),
			by(catalog.ServiceName)}.overTime()), 12, 9}
}

func benchComponents() panel {
	seconds := promql.Sum(promql.Rate(catalog.HTTPServerComponentSeconds, promql.RateInterval(), theVariants()), catalog.ServiceName, catalog.ComponentLabel)
	return panel{newStack("Time by component", "Seconds per second that the requests of each variant spent in each component, stacked. "+
		"The widest band is where the time goes, whatever one believes.", unitTime, noRun).
		WithTarget(query{"A", seconds, by(catalog.ServiceName) + " " + by(catalog.ComponentLabel)}.overTime()), 12, 9}
}
