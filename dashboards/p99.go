package dashboards

import (
	"fmt"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// percentiles shows what an average hides: the same requests as seven numbers,
// what one slow request in a hundred means for people who send many, and what
// becomes of percentiles that are averaged.
func percentiles(o Options) (Dashboard, error) {
	exceeded, err := o.ofAMillion()
	if err != nil {
		return Dashboard{}, err
	}
	now, line, err := o.sessions()
	if err != nil {
		return Dashboard{}, err
	}
	d, err := assemble(catalog.DashboardP99, "P99: your average is a liar",
		"What an average hides: percentiles, single slow requests, sessions that meet one, and percentiles that were averaged.",
		join(chooseSources(catalog.VarPrometheus), chooseService("Every service that embeds the agent.", everyService),
			chooseRoute(o), chooseInstance(),
			chooseText(catalog.VarRequests, "Requests per session", "How many requests one visit sends: a page and what it loads.", "20",
				"1", "5", "10", "20", "50", "100", "200")),
		[]row{
			{"The same requests, seven ways", []panel{o.sevenNumbers(), o.timesTheMean(), exceeded}},
			{"Over time", []panel{o.sevenLines(), o.p99Heatmap()}},
			{"Which route it is", []panel{o.routePercentiles()}},
			{"People send more than one request", []panel{now, line}},
			{"Percentiles cannot be averaged", []panel{o.averagedP99s(), o.p99ByInstance()}},
		})
	return d, err
}

// largest is the highest percentile there is. Like all of them it is read from
// buckets.
func largest() statistic { return statistic{"max", "Max", "dark-purple", 1} }

// slice is the distribution of the durations of the chosen requests, on the
// chosen instances.
func (o Options) slice(w promql.Window) promql.Distribution {
	return slo.Requests(o.Flavor, w, these()...)
}

func (o Options) sevenNumbers() panel {
	b := newStat("Mean, percentiles and maximum",
		"One set of requests, described seven ways. The mean says what all of them cost together and how long nobody waited. "+
			"P50 is what is usual, P99 what one request in a hundred exceeds, P99.9 one in a thousand. "+
			"Max is the upper edge of the highest bucket with a request in it: the slowest one took at most that.",
		unitTime, noRequests)
	for _, s := range append(statistics(), largest()) {
		b = b.WithTarget(query{s.ref, s.value(o.slice(promql.WholeRange())), s.name}.once()).
			OverrideByName(s.name, []dashboard.DynamicConfigValue{fixedColor(s.color)})
	}
	return panel{b, gridWidth, 4}.to(toLesson("average-is-a-liar", "The lesson: the average is a liar"),
		toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

func (o Options) timesTheMean() panel {
	d := o.slice(promql.WholeRange())
	return panel{newStat("P99 in means", "How many times the mean P99 is. Up to 3 is usual for one kind of request; far above it, a mean of this service "+
		"says nothing about the requests that people complain of.", unitCount, noRequests).
		Thresholds(steps(good, above(5, warn), above(20, bad))).
		WithTarget(query{"A", promql.Div(d.Quantile(0.99), d.Mean()), "P99 in means"}.once()), 4, 4}.
		to(toLesson("average-is-a-liar", "The lesson: the average is a liar"))
}

// ofAMillion counts the requests above a few durations, all of which are bounds
// of classic buckets.
func (o Options) ofAMillion() (panel, error) {
	b := newStat("Of a million requests, so many take longer than", "The share of requests that took longer, as a number of people: a day of a large site has a million requests. "+
		"Read it from the left; where the numbers stop falling is a second kind of request.", unitCount, noRequests)
	for i, limit := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2500 * time.Millisecond, 5 * time.Second} {
		within, err := o.slice(promql.WholeRange()).FractionAtMost(promql.Seconds(limit))
		if err != nil {
			return panel{}, err
		}
		b = b.WithTarget(query{string(rune('A' + i)), promql.Times(promql.Complement(within), promql.Number(1e6)), limit.String()}.once())
	}
	return panel{b, 20, 4}.to(toBoard(catalog.DashboardSLO, "Objectives and budgets")), nil
}

func (o Options) sevenLines() panel {
	b := newTimeSeries("Duration, seven ways",
		fmt.Sprintf("The same seven as they develop, on a logarithmic scale. The dashed line is the objective of %v. Points are single requests: click one to open its trace. "+
			"Only P99 and above rising is a few requests in trouble; P50 rising as well is everybody.", o.LatencyObjective),
		unitTime, noRequests).
		ScaleDistribution(logScale()).
		Thresholds(o.latencyLimit()).
		ThresholdsStyle(dashedLimits())
	for _, s := range append(statistics(), largest()) {
		target := query{s.ref, s.value(o.slice(promql.RateInterval())), s.name}
		if s.quantile == 0.99 {
			b = b.WithTarget(target.withExemplars())
		} else {
			b = b.WithTarget(target.overTime())
		}
		b = b.OverrideByName(s.name, []dashboard.DynamicConfigValue{fixedColor(s.color)})
	}
	return panel{b, 12, 13}.to(toBoard(catalog.DashboardBottleneck, "Where the time goes"))
}

func (o Options) p99Heatmap() panel {
	return panel{o.newHeatmap("Every request, by duration",
		"How many requests per second took how long: time runs to the right, duration upwards on a logarithmic scale; the stronger the colour, the more. "+
			"The mean lies between two bands, where no request is. Points are single requests: click one to open its trace.",
		noRequests, o.slice(promql.RateInterval())), 12, 13}.
		to(toLesson("average-is-a-liar", "The lesson: the average is a liar"))
}

func (o Options) routePercentiles() panel {
	d := o.slice(promql.WholeRange()).By(catalog.HTTPRoute)
	seconds := []dashboard.DynamicConfigValue{unit(unitTime), width(95)}
	limited := append(seconds, coloredCell(), limits(o.latencyLimit()))
	return panel{newTable("Routes by percentile",
		"Every route over the whole time range, slowest P99 first. The mean of the whole service is mostly that of its busiest route. "+
			"Red is above the objective. Click a route to see this dashboard for it alone.", noRequests, "P99",
		[]key{{catalog.HTTPRoute, "Route", []dashboard.DynamicConfigValue{
			onlyThis("Only this route", catalog.DashboardP99, catalog.VarRoute,
				catalog.VarPrometheus, catalog.VarEnvironment, catalog.VarService, catalog.VarInstance, catalog.VarRequests)}}},
		[]column{
			{"Requests", d.Rate(), []dashboard.DynamicConfigValue{unit(unitRate), width(110)}},
			{"Mean", d.Mean(), seconds},
			{"P50", d.Quantile(0.5), seconds},
			{"P90", d.Quantile(0.9), seconds},
			{"P99", d.Quantile(0.99), limited},
			{"P99.9", d.Quantile(0.999), limited},
			{"Max", d.Quantile(1), seconds},
			{"P99 in means", promql.Div(d.Quantile(0.99), d.Mean()), []dashboard.DynamicConfigValue{{Id: "decimals", Value: 1}, width(115)}},
		}), gridWidth, 9}.to(toBoard(catalog.DashboardBottleneck, "Where the time goes"))
}

// sessions is the share of sessions that meet at least one slow request: the
// requests of a session are taken to be slow independently of each other.
func (o Options) sessions() (now, line panel, err error) {
	meets := func(fast promql.Expr) promql.Expr {
		return promql.Complement(promql.Pow(fast, promql.Chosen(catalog.VarRequests)))
	}
	// 0.99 wherever there are requests, and nothing where there are none.
	ninetyNine := promql.Plus(promql.Times(o.slice(promql.WholeRange()).Rate(), promql.Number(0)), promql.Number(0.99))
	measured := func(w promql.Window) (promql.Expr, error) {
		return o.slice(w).Where(slo.IsAnswered()).By(catalog.HTTPRoute).FractionAtMost(promql.Seconds(o.LatencyObjective))
	}
	whole, err := o.slice(promql.WholeRange()).Where(slo.IsAnswered()).FractionAtMost(promql.Seconds(o.LatencyObjective))
	if err != nil {
		return panel{}, panel{}, err
	}
	byRoute, err := measured(promql.RateInterval())
	if err != nil {
		return panel{}, panel{}, err
	}
	now = panel{newStat("Sessions that meet a slow request",
		fmt.Sprintf("A session sends as many requests as is chosen above. Left: those with at least one request slower than P99, which is 1 - 0.99^n by its definition: "+
			"with 20 requests every fifth session, with 100 two of three. Right: those with one slower than %v, as measured.", o.LatencyObjective),
		unitRatio, noRequests).
		WithTarget(query{"p99", meets(ninetyNine), "slower than P99"}.once()).
		WithTarget(query{"objective", meets(whole), fmt.Sprintf("slower than %v", o.LatencyObjective)}.once()), 8, 11}.
		to(toLesson("average-is-a-liar", "The lesson: the average is a liar"))
	line = panel{newTimeSeries("Sessions with a request above the objective",
		fmt.Sprintf("Share of sessions of the chosen length that meet at least one answered request slower than %v, if they ask one route only. "+
			"A route that few requests of a session go to does less harm than its line says.", o.LatencyObjective),
		unitRatio, noRequests).
		WithTarget(query{"A", meets(byRoute), by(catalog.HTTPRoute)}.overTime()), 16, 11}.
		to(toBoard(catalog.DashboardSLO, "Objectives and budgets"))
	return now, line, nil
}

// averagedP99s draws the mistake beside what is right. Idle routes have no
// percentile and must not spoil the mean.
func (o Options) averagedP99s() panel {
	d := o.slice(promql.RateInterval())
	mean := func(labels ...catalog.Label) promql.Expr {
		return promql.Avg(promql.AtLeast(d.By(labels...).Quantile(0.99), promql.Number(0)))
	}
	return panel{newTimeSeries("P99 of all, and averages of P99s",
		"Red is right: P99 of all requests together, from buckets that were added up. The others are what one gets by averaging the P99 of each instance, "+
			"or of each route of each instance: an idle one counts as much as a busy one. They can be too high or too low, and say nothing about any request. "+
			"With a single instance the first two are the same.", unitTime, noRequests).
		WithTarget(query{"merged", d.Quantile(0.99), "P99 of all requests"}.overTime()).
		WithTarget(query{"instances", mean(catalog.Instance), "wrong: average over instances"}.overTime()).
		WithTarget(query{"routes", mean(catalog.Instance, catalog.HTTPRoute), "wrong: average over routes and instances"}.overTime()).
		OverrideByName("P99 of all requests", []dashboard.DynamicConfigValue{fixedColor(bad), {Id: "custom.lineWidth", Value: 2}}).
		OverrideByName("wrong: average over instances", []dashboard.DynamicConfigValue{fixedColor("gray"), dashedLine()}).
		OverrideByName("wrong: average over routes and instances", []dashboard.DynamicConfigValue{fixedColor("light-blue"), dashedLine()}), 12, 9}.
		to(toLesson("average-is-a-liar", "The lesson: the average is a liar"))
}

// dashedLine marks a line that is drawn to be compared with, not to be believed.
func dashedLine() dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{6, 4}}}
}

func (o Options) p99ByInstance() panel {
	return panel{newTimeSeries("P99 by instance",
		"What one request in a hundred exceeds, on each instance. One line above the others is an instance to look at: a bad neighbour, a cold cache, a full disk. "+
			"All lines together is what the service depends on, or its code.", unitTime, noRequests).
		Thresholds(o.latencyLimit()).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", o.slice(promql.RateInterval()).By(catalog.Instance).Quantile(0.99), by(catalog.Instance)}.overTime()), 12, 9}.
		to(toBoard(catalog.DashboardUtilization, "What the instances use"))
}
