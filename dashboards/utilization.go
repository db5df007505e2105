package dashboards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/xychart"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// utilization answers, for one service: what does it use, what makes it wait,
// and how much more can it take before latency bends.
func utilization(o Options) (Dashboard, error) {
	return assemble(catalog.DashboardUtilization, "Utilization",
		"How much of each resource a service uses and makes wait, the rate at which its latency bends, and what it sheds.",
		utilizationVariables(), []row{
			{"Now", []panel{headroom(), kneeRate(), o.currentRate(), highest(), mostSaturated(), shedRatio()}},
			{"Resources", []panel{utilizationLines(), saturationLines()}},
			{"The knee", []panel{o.latencyAgainstUtilization(), o.rateAndKnee(), headroomLine()}},
			{"Limits of the service's own", []panel{limiterDecisions(), poolUse(), bottleneck()}},
		})
}

func utilizationVariables() []cog.Builder[dashboard.VariableModel] {
	environment := promql.Selected(catalog.DeploymentEnvironment, catalog.VarEnvironment)
	return []cog.Builder[dashboard.VariableModel]{
		sourceVariable(catalog.VarPrometheus, "Prometheus data source", typePrometheus),
		orAll(valuesVariable(catalog.VarEnvironment, "Environment",
			"Where the service runs. All includes services that do not say.",
			promql.Value(catalog.BuildInfo), catalog.DeploymentEnvironment)),
		valuesVariable(catalog.VarService, "Service", "Every service that embeds the agent.",
			promql.Value(catalog.BuildInfo, environment), catalog.ServiceName),
	}
}

// What panels say when they are empty.
const (
	noEstimate  = "no estimate yet"
	notMeasured = "not measured here"
	noLimiter   = "no limiter"
)

// band colours a utilization: room to spare, the band to run in, above it.
func band() cog.Builder[dashboard.ThresholdsConfig] {
	return steps("blue", above(slo.BandLow, good), above(slo.BandHigh, bad))
}

// waiting colours a saturation by the limit of the alert.
func waiting() cog.Builder[dashboard.ThresholdsConfig] {
	return steps(good, above(slo.SaturationLimit/2, warn), above(slo.SaturationLimit, bad))
}

// room colours a headroom: the band, the other way round.
func room() cog.Builder[dashboard.ThresholdsConfig] {
	return steps(bad, above(1-slo.BandHigh, good), above(1-slo.BandLow, "blue"))
}

// bandText says what the colours of a utilization mean.
func bandText() string {
	return fmt.Sprintf("Below %s there is room to spare; %s to %s is the band to run in, with room for a burst; above it "+
		"a little more load waits much longer.", share(slo.BandLow), share(slo.BandLow), share(slo.BandHigh))
}

func headroom() panel {
	return panel{newStat("Headroom", "Share of the estimated knee that is not in use, of the instance with the least. "+
		"Red within a fifth of the knee. Empty while there is no estimate: with few requests, or while none has had to wait.", unitRatio, noEstimate).
		Thresholds(room()).
		WithTarget(query{"A", promql.Min(promql.Value(catalog.ServiceHeadroom, thisService()...)), "Headroom"}.once()), 4, 4}
}

func kneeRate() panel {
	return panel{newStat("Knee and its error", "Requests per second at which the latency of the whole service bends, as its instances estimate it, "+
		"and half the width of the 95 % interval. Empty while there is no estimate.", unitRate, noEstimate).
		WithTarget(query{"knee", promql.Sum(promql.Value(catalog.ServiceKneeRate, thisService()...)), "Knee"}.once()).
		WithTarget(query{"error", promql.Sum(promql.Value(catalog.ServiceKneeRateError, thisService()...)), "Error"}.once()), 4, 4}
}

func (o Options) currentRate() panel {
	return panel{newStat("Requests now", "HTTP requests per second that the service dealt with, averaged over the time range, to be compared with the knee.",
		unitRate, noRequests).
		WithTarget(query{"A", o.allRequests(promql.WholeRange()).Rate(), "Requests"}.once()), 4, 4}
}

// allRequests are those of all routes: resources know no routes.
func (o Options) allRequests(w promql.Window) promql.Distribution {
	return slo.Requests(o.Flavor, w, thisService()...)
}

func highest() panel {
	return panel{newStat("Highest utilization", "The resource that is used most at the end of the time range, on any instance. "+bandText(), unitRatio, notMeasured).
		Thresholds(band()).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.ResourceUtilization, thisService()...)), "Highest utilization"}.once()), 4, 4}
}

func mostSaturated() panel {
	return panel{newStat("Highest saturation", fmt.Sprintf("The resource that makes most wait at the end of the time range, on any instance. "+
		"Red above %s, where the alert looks at latency.", share(slo.SaturationLimit)), unitRatio, notMeasured).
		Thresholds(waiting()).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.ResourceSaturation, thisService()...)), "Highest saturation"}.once()), 4, 4}
}

// shed are the decisions that turn a request away.
func shed() promql.Matcher {
	return promql.OneOf(catalog.Decision, catalog.DecisionUtilization, catalog.DecisionQueueFull, catalog.DecisionQueueTime)
}

func shedRatio() panel {
	turnedAway := promql.Sum(promql.Rate(catalog.LimiterDecisions, promql.WholeRange(), append(thisService(), shed())...))
	all := promql.Sum(promql.Rate(catalog.LimiterDecisions, promql.WholeRange(), thisService()...))
	return panel{newStat("Shed", "Share of the requests that the limiter turned away with 429, over the time range. "+
		"They cost next to nothing, and the others were answered in time because of it.", unitRatio, noLimiter).
		Thresholds(steps(good, above(0.01, warn), above(0.1, bad))).
		WithTarget(query{"A", promql.Div(turnedAway, all), "Shed"}.once()), 4, 4}
}

func utilizationLines() panel {
	return panel{newTimeSeries("Utilization by resource", "Share of each resource's capacity in use, on the instance that uses most of it. "+bandText(),
		unitRatio, notMeasured).
		Max(1).
		Thresholds(band()).
		ThresholdsStyle(shadedLimits()).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.ResourceUtilization, thisService()...), catalog.Resource), by(catalog.Resource)}.overTime()), 12, 10}
}

// shadedLimits draws the thresholds of a time series as bands.
func shadedLimits() cog.Builder[common.GraphThresholdsStyleConfig] {
	return common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashedAndArea)
}

func saturationLines() panel {
	return panel{newTimeSeries("Saturation by resource", "What each resource makes wait, on the instance that is worst. cpu, memory and io: the share of time in which some task waited for them. "+
		"cpu_quota: the share of periods in which the quota ran out. scheduler: goroutines that waited for a processor, for each processor. "+
		"gc: the share of the program's time in which it had to help collecting. Pools and workers: what waits over what there is. The dashed line is where the alert looks at latency.",
		unitRatio, notMeasured).
		Thresholds(waiting()).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.ResourceSaturation, thisService()...), catalog.Resource), by(catalog.Resource)}.overTime()), 12, 10}
}

// Names of what the chart of latency against utilization joins.
const (
	fieldShare    = "Share of the knee"
	fieldMeasured = "Mean measured"
	refShare      = "share"
	refMeasured   = "measured"
)

// latencyAgainstUtilization joins two queries by time into points, and draws
// the curve that the agent fitted from a third, whose points are the values of
// a label.
func (o Options) latencyAgainstUtilization() panel {
	curve := string(catalog.UtilizationLabel)
	onKnee := promql.Div(o.allRequests(promql.RateInterval()).Rate(), promql.Sum(promql.Value(catalog.ServiceKneeRate, thisService()...)))
	fitted := promql.Max(promql.Value(catalog.ServiceLatencyCurve, thisService()...), catalog.UtilizationLabel)
	return panel{xychart.NewPanelBuilder().
		Title("Latency against utilization").
		Description("Each point is a moment: to the right the share of the knee that was in use, upwards how long requests took on average. "+
			"The line is the curve that the newest estimate expects. Points far above it are slow for another reason than load.").
		Datasource(prometheusSource()).
		Unit(unitTime).
		Min(0).
		NoValue(noEstimate).
		Thresholds(noLimits()).
		ColorScheme(colorBy(dashboard.FieldColorModeIdPaletteClassic)).
		WithTarget(query{refShare, onKnee, fieldShare}.overTime()).
		WithTarget(query{refMeasured, o.allRequests(promql.RateInterval()).Mean(), fieldMeasured}.overTime()).
		WithTarget(query{"curve", fitted, ""}.inTable()).
		WithTransformation(only("/^("+refShare+"|"+refMeasured+")$/", "joinByField", map[string]any{"byField": "Time", "mode": "inner"})).
		WithTransformation(only("curve", "convertFieldType", map[string]any{
			"conversions": []map[string]any{{"targetField": curve, "destinationType": "number"}},
		})).
		WithTransformation(only("curve", "sortBy", map[string]any{"sort": []map[string]any{{"field": curve}}})).
		Mapping(xychart.SeriesMappingManual).
		Series([]cog.Builder[xychart.XYSeriesConfig]{
			xySeries("Measured", 0, fieldShare, fieldMeasured),
			xySeries("Expected", 1, curve, "Value"),
		}).
		Show(xychart.XYShowModePoints).
		OverrideByName(fieldShare, []dashboard.DynamicConfigValue{unit(unitRatio)}).
		OverrideByName(curve, []dashboard.DynamicConfigValue{unit(unitRatio)}).
		OverrideByName("Value", []dashboard.DynamicConfigValue{{Id: "custom.show", Value: xychart.XYShowModeLines}}).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle)), 12, 10}
}

// only is a transformation of the frames of some queries.
func only(refs, id string, options map[string]any) dashboard.DataTransformerConfig {
	return dashboard.DataTransformerConfig{Id: id, Options: options, Filter: &dashboard.MatcherConfig{Id: "byRefId", Options: refs}}
}

// xySeries takes one field of a frame as x and one as y.
func xySeries(name string, frame int, x, y string) cog.Builder[xychart.XYSeriesConfig] {
	field := func(name string) cog.Builder[xychart.MatcherConfig] {
		return xychart.NewMatcherConfigBuilder().Id("byName").Options(name)
	}
	return xychart.NewXYSeriesConfigBuilder().
		Name(xychart.NewXychartXYSeriesConfigNameBuilder().Fixed(name)).
		Frame(xychart.NewXychartXYSeriesConfigFrameBuilder().Matcher(xychart.NewMatcherConfigBuilder().Id("byIndex").Options(frame))).
		X(xychart.NewXychartXYSeriesConfigXBuilder().Matcher(field(x))).
		Y(xychart.NewXychartXYSeriesConfigYBuilder().Matcher(field(y)))
}

func (o Options) rateAndKnee() panel {
	knee, half := promql.Sum(promql.Value(catalog.ServiceKneeRate, thisService()...)), promql.Sum(promql.Value(catalog.ServiceKneeRateError, thisService()...))
	return panel{newTimeSeries("Requests and the knee", "Requests per second, and the rate at which the latency of the service bends, with both ends of its 95 % interval. "+
		"A knee that falls while the requests do not is a bottleneck that got slower or smaller. Gaps are times without an estimate.",
		unitRate, noRequests).
		WithTarget(query{"rate", o.allRequests(promql.RateInterval()).Rate(), "Requests"}.overTime()).
		WithTarget(query{"knee", knee, "Knee"}.overTime()).
		WithTarget(query{"low", promql.Sub(knee, half), "Knee, low"}.overTime()).
		WithTarget(query{"high", promql.Add(knee, half), "Knee, high"}.overTime()).
		OverrideByName("Requests", []dashboard.DynamicConfigValue{fixedColor("blue")}).
		OverrideByName("Knee", []dashboard.DynamicConfigValue{fixedColor("red")}).
		OverrideByRegexp("/^Knee, /", []dashboard.DynamicConfigValue{fixedColor("semi-dark-orange")}), 12, 10}
}

func headroomLine() panel {
	return panel{newTimeSeries("Headroom over time", "Share of the estimated knee that is not in use, by instance. A line that sinks day by day says when to add capacity. "+
		"The dashed lines are the band, the other way round.", unitRatio, noEstimate).
		Max(1).
		Thresholds(room()).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", promql.Min(promql.Value(catalog.ServiceHeadroom, thisService()...), catalog.Instance), by(catalog.Instance)}.overTime()), gridWidth, 7}
}

func limiterDecisions() panel {
	b := newStack("Limiter decisions", "Requests per second by what the limiter did with them, stacked, so that the upper edge is all of them. "+
		"shed_queue_full and shed_queue_time: more than the concurrency and the short queue take. shed_utilization: the resource is used past its limit. client_gone: nobody waited for the answer.",
		unitRate, noLimiter).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.LimiterDecisions, promql.RateInterval(), thisService()...), catalog.Decision),
			by(catalog.Decision)}.overTime())
	for _, d := range []struct{ decision, color string }{
		{catalog.DecisionAdmitted, good}, {catalog.DecisionUtilization, bad}, {catalog.DecisionQueueFull, warn},
		{catalog.DecisionQueueTime, "yellow"}, {catalog.DecisionGone, "gray"},
	} {
		b = b.OverrideByName(d.decision, []dashboard.DynamicConfigValue{fixedColor(d.color)})
	}
	return panel{b, 8, 9}
}

func poolUse() panel {
	places := []catalog.Label{catalog.Instance, catalog.Pool}
	used := promql.Sum(promql.Value(catalog.DBClientConnections, append(thisService(), promql.Equal(catalog.State, catalog.StateUsed))...), places...)
	return panel{newTimeSeries("Connections in use by pool", "Share of each pool's connections that are in use: which of the pools it is that the line db_pool shows. "+bandText(),
		unitRatio, "no pool").
		Max(1).
		Thresholds(band()).
		ThresholdsStyle(shadedLimits()).
		WithTarget(query{"A", promql.Div(used, promql.Sum(promql.Value(catalog.DBClientConnectionsMax, thisService()...), places...)),
			by(catalog.Pool) + " of " + by(catalog.Instance)}.overTime()), 8, 9}
}

func bottleneck() panel {
	return panel{newTimeSeries("Size of the bottleneck", "Requests that the bottleneck serves at a time, as estimated, by instance. Look for a limit of that size: "+
		"connections of a pool, workers, cores. Divided by the time that one takes without waiting it is the knee.", unitCount, noEstimate).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.ServiceKneeConcurrency, thisService()...), catalog.Instance), by(catalog.Instance)}.overTime()), 8, 9}
}
