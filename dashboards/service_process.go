package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/logs"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// The overview's panels about what a service depends on, its processes and
// its log. They know no routes, except for the first.

func (o Options) componentTime() panel {
	spent := promql.Sum(promql.Rate(catalog.HTTPServerComponentSeconds, promql.RateInterval(), theseRoutes()...), catalog.ComponentLabel)
	return panel{newStack("Where a request's time goes",
		"Mean time of a request, split by what it was spent on; stacked, so the upper edge is the mean duration. "+
			"self is the service's own code, db, cache and http are waiting for an answer, queue for a worker or a connection, log for the log to be written.",
		unitTime, noRequests).
		WithTarget(query{"A", promql.DivAll(spent, o.requests(promql.RateInterval()).Rate()), by(catalog.ComponentLabel)}.overTime()), 8, 9}
}

func (o Options) clientDuration() panel {
	d := promql.Of(o.Flavor, catalog.HTTPClientRequestDuration, promql.RateInterval(), thisService()...).By(catalog.ServerAddress)
	return panel{newTimeSeries("HTTP client duration",
		"How long other servers took to answer this service, by address, until their response headers were in. Each has two lines: P50, what is usual, and P99, what one call in a hundred exceeds.",
		unitTime, "calls no other server").
		WithTarget(query{"p50", d.Quantile(0.5), by(catalog.ServerAddress) + " P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), by(catalog.ServerAddress) + " P99"}.withExemplars()), 8, 9}
}

func (o Options) databaseDuration() panel {
	operation := []catalog.Label{catalog.DBSystemName, catalog.DBOperationName}
	d := promql.Of(o.Flavor, catalog.DBClientOperationDuration, promql.RateInterval(), thisService()...).By(operation...)
	name := by(catalog.DBSystemName) + " " + by(catalog.DBOperationName)
	return panel{newTimeSeries("Database and cache duration",
		"How long databases and caches took to answer this service, by system and operation, as the service saw it: the network is included, waiting for a connection is not. P50 is what is usual, P99 what one operation in a hundred exceeds.",
		unitTime, "uses no database").
		WithTarget(query{"p50", d.Quantile(0.5), name + " P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), name + " P99"}.withExemplars()), 8, 9}
}

func cpu() panel {
	return panel{newTimeSeries("CPU", "Processor cores in use by each instance, on average. 1 is one core busy all the time. "+
		"Compare it with the cores that the instance may use.", unitCount, "no instance").
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.ProcessCPUSeconds, promql.RateInterval(), thisService()...), catalog.Instance),
			by(catalog.Instance)}.overTime()), 8, 8}
}

func memory() panel {
	return panel{newTimeSeries("Memory", "Resident memory of each instance, and the part of it that the Go heap uses. "+
		"Resident far above the heap is garbage not yet returned, stacks, or memory outside of Go; a heap that rises for hours is a leak.", unitBytes, "no instance").
		WithTarget(query{"resident", promql.Sum(promql.Value(catalog.ProcessResident, thisService()...), catalog.Instance),
			by(catalog.Instance) + " resident"}.overTime()).
		WithTarget(query{"heap", promql.Sum(promql.Value(catalog.GoHeapInuse, thisService()...), catalog.Instance),
			by(catalog.Instance) + " heap"}.overTime()), 8, 8}
}

func goroutines() panel {
	return panel{newTimeSeries("Goroutines", "Goroutines of each instance. They follow the requests in flight; "+
		"a number that only rises is a leak.", unitCount, "no instance").
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.GoGoroutines, thisService()...), catalog.Instance),
			by(catalog.Instance)}.overTime()), 8, 8}
}

func errorLog() panel {
	return panel{logs.NewPanelBuilder().
		Title("Error lines").
		Description("The newest 100 log lines of the service that are errors or worse. Open a line for its fields; its trace_id opens the trace.").
		Datasource(lokiSource()).
		NoValue("no error lines in this time range").
		WithTarget(errorLines()).
		ShowTime(true).
		WrapLogMessage(true).
		EnableLogDetails(true).
		SortOrder(common.LogsSortOrderDescending).
		DedupStrategy(common.LogsDedupStrategyNone), gridWidth, 10}
}

// unit gives one column its unit.
func unit(u string) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "unit", Value: u}
}

// coloredCell writes a column in the colours of its thresholds.
func coloredCell() dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "custom.cellOptions", Value: map[string]string{"type": "color-text"}}
}

// limits gives one column its thresholds. A set of steps cannot fail to build.
func limits(t cog.Builder[dashboard.ThresholdsConfig]) dashboard.DynamicConfigValue {
	built, _ := t.Build()
	return dashboard.DynamicConfigValue{Id: "thresholds", Value: built}
}

// routeLink opens the dashboard for the clicked route, with everything else as
// it is.
func routeLink() dashboard.DynamicConfigValue {
	url := "/d/" + string(catalog.DashboardServiceOverview) + "?${__url_time_range}"
	for _, v := range []catalog.Variable{catalog.VarPrometheus, catalog.VarLoki, catalog.VarEnvironment, catalog.VarService} {
		url += "&${" + string(v) + ":queryparam}"
	}
	return dashboard.DynamicConfigValue{Id: "links", Value: []map[string]any{{
		"title": "Only this route",
		"url":   url + "&var-" + string(catalog.VarRoute) + "=${__value.raw:percentencode}",
	}}}
}
