package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// noFindings is what panels about N+1 queries say in health.
const noFindings = "no query in a loop was found in this time range"

// noSamples is what flame graphs say of a service that did not compute.
const noSamples = "no profile of this service in this time range"

// bottlenecks answers where the time of requests goes, from all of them down
// to the function that computes.
func bottlenecks(o Options) (Dashboard, error) {
	return assemble(catalog.DashboardBottleneck, "Bottleneck: where the time goes",
		"Measured instead of guessed: time by component, queries in loops, the slowest traces, and the functions that compute.",
		join(chooseSources(catalog.VarPrometheus, catalog.VarJaeger, catalog.VarPyroscope),
			chooseService("Every service that embeds the agent.", everyService), chooseRoute(o), chooseInstance(),
			chooseText(catalog.VarSlower, "Slower than", "How long a trace of the list must have taken at least.", "50ms",
				"10ms", "50ms", "100ms", "300ms", "1s", "3s")),
		[]row{
			{"What requests wait for", []panel{o.meanByComponent(), secondsByComponent(), o.routeComponents(), o.callsByComponent(), o.queriesPerRequest()}},
			{"Queries in loops", []panel{nPlusOneTable(), nPlusOneLines()}},
			{"Single slow requests", []panel{
				slowTraces().to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces")),
				failedTraces().to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces")),
			}},
			{"What the processor does", []panel{topFunctions()}},
		})
}

// componentColors gives each component its colour wherever it is drawn.
func componentColors() map[catalog.Component]string {
	return map[catalog.Component]string{
		catalog.DB: "blue", catalog.Cache: "purple", catalog.HTTP: "orange", catalog.Queued: "yellow", catalog.Log: "red", catalog.Self: "green",
	}
}

const componentText = "self is the service's own code, db, cache and http are waiting for an answer, queue for a worker or a connection, log for a log line to be written."

// byComponent adds a stack's colours.
func byComponent(title, description, unit, empty string, target query) panel {
	b := newStack(title, description, unit, empty).WithTarget(target.overTime())
	for _, c := range catalog.Components() {
		b = b.OverrideByName(string(c), []dashboard.DynamicConfigValue{fixedColor(componentColors()[c])})
	}
	return panel{b, 12, 12}
}

func (o Options) meanByComponent() panel {
	spent := promql.Sum(promql.Rate(catalog.HTTPServerComponentSeconds, promql.RateInterval(), these()...), catalog.ComponentLabel)
	return byComponent("A request's time, by component",
		"Mean time of a request, split by what it was spent on and stacked: the upper edge is the mean duration. The widest band is the bottleneck, whatever one believes; "+componentText,
		unitTime, noRequests, query{"A", promql.DivAll(spent, o.slice(promql.RateInterval()).Rate()), by(catalog.ComponentLabel)}).
		to(toLesson("sync-logging", "The lesson: it was the logging"), toBoard(catalog.DashboardP99, "Percentiles"))
}

func secondsByComponent() panel {
	return byComponent("All requests' time, by component",
		"Seconds per second that all requests together spent in each component, stacked: how many are in it at any moment. A component that grows faster than the requests is getting slower. "+componentText,
		unitCount, noRequests, query{"A", promql.Sum(promql.Rate(catalog.HTTPServerComponentSeconds, promql.RateInterval(), these()...), catalog.ComponentLabel),
			by(catalog.ComponentLabel)}).
		to(toBoard(catalog.DashboardUtilization, "What the service uses"))
}

// routeComponents has the share of each component in the time of each route.
func (o Options) routeComponents() panel {
	seconds := func(c catalog.Component) promql.Expr {
		return promql.Sum(promql.Rate(catalog.HTTPServerComponentSeconds, promql.WholeRange(),
			append(these(), promql.Equal(catalog.ComponentLabel, string(c)))...), catalog.HTTPRoute)
	}
	all := promql.Sum(promql.Rate(catalog.HTTPServerComponentSeconds, promql.WholeRange(), these()...), catalog.HTTPRoute)
	columns := []column{
		{"Total time", promql.Times(all, promql.RangeSeconds()), []dashboard.DynamicConfigValue{unit(unitTime), width(100)}},
		{"Mean", o.slice(promql.WholeRange()).By(catalog.HTTPRoute).Mean(), []dashboard.DynamicConfigValue{unit(unitTime), width(90)}},
	}
	for _, c := range catalog.Components() {
		columns = append(columns, column{string(c), promql.Div(seconds(c), all), bar()})
	}
	return panel{newTable("Routes by component",
		"Every route over the whole time range: the time that its requests took in all, the mean of one, and the share of its time in each component; a longer bar is more. "+
			"Begin with the route at the top and the longest bar in it. Click a route to see this dashboard for it alone.", noRequests, "Total time",
		[]key{{catalog.HTTPRoute, "Route", []dashboard.DynamicConfigValue{
			onlyThis("Only this route", catalog.DashboardBottleneck, catalog.VarRoute, catalog.VarPrometheus, catalog.VarJaeger, catalog.VarPyroscope,
				catalog.VarEnvironment, catalog.VarService, catalog.VarInstance, catalog.VarSlower)}}}, columns), gridWidth, 9}.
		to(toBoard(catalog.DashboardDatabase, "What the database is asked"))
}

func (o Options) callsByComponent() panel {
	calls := promql.Sum(promql.Rate(catalog.HTTPServerComponentCalls, promql.RateInterval(), these()...), catalog.ComponentLabel)
	b := newTimeSeries("Calls per request, by component",
		"How often a request calls into each component, on average. Ten fast calls take as long as one slow one and are found here and not in a percentile of calls.",
		unitCount, noRequests).
		WithTarget(query{"A", promql.DivAll(calls, o.slice(promql.RateInterval()).Rate()), by(catalog.ComponentLabel)}.overTime())
	for _, c := range catalog.Components() {
		b = b.OverrideByName(string(c), []dashboard.DynamicConfigValue{fixedColor(componentColors()[c])})
	}
	return panel{b, 12, 11}.to(toLesson("microservices", "The lesson: the price of a call"))
}

// queriesPerRequest knows routes and no instances of queries.
func (o Options) queriesPerRequest() panel {
	d := promql.Of(o.Flavor, catalog.DBClientQueriesPerRequest, promql.RateInterval(), these()...).By(catalog.HTTPRoute)
	return panel{newTimeSeries("Database queries per request",
		"Queries that one request sends, by route: the mean, and P99, which one request in a hundred exceeds. Far apart, the number follows the rows of the answer: a query in a loop.",
		unitCount, "no request that asks a database").
		WithTarget(query{"mean", d.Mean(), by(catalog.HTTPRoute) + " mean"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), by(catalog.HTTPRoute) + " P99"}.overTime()), 12, 11}.
		to(toLesson("n-plus-one", "The lesson: N+1 queries"))
}

func nPlusOneTable() panel {
	found := promql.Sum(promql.Increase(catalog.DBClientNPlusOne, promql.WholeRange(), theseInstances()...), catalog.HTTPRoute, catalog.DBQuerySignature)
	return panel{newTable("N+1 queries found",
		"Requests in which one query was repeated for each row of another, by route and query, over the whole time range; counters are extrapolated, so that numbers need not be whole. "+
			"The log line of a finding names the place in the code and the batched form to use.", noFindings, "Requests",
		[]key{{catalog.HTTPRoute, "Route", []dashboard.DynamicConfigValue{width(220)}}, {catalog.DBQuerySignature, "Query", nil}},
		[]column{{"Requests", promql.Above(found, promql.Number(0)), []dashboard.DynamicConfigValue{width(110), {Id: "decimals", Value: 0}}}}), 14, 8}.
		to(toLesson("n-plus-one", "The lesson: N+1 queries"))
}

func nPlusOneLines() panel {
	return panel{newTimeSeries("N+1 queries over time",
		"Requests per second with a query in a loop, by route. A line that begins with a deployment is that deployment's; one that follows the requests has been there before.",
		unitRate, noFindings).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.DBClientNPlusOne, promql.RateInterval(), theseInstances()...), catalog.HTTPRoute),
			by(catalog.HTTPRoute)}.overTime()), 10, 8}.
		to(toLesson("n-plus-one", "The lesson: N+1 queries"))
}

func slowTraces() panel {
	return panel{newTraces("Slowest traces",
		"Up to 50 of the newest traces of the service that took at least as long as chosen above, slowest first. Open one: the longest span without others below it is what it waited for. "+
			"All routes of the service are searched.", "no trace of this service took that long",
		traceSearch{atLeast: "$" + string(catalog.VarSlower)}), 12, 10}
}

func failedTraces() panel {
	return panel{newTraces("Traces with an error",
		"Up to 50 of the newest traces in which a span of the service failed, slowest first. Errors are kept whatever sampling decides. "+
			"Open one: the deepest failed span is where it began.", "no span of this service failed in this time range",
		traceSearch{tags: "error=true"}), 12, 10}
}

// profileCPU is the type of profiles of processor time.
const profileCPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"

func topFunctions() panel {
	return panel{newFlame("Top functions and flame graph",
		"Processor time of the service. Left the functions by their own time (self) and with what they call (total), right the call stacks: the wider, the more time. "+
			"Look for a wide frame of your own code. What waits is not here: see the components above.", noSamples,
		profileCPU, profilesOf(catalog.VarService)), gridWidth, 15}.
		to(toBoard(catalog.DashboardProfiling, "All profiles of the service"), toLesson("cpu-profile", "The lesson: read a profile"))
}
