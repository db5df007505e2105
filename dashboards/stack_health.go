package dashboards

import (
	"regexp"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

const (
	noTargets  = "Prometheus scrapes no such target"
	noAgents   = "no target embeds the agent"
	notScraped = "Prometheus does not scrape this server, or the server is of another version"
)

// stackHealth shows whether what measures is well itself: the agents' queues,
// and the stores that they send to.
func stackHealth(Options) (Dashboard, error) {
	jobs := orAll(valuesVariable(catalog.VarJob, "Job", "Scrape jobs: services and stores.", promql.Value(catalog.Up), catalog.Job)).AllValue(".+")
	instances := orAll(valuesVariable(catalog.VarInstance, "Instance", "Targets of the jobs.",
		promql.Value(catalog.Up, promql.Selected(catalog.Job, catalog.VarJob)), catalog.Instance)).AllValue(".+")
	return assemble(catalog.DashboardStackHealth, "Stack health",
		"Who watches the watchers: targets, the agents' queues and drops, and the servers that hold the telemetry.",
		join(chooseSources(catalog.VarPrometheus), choices{jobs, instances}),
		[]row{
			{"Is everything there", []panel{targetsDown(), exportersDown(), droppedShare(), ruleFailures(), alertsFiring(), stackMemory(), targetsTimeline(), exportersTimeline()}},
			{"The agents", []panel{agentQueues(), agentDrops(), agentSent(), agentCost(), agentLabels(), scrapeTime()}},
			{"Prometheus and Alertmanager", []panel{promIngest(), promRules(), promNotifications(), alertmanagerState()}},
			{"Loki, Jaeger and Pyroscope", []panel{lokiIntake(), lokiTrouble(), jaegerSpans(), pyroscopeIntake()}},
			{"What they cost", []panel{stackCPU(), stackResident()}},
		})
}

// theseTargets matches the series of the chosen scrape jobs and instances.
func theseTargets(ms ...promql.Matcher) []promql.Matcher {
	return append([]promql.Matcher{promql.Selected(catalog.Job, catalog.VarJob), promql.Selected(catalog.Instance, catalog.VarInstance)}, ms...)
}

// orZero is the count of series that may be none, where there are others to
// count.
func orZero(count, among promql.Expr) promql.Expr {
	return promql.Or(count, promql.Times(promql.Count(among), promql.Number(0)))
}

func targetsDown() panel {
	up := promql.Value(catalog.Up, theseTargets()...)
	return panel{newStat("Targets down", "Targets that Prometheus could not scrape at the end of the time range. Of such a target nothing else on any dashboard is known.", unitCount, noTargets).
		Thresholds(steps(good, above(1, bad))).
		WithTarget(query{"A", orZero(promql.Count(promql.Equals(up, promql.Number(0))), up), "Targets down"}.once()), 4, 4}.
		to(toRunbook("TargetDown"), toRunbook("TargetVanished"))
}

func exportersDown() panel {
	up := promql.Value(catalog.ExporterUp, theseTargets()...)
	return panel{newStat("Exporters failing", "Signals of services whose last attempt to send failed. Metrics are not among them: they are scraped.", unitCount, noAgents).
		Thresholds(steps(good, above(1, bad))).
		WithTarget(query{"A", orZero(promql.Count(promql.Equals(up, promql.Number(0))), up), "Exporters failing"}.once()), 4, 4}.
		to(toPage("backends", "Where the agent sends to"))
}

func droppedShare() panel {
	total := func(c catalog.Counter, ms ...promql.Matcher) promql.Expr {
		return promql.Sum(promql.Rate(c, promql.WholeRange(), theseTargets(ms...)...))
	}
	lost := promql.Or(total(catalog.TelemetryDropped, promql.NotEqual(catalog.Reason, catalog.ReasonEvicted)), promql.Times(total(catalog.TelemetryProduced), promql.Number(0)))
	return panel{newStat("Telemetry lost", "Share of all telemetry that was produced and given up, over the time range; traces that sampling let go are not counted. What is lost is missing from dashboards without a trace.", unitRatio, noAgents).
		Thresholds(steps(good, above(0.001, warn), above(0.01, bad))).
		WithTarget(query{"A", promql.Div(lost, total(catalog.TelemetryProduced)), "Telemetry lost"}.once()), 4, 4}.
		to(toPage("embedding", "What the agent bounds"))
}

func ruleFailures() panel {
	return panel{newStat("Rules that failed", "Evaluations of rules that failed within the time range. An alert whose rule fails cannot fire.", unitCount, notScraped).
		Thresholds(steps(good, above(1, bad))).
		WithTarget(query{"A", promql.Sum(promql.Increase(catalog.PromRuleFailures, promql.WholeRange(), theseTargets()...)), "Rules that failed"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardSLO, "Objectives and alerts"))
}

func alertsFiring() panel {
	return panel{newStat("Active alerts", "Alerts that Alertmanager holds as active: what people are told about, unless silenced.", unitCount, notScraped).
		Thresholds(steps(good, above(1, bad))).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.AlertmanagerAlerts, theseTargets(promql.Equal(catalog.State, stateActive))...)), "Alerts"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardSLO, "Objectives and alerts"))
}

// stateActive is the state of an alert that Alertmanager tells people about.
const stateActive = "active"

func stackMemory() panel {
	return panel{newStat("Memory", "Resident memory of all chosen targets together. The lab is built to stay below 1.5 GiB; each server has a limit of its own.", unitBytes, noTargets).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.ProcessResident, theseTargets()...)), "Memory"}.once()), 4, 4}.
		to(toBoard(catalog.DashboardUtilization, "What a service uses"))
}

// newTimeline draws states of 1, which is well, and 0, which is not.
func newTimeline(title, description, well, ill, empty string, q query) *statetimeline.PanelBuilder {
	states := dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: map[string]dashboard.ValueMappingResult{
		"0": {Text: &ill, Color: cog.ToPtr(bad)}, "1": {Text: &well, Color: cog.ToPtr(good)},
	}}
	return statetimeline.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(prometheusSource()).
		Unit(unitCount).
		NoValue(empty).
		Mappings([]dashboard.ValueMapping{{ValueMap: &states}}).
		Thresholds(steps(bad, above(1, good))).
		ColorScheme(colorBy(dashboard.FieldColorModeIdThresholds)).
		WithTarget(q.overTime()).
		ShowValue(common.VisibilityModeNever).
		MergeValues(true).
		RowHeight(0.8).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle))
}

func targetsTimeline() panel {
	return panel{newTimeline("Targets", "Whether Prometheus could scrape each job, over time: green it could, red it could not at least one of its instances, nothing while the job had no target.",
		"up", "down", noTargets, query{"A", promql.Min(promql.Value(catalog.Up, theseTargets()...), catalog.Job), by(catalog.Job)}), 12, 14}.
		to(toRunbook("TargetDown"))
}

func exportersTimeline() panel {
	return panel{newTimeline("Exporters", "Whether the last attempt of each service to send a signal succeeded. Red across all services is the store; red for one is that service, or its way there.",
		"sends", "fails", noAgents, query{"A", promql.Min(promql.Value(catalog.ExporterUp, theseTargets()...), catalog.ServiceName, catalog.SignalLabel),
			by(catalog.ServiceName) + " " + by(catalog.SignalLabel)}), 12, 14}.
		to(toPage("backends", "Where the agent sends to"))
}

// signalOf is the legend of series by service and signal.
func signalOf() string { return by(catalog.ServiceName) + " " + by(catalog.SignalLabel) }

func agentQueues() panel {
	return panel{newTimeSeries("Telemetry that waits", "Items that wait in each agent to be sent, or are being sent. A saw tooth is batches; a line that rises is a store that takes less than is produced.", unitCount, noAgents).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.TelemetryQueue, theseTargets()...), catalog.ServiceName, catalog.SignalLabel), signalOf()}.overTime()), 12, 9}.
		to(toPage("embedding", "What the agent bounds"))
}

func agentDrops() panel {
	dropped := promql.Sum(promql.Rate(catalog.TelemetryDropped, promql.RateInterval(), theseTargets()...), catalog.ServiceName, catalog.SignalLabel, catalog.Reason)
	return panel{newTimeSeries("Telemetry given up", "Items per second that each agent gave up, by reason. queue_full: the store is too slow; export_failed: it is away, or refuses; shutdown: the process ended first; evicted: a trace that sampling let go, which is meant.", unitCount, noDrops).
		DrawStyle(common.GraphDrawStyleBars).
		WithTarget(query{"A", promql.Above(dropped, promql.Number(0)), signalOf() + " " + by(catalog.Reason)}.overTime()), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "One service's telemetry"))
}

func agentSent() panel {
	return panel{newTimeSeries("Telemetry sent", "Spans, lines and profiles per second that a store took, over all services, by signal; stdout is the copy of the log on the console. A signal that falls to nothing while requests go on is lost.", unitCount, noAgents).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.TelemetrySent, promql.RateInterval(), theseTargets()...), catalog.SignalLabel), by(catalog.SignalLabel)}.overTime()), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "One service's telemetry"))
}

func agentCost() panel {
	return panel{newStack("What telemetry costs the services", "Processor cores that encoding and sending take in the background of all services together, by signal, stacked. What is recorded on a request's own path is measured by make overhead.", unitCount, noAgents).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.AgentCPU, promql.RateInterval(), theseTargets()...), catalog.SignalLabel), by(catalog.SignalLabel)}.overTime()), 12, 9}.
		to(toPage("overhead", "What the agent costs"))
}

func agentLabels() panel {
	places := []catalog.Label{catalog.ServiceName, catalog.LabelName}
	return panel{newTimeSeries("Labels and their caps", "Distinct values of each capped label over the most that there may be. At 100 % further values are counted as other, which is safe and tells less: raise the cap, or find what makes so many.", unitRatio, noAgents).
		Max(1).
		Thresholds(steps(good, above(0.8, warn), above(1, bad))).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", promql.Div(promql.Max(promql.Value(catalog.LabelValues, theseTargets()...), places...), promql.Max(promql.Value(catalog.LabelValuesMax, theseTargets()...), places...)),
			by(catalog.ServiceName) + " " + by(catalog.LabelName)}.overTime()), 12, 9}.
		to(toPage("metrics", "Every metric and its labels"))
}

func scrapeTime() panel {
	return panel{newTimeSeries("Time to scrape", "How long a scrape of each job takes, the slowest instance. Near the time-out, 4 s in the lab, samples begin to be missing.", unitTime, noTargets).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.ScrapeDuration, theseTargets()...), catalog.Job), by(catalog.Job)}.overTime()), 12, 9}.
		to(toRunbook("TargetDown"))
}

func promIngest() panel {
	return panel{newTimeSeries("Samples and series", "Samples per second that Prometheus stores, and series that it holds in memory. Series that only rise are a label whose values never end.", unitCount, notScraped).
		WithTarget(query{"samples", promql.Sum(promql.Rate(catalog.PromSamples, promql.RateInterval(), theseTargets()...)), "samples per second"}.overTime()).
		WithTarget(query{"series", promql.Sum(promql.Value(catalog.PromSeries, theseTargets()...)), "series"}.overTime()), 12, 9}.
		to(toPage("metrics", "Every metric and its labels"))
}

func promRules() panel {
	return panel{newTimeSeries("Time of rule groups", "Share of its interval that each rule group took the last time. Near 100 % evaluations are left out, and alerts come late.", unitRatio, notScraped).
		Thresholds(steps(good, above(0.2, warn), above(0.8, bad))).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", promql.Div(promql.Max(promql.Value(catalog.PromRuleDuration, theseTargets()...), catalog.RuleGroup), promql.Max(promql.Value(catalog.PromRuleInterval, theseTargets()...), catalog.RuleGroup)),
			by(catalog.RuleGroup)}.overTime()).
		// The label begins with the path of the file.
		WithTransformation(dashboard.DataTransformerConfig{Id: "renameByRegex", Options: map[string]any{"regex": "^.*;", "renamePattern": ""}}), 12, 9}.
		to(toBoard(catalog.DashboardSLO, "What the rules record"))
}

// flows adds lines of counters to a chart, each under its own name.
func flows(b *timeseries.PanelBuilder, named ...flow) *timeseries.PanelBuilder {
	for i, f := range named {
		b = b.WithTarget(query{string(rune('A' + i)), promql.Sum(promql.Rate(f.counter, promql.RateInterval(), theseTargets(f.only...)...)), f.name}.overTime())
		if f.trouble {
			b = b.OverrideByName(f.name, []dashboard.DynamicConfigValue{fixedColor(bad)})
		}
	}
	return b.AxisSoftMax(1)
}

// flow is a counter of things that go through a server, or that do not.
type flow struct {
	name    string
	counter catalog.Counter
	trouble bool
	only    []promql.Matcher
}

func promNotifications() panel {
	return panel{flows(newTimeSeries("Alerts on their way", "Alerts per second that Prometheus sent to Alertmanager, that failed, and that were dropped. Red above zero: nobody may be told of an alert. Without alerts nothing is sent.", unitCount, notScraped),
		flow{name: "sent", counter: catalog.PromNotified}, flow{name: "failed", counter: catalog.PromNotifyErrors, trouble: true}, flow{name: "dropped", counter: catalog.PromNotifyDropped, trouble: true}), 12, 9}.
		to(toBoard(catalog.DashboardSLO, "Objectives and alerts"))
}

func alertmanagerState() panel {
	return panel{flows(newTimeSeries("Alertmanager", "Alerts per second that it was sent, notifications that it tried to deliver and those that it could not. Red above zero: people were not told.", unitCount, notScraped),
		flow{name: "alerts received", counter: catalog.AlertmanagerReceived}, flow{name: "notifications", counter: catalog.AlertmanagerNotified},
		flow{name: "notifications failed", counter: catalog.AlertmanagerFailures, trouble: true}), 12, 9}.
		to(toBoard(catalog.DashboardSLO, "Objectives and alerts"))
}

// failedRequests matches what a store answered with an error.
func failedRequests() []promql.Matcher {
	return []promql.Matcher{promql.Like(catalog.StatusCode, regexp.MustCompile("5.."))}
}

func lokiIntake() panel {
	return panel{newTimeSeries("Loki: bytes of logs", "Bytes of log lines per second that Loki was sent, structured metadata included: what its disk is filled with.", unitByteRate, notScraped).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.LokiBytes, promql.RateInterval(), theseTargets()...)), "bytes"}.overTime()), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Lines by service"))
}

func lokiTrouble() panel {
	return panel{flows(newTimeSeries("Loki: lines and requests", "Log lines per second that Loki was sent, requests that it answered, for writing and for reading, and in red those that it answered with an error.", unitCount, notScraped),
		flow{name: "lines", counter: catalog.LokiLines}, flow{name: "requests", counter: catalog.LokiRequests},
		flow{name: "requests failed", counter: catalog.LokiRequests, trouble: true, only: failedRequests()}), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Lines by service"))
}

func jaegerSpans() panel {
	return panel{flows(newTimeSeries("Jaeger: spans", "Spans per second that Jaeger took in and wrote to its storage, which lie on each other while all is well; in red those that it refused, or could not write.", unitCount, notScraped),
		flow{name: "taken in", counter: catalog.JaegerAccepted}, flow{name: "stored", counter: catalog.JaegerStored},
		flow{name: "refused", counter: catalog.JaegerRefused, trouble: true}, flow{name: "not stored", counter: catalog.JaegerNotStored, trouble: true}), 12, 9}.
		to(toBoard(catalog.DashboardLogsAndTraces, "Traces"))
}

func pyroscopeIntake() panel {
	return panel{flows(newTimeSeries("Pyroscope: profiles and requests", "Profiles per second that Pyroscope was sent, requests that it answered, and in red those that it answered with an error. Each service sends a profile of each type every 15 seconds.", unitCount, notScraped),
		flow{name: "profiles", counter: catalog.PyroscopeProfiles}, flow{name: "requests", counter: catalog.PyroscopeRequests},
		flow{name: "requests failed", counter: catalog.PyroscopeRequests, trouble: true, only: failedRequests()}), 12, 9}.
		to(toBoard(catalog.DashboardProfiling, "Profiles"))
}

func stackCPU() panel {
	return panel{newStack("Processor cores in use", "Processor cores that each job keeps busy, stacked, as far as it says; Jaeger does not. What the stores take is the price of looking.", unitCount, noTargets).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.ProcessCPUSeconds, promql.RateInterval(), theseTargets()...), catalog.Job), by(catalog.Job)}.overTime()), 12, 10}.
		to(toPage("overhead", "What the agent costs"))
}

func stackResident() panel {
	return panel{newStack("Memory of each job", "Resident memory of each job, stacked, as far as it says; Jaeger does not. A band that rises for hours is a leak, or a store that holds more series, streams or profiles each hour.", unitBytes, noTargets).
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.ProcessResident, theseTargets()...), catalog.Job), by(catalog.Job)}.overTime()), 12, 10}.
		to(toBoard(catalog.DashboardUtilization, "What a service uses"))
}
