package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

const (
	noQueries = "no database query in this time range"
	noPool    = "the service has no pool of connections"
	noScans   = "no postgres_exporter is scraped: the agent itself does not know how the database finds its rows"
)

// database shows what a service asks its databases and caches, what that
// costs, and whether it has to wait for a connection.
func database(o Options) (Dashboard, error) {
	return assemble(catalog.DashboardDatabase, "Database",
		"Queries by what they cost in all, connections and the waiting for them, queries in loops, and what failed.",
		join(chooseSources(catalog.VarPrometheus, catalog.VarJaeger),
			chooseService("Every service that asks a database.", func(ms ...promql.Matcher) promql.Expr {
				return promql.Of(o.Flavor, catalog.DBClientOperationDuration, promql.WholeRange(), ms...).Present()
			}),
			chooseInstance(),
			choices{orAll(valuesVariable(catalog.VarSystem, "System", "Databases and caches, for the panels about queries.",
				promql.Of(o.Flavor, catalog.DBClientOperationDuration, promql.WholeRange(), thisService()...).Present(), catalog.DBSystemName))}),
		[]row{
			{"Over the whole time range", []panel{o.queryRate(), o.queriesUnderWay(), o.queryMean(), o.queryP99(), fullestPool(), connectionWait()}},
			{"Which queries", []panel{o.signatures(), o.signatureTime(), o.signatureCalls()}},
			{"How long they take", []panel{o.queryDuration(), o.queryHeatmap()}},
			{"Connections", []panel{connectionStates(), connectionUse(), meanWait(), waitsPerSecond()}},
			{"Loops, scans and errors", []panel{nPlusOneTable(), nPlusOneLines(), scans(), failedQueries()}},
		})
}

// queries is the distribution of the durations of the chosen queries.
func (o Options) queries(w promql.Window) promql.Distribution {
	return promql.Of(o.Flavor, catalog.DBClientOperationDuration, w,
		append(theseInstances(), promql.Selected(catalog.DBSystemName, catalog.VarSystem))...)
}

func (o Options) queryRate() panel {
	return panel{newStat("Queries", "Queries and commands per second that the service sent to databases and caches, averaged over the time range. "+
		"Divided by its requests it says how much each of them asks.", unitOps, noQueries).
		WithTarget(query{"A", o.queries(promql.WholeRange()).Rate(), "Queries"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

func (o Options) queriesUnderWay() panel {
	return panel{newStat("Under way", "Queries that were being answered at any moment, on average: seconds of query per second. "+
		"That many connections are busy all the time, and it is what the database is paid for.", unitCount, noQueries).
		WithTarget(query{"A", o.queries(promql.WholeRange()).Total(), "Under way"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardBottleneck, "Where the time goes"))
}

func (o Options) queryMean() panel {
	return panel{newStat("Mean", "How long a query took on average, as the service saw it: with the network, without waiting for a connection.", unitTime, noQueries).
		WithTarget(query{"A", o.queries(promql.WholeRange()).Mean(), "Mean"}.once()), 4, 4}.
		to(toLesson("average-is-a-liar", "The lesson: the average is a liar"))
}

func (o Options) queryP99() panel {
	return panel{newStat("P99", "One query in a hundred took longer than this. Far above the mean, look below for a query that reads more rows than others, or waits for a lock.", unitTime, noQueries).
		WithTarget(query{"A", o.queries(promql.WholeRange()).Quantile(0.99), "P99"}.once()), 4, 4}.
		to(toLesson("index", "The lesson: a missing index"))
}

// places are where a pool is.
func places() []catalog.Label { return []catalog.Label{catalog.Instance, catalog.Pool} }

// usedShare is the share of each pool's connections that are in use.
func usedShare() promql.Expr {
	used := promql.Sum(promql.Value(catalog.DBClientConnections, append(theseInstances(), promql.Equal(catalog.State, catalog.StateUsed))...), places()...)
	return promql.Div(used, promql.Sum(promql.Value(catalog.DBClientConnectionsMax, theseInstances()...), places()...))
}

func fullestPool() panel {
	return panel{newStat("Fullest pool", "Share of the connections in use at the end of the time range, in the pool with the least to spare. "+bandText(), unitRatio, noPool).
		Thresholds(band()).
		WithTarget(query{"A", promql.Max(usedShare()), "Fullest pool"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardUtilization, "What the service uses"), toRunbook("SaturationHurts"))
}

func connectionWait() panel {
	return panel{newStat("Waiting", "Callers that waited for a connection at any moment, on average: seconds of waiting per second. "+
		"Orange: one caller in ten moments; red: one all the time, and more connections or fewer queries would help.", unitCount, noPool).
		Thresholds(steps(good, above(0.1, warn), above(1, bad))).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.DBClientConnectionWait, promql.WholeRange(), theseInstances()...)), "Waiting"}.once()), 4, 4}.
		to(toRunbook("SaturationHurts"))
}

func (o Options) signatures() panel {
	labels := []catalog.Label{catalog.DBSystemName, catalog.DBOperationName, catalog.DBQuerySignature}
	d := o.queries(promql.WholeRange()).By(labels...)
	seconds := []dashboard.DynamicConfigValue{unit(unitTime), width(100)}
	return panel{newTable("Queries by total time",
		"Every kind of query over the whole time range, the one that cost most in all first: what is sent a thousand times a second matters more than what is slow once an hour. "+
			"Values are left out of the text, and kinds past the agent's cap are counted together as other.", noQueries, "Total time",
		[]key{{catalog.DBQuerySignature, "Query", nil},
			{catalog.DBOperationName, "Operation", []dashboard.DynamicConfigValue{width(110)}},
			{catalog.DBSystemName, "System", []dashboard.DynamicConfigValue{width(110)}}},
		[]column{
			{"Total time", promql.Times(d.Total(), promql.RangeSeconds()), seconds},
			{"Share", promql.DivAll(d.Total(), o.queries(promql.WholeRange()).Total()), append(bar(), width(170))},
			{"Calls", d.Rate(), []dashboard.DynamicConfigValue{unit(unitOps), width(100)}},
			{"Mean", d.Mean(), seconds},
			{"P99", d.Quantile(0.99), seconds},
		}), gridWidth, 11}.
		to(toLesson("index", "The lesson: a missing index"), toLesson("n-plus-one", "The lesson: N+1 queries"))
}

// most is how many kinds of queries a chart draws.
const most = 10

func (o Options) signatureTime() panel {
	return panel{newStack("Time by query",
		"Seconds per second that the database spent on each kind of query, stacked; at each moment the ten that cost most. A band that grows is a query that got slower, or that is sent more often: compare it with the calls beside it.",
		unitCount, noQueries).
		WithTarget(query{"A", promql.TopK(most, o.queries(promql.RateInterval()).By(catalog.DBQuerySignature).Total()), by(catalog.DBQuerySignature)}.overTime()), 12, 13}.
		to(toLesson("cache", "The lesson: a cache and what it costs"))
}

func (o Options) signatureCalls() panel {
	return panel{newStack("Calls by query",
		"How often each kind of query is sent, stacked; at each moment the ten most frequent. Calls that rise faster than the requests are a loop, or a cache that has stopped to hit.",
		unitOps, noQueries).
		WithTarget(query{"A", promql.TopK(most, o.queries(promql.RateInterval()).By(catalog.DBQuerySignature).Rate()), by(catalog.DBQuerySignature)}.overTime()), 12, 13}.
		to(toLesson("n-plus-one", "The lesson: N+1 queries"))
}

func (o Options) queryDuration() panel {
	d := o.queries(promql.RateInterval()).By(catalog.DBSystemName, catalog.DBOperationName)
	name := by(catalog.DBSystemName) + " " + by(catalog.DBOperationName)
	return panel{newTimeSeries("Duration by operation",
		"How long databases and caches took to answer, by system and operation: P50 is what is usual, P99 what one in a hundred exceeds; on a logarithmic scale. Points are single queries: click one to open its trace.",
		unitTime, noQueries).
		ScaleDistribution(logScale()).
		WithTarget(query{"p50", d.Quantile(0.5), name + " P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), name + " P99"}.withExemplars()), 12, 13}.
		to(toBoard(catalog.DashboardBottleneck, "Where the time goes"))
}

func (o Options) queryHeatmap() panel {
	return panel{o.newHeatmap("Every query, by duration",
		"How many queries per second took how long: time runs to the right, duration upwards on a logarithmic scale; the stronger the colour, the more. "+
			"Two bands are two kinds of queries: choose a system above to tell them apart. Points are single queries: click one to open its trace.",
		noQueries, o.queries(promql.RateInterval())), 12, 13}.
		to(toLesson("index", "The lesson: a missing index"))
}

func connectionStates() panel {
	b := newStack("Connections by state", "Connections of all pools of the chosen instances, stacked, and as a line the most that there may be. "+
		"A stack that touches the line is a pool that makes callers wait.", unitCount, noPool).
		WithTarget(query{"state", promql.Sum(promql.Value(catalog.DBClientConnections, theseInstances()...), catalog.State), by(catalog.State)}.overTime()).
		WithTarget(query{"max", promql.Sum(promql.Value(catalog.DBClientConnectionsMax, theseInstances()...)), "the most"}.overTime()).
		OverrideByName(catalog.StateUsed, []dashboard.DynamicConfigValue{fixedColor("blue")}).
		OverrideByName("idle", []dashboard.DynamicConfigValue{fixedColor("gray")}).
		OverrideByName("the most", []dashboard.DynamicConfigValue{fixedColor(bad), {Id: "custom.fillOpacity", Value: 0},
			{Id: "custom.stacking", Value: map[string]string{"mode": "none", "group": "A"}}})
	return panel{b, 12, 10}.to(toBoard(catalog.DashboardUtilization, "What the service uses"))
}

func connectionUse() panel {
	return panel{newTimeSeries("Connections in use", "Share of each pool's connections that are in use. "+bandText(), unitRatio, noPool).
		Max(1).
		Thresholds(band()).
		ThresholdsStyle(shadedLimits()).
		WithTarget(query{"A", usedShare(), by(catalog.Pool) + " of " + by(catalog.Instance)}.overTime()), 12, 10}.
		to(toPage("utilization", "What the band means"), toRunbook("UtilizationHigh"))
}

func meanWait() panel {
	waited := promql.Sum(promql.Rate(catalog.DBClientConnectionWait, promql.RateInterval(), theseInstances()...), catalog.Pool)
	waits := promql.Sum(promql.Rate(catalog.DBClientConnectionWaits, promql.RateInterval(), theseInstances()...), catalog.Pool)
	return panel{newTimeSeries("Wait for a connection", "How long callers that had to wait for a connection did so, on average, by pool. "+
		"0 where nobody did. A wait as long as a query is a pool that is one connection too small; much longer, look for connections that are held and not used.",
		unitTime, noPool).
		WithTarget(query{"A", promql.Or(promql.Div(waited, promql.Above(waits, promql.Number(0))), promql.Times(waits, promql.Number(0))), by(catalog.Pool)}.overTime()), 12, 10}.
		to(toRunbook("SaturationHurts"))
}

func waitsPerSecond() panel {
	return panel{newTimeSeries("Waits for a connection", "Times per second that a caller had to wait for a connection, by pool. A few while the service starts are the pool opening connections.",
		unitOps, noPool).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.DBClientConnectionWaits, promql.RateInterval(), theseInstances()...), catalog.Pool), by(catalog.Pool)}.overTime()), 12, 10}.
		to(toRunbook("SaturationHurts"))
}

// scans needs postgres_exporter, which has no idea of services: it shows the
// tables of every database that is scraped.
func scans() panel {
	return panel{newTimeSeries("Rows read by sequential scans", "Rows per second that PostgreSQL read by going through whole tables, by table, of all databases that a postgres_exporter watches. "+
		"A large table here wants an index, or a query that uses the one it has: EXPLAIN says which.", unitCount, noScans).
		WithTarget(query{"A", promql.TopK(most, promql.Sum(promql.Rate(catalog.PostgresSeqTuplesRead, promql.RateInterval()), catalog.Relname)), by(catalog.Relname)}.overTime()), 12, 9}.
		to(toLesson("index", "The lesson: a missing index"), toLesson("index-cost", "The lesson: what an index costs"))
}

func failedQueries() panel {
	return panel{newTraces("Traces with a failed query", "Up to 50 of the newest traces in which a query of PostgreSQL by the service failed, slowest first. "+
		"The span's error.type is the SQL state: 40001 and 40P01 are conflicts that a retry solves, 57014 a time-out, 53300 too many connections.",
		"no query of this service failed in this time range", traceSearch{tags: "error=true " + catalog.AttrDBSystemName + "=postgresql"}), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Logs and traces"))
}
