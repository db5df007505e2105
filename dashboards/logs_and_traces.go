package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

const (
	noLines     = "no log line in this time range"
	noTelemetry = "the service does not export what becomes of its telemetry"
	noDrops     = "nothing was dropped in this time range"
)

// logsAndTraces is where one looks for a single event: lines, traces, and
// whether any of them were lost on the way.
func logsAndTraces(o Options) (Dashboard, error) {
	return assemble(catalog.DashboardLogsAndTraces, "Logs and traces",
		"Log lines by level and by text, traces by duration and error, and the telemetry that did not arrive.",
		join(chooseSources(catalog.VarPrometheus, catalog.VarLoki, catalog.VarJaeger),
			chooseService("Every service that embeds the agent.", everyService), chooseInstance(),
			chooseText(catalog.VarSlower, "Slower than", "How long a trace of the list must have taken at least.", "50ms",
				"10ms", "50ms", "100ms", "300ms", "1s", "3s"),
			choices{dashboard.NewTextBoxVariableBuilder(string(catalog.VarContains)).Label("Contains").
				Description("A part of the log lines that are listed; empty for all. An id of a user, an order or a trace finds its lines.")}),
		[]row{
			{"How much there is", []panel{linesByLevel(), linesByService()}},
			{"Log lines", []panel{troubleLines(), allLines()}},
			{"Traces", []panel{o.tracedRequests(), slowTraces().to(whereTimeGoes()), failedTraces().to(whereTimeGoes())}},
			{"What did not arrive", []panel{telemetryFlow(), telemetryQueue(), telemetryDrops()}},
		})
}

func whereTimeGoes() way { return toBoard(catalog.DashboardBottleneck, "Where the time goes") }

// newLogRate draws lines per second of a LogQL query.
func newLogRate(title, description, expr string, by catalog.Label) *timeseries.PanelBuilder {
	return newStack(title, description, unitLines, noLines).
		Datasource(lokiSource()).
		// Shorter steps make a row of needles out of a few lines a minute.
		Interval("15s").
		WithTarget(logQuery("sum by ("+string(by)+") (rate("+expr+" [$__auto]))", "{{"+string(by)+"}}"))
}

func linesByLevel() panel {
	b := newLogRate("Lines by level", "Log lines per second of the service by their level, stacked. Red that was not there before a deployment is worth reading; so is a log that has fallen silent.",
		linesOf(), catalog.LokiLevel)
	for _, l := range []struct{ level, color string }{
		{"debug", "light-blue"}, {"info", good}, {"warn", warn}, {"error", bad}, {"unknown", "gray"},
	} {
		b = b.OverrideByName(l.level, []dashboard.DynamicConfigValue{fixedColor(l.color)})
	}
	return panel{b, 12, 9}.to(toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

func linesByService() panel {
	return panel{newLogRate("Lines by service", "Log lines per second of every service, stacked, for the size of things: what is chosen above does not matter here. One that writes more than all others pays for it in Loki.",
		"{"+string(catalog.ServiceName)+`=~".+"}`, catalog.ServiceName), 12, 9}.
		to(toBoard(catalog.DashboardStackHealth, "What Loki takes in"), toLesson("sync-logging", "The lesson: it was the logging"))
}

func troubleLines() panel {
	return panel{newLogs("Warnings and errors", "The newest 100 lines of the service that are warnings or worse. Open a line for its fields; its trace_id opens the trace.",
		"no warning and no error in this time range", linesOf()+" | "+string(catalog.LokiSeverityNumber)+">=13"), 12, 12}.
		to(toBoard(catalog.DashboardBottleneck, "Where the time goes"))
}

func allLines() panel {
	return panel{newLogs("All lines", "The newest 100 lines of the service that contain the text chosen above. Open a line for its fields; its trace_id opens the trace.",
		"no line contains that text in this time range", linesOf()+" |= `$"+string(catalog.VarContains)+"`"), 12, 12}.
		to(toPage("console", "More ways to read logs in the lab"))
}

func (o Options) tracedRequests() panel {
	d := promql.Of(o.Flavor, catalog.HTTPServerRequestDuration, promql.RateInterval(), theseInstances()...)
	return panel{newTimeSeries("Duration, with single requests", "P50 and P99 of all requests of the service. Points are single requests whose trace was kept: click one to open it.", unitTime,
		"no HTTP request in this time range").
		WithTarget(query{"p50", d.Quantile(0.5), "P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), "P99"}.withExemplars()).
		OverrideByName("P50", []dashboard.DynamicConfigValue{fixedColor("green")}).
		OverrideByName("P99", []dashboard.DynamicConfigValue{fixedColor("red")}), gridWidth, 8}.
		to(toBoard(catalog.DashboardP99, "Percentiles"))
}

func telemetryFlow() panel {
	signal := func(c catalog.Counter) promql.Expr {
		return promql.Sum(promql.Rate(c, promql.RateInterval(), theseInstances()...), catalog.SignalLabel)
	}
	return panel{newTimeSeries("Telemetry produced and sent", "Spans, log lines and profiles per second that the service produced, and that a store took. The lines of a signal lie on each other while all is well; "+
		"stdout is the copy of the log on the console.", unitCount, noTelemetry).
		WithTarget(query{"produced", signal(catalog.TelemetryProduced), by(catalog.SignalLabel) + " produced"}.overTime()).
		WithTarget(query{"sent", signal(catalog.TelemetrySent), by(catalog.SignalLabel) + " sent"}.overTime()).
		OverrideByRegexp("/produced$/", []dashboard.DynamicConfigValue{dashedLine()}), 10, 9}.
		to(toBoard(catalog.DashboardStackHealth, "All services"))
}

func telemetryQueue() panel {
	return panel{newTimeSeries("Telemetry that waits", "Items of each signal that wait to be sent, or are being sent. A line that rises is a store that takes less than is produced; at its bound the newest are dropped and counted.", unitCount, noTelemetry).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.TelemetryQueue, theseInstances()...), catalog.SignalLabel), by(catalog.SignalLabel)}.overTime()), 7, 9}.
		to(toBoard(catalog.DashboardStackHealth, "All services"))
}

func telemetryDrops() panel {
	dropped := promql.Sum(promql.Rate(catalog.TelemetryDropped, promql.RateInterval(), theseInstances()...), catalog.SignalLabel, catalog.Reason)
	return panel{newTimeSeries("Telemetry dropped", "Items per second that were given up, by signal and reason: what is missing from the panels above. evicted: a trace that sampling let go; "+
		"queue_full and export_failed: a store that is too slow or away; shutdown: the process ended first.", unitCount, noDrops).
		DrawStyle(common.GraphDrawStyleBars).
		WithTarget(query{"A", promql.Above(dropped, promql.Number(0)), by(catalog.SignalLabel) + " " + by(catalog.Reason)}.overTime()), 7, 9}.
		to(toBoard(catalog.DashboardStackHealth, "All services"))
}
