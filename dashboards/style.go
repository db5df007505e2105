package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Units, one per kind of value.
const (
	unitRate     = units.RequestsPerSecond
	unitRatio    = units.PercentUnit
	unitTime     = units.Seconds
	unitBytes    = units.BytesIEC
	unitCount    = units.Short
	unitLines    = units.CountsPerSecond
	unitOps      = units.OpsPerSecond
	unitByteRate = units.BytesPerSecondIEC
)

// Colours of states: good, spending more than allowed, bad enough for a page.
const (
	good = "green"
	warn = "orange"
	bad  = "red"
)

// statistic is one of the numbers that describe a distribution, with the
// colour that it has wherever it is drawn.
type statistic struct {
	ref, name, color string
	// quantile is 0 for the mean.
	quantile float64
}

// statistics are in the order in which they are read, from the one that hides
// most to the one that shows most.
func statistics() []statistic {
	return []statistic{
		{"mean", "Mean", "light-blue", 0},
		{"p50", "P50", "green", 0.5},
		{"p90", "P90", "yellow", 0.9},
		{"p95", "P95", "orange", 0.95},
		{"p99", "P99", "red", 0.99},
		{"p999", "P99.9", "purple", 0.999},
	}
}

// steps are the bounds above which a value changes its colour.
func steps(base string, above ...dashboard.Threshold) cog.Builder[dashboard.ThresholdsConfig] {
	return dashboard.NewThresholdsConfigBuilder().
		Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: base}}, above...))
}

func above(limit float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Value: &limit, Color: color}
}

// noLimits is for values that are neither good nor bad in themselves.
func noLimits() cog.Builder[dashboard.ThresholdsConfig] { return steps("blue") }

// budgetLimits colours a ratio by the pace at which it burns its budget: faster
// than sustainable, and as fast as the page of the alerts needs.
func budgetLimits(budget float64) cog.Builder[dashboard.ThresholdsConfig] {
	return steps(good, above(budget, warn), above(slo.PageRatio(budget), bad))
}

// latencyLimit colours a duration by the latency objective.
func (o Options) latencyLimit() cog.Builder[dashboard.ThresholdsConfig] {
	return steps(good, above(o.LatencyObjective.Seconds(), bad))
}

func colorBy(mode dashboard.FieldColorModeId) cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(mode)
}

// fixedColor gives a series its colour, whatever other series there are.
func fixedColor(color string) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "color", Value: map[string]string{"mode": "fixed", "fixedColor": color}}
}

// nothing replaces a value that is missing or, as a ratio of nothing to
// nothing, no number.
func nothing(text string) []dashboard.ValueMapping {
	color := "text" // nothing is neither good nor bad
	return []dashboard.ValueMapping{{SpecialValueMap: &dashboard.SpecialValueMap{
		Type: dashboard.MappingTypeSpecialValue,
		Options: dashboard.DashboardSpecialValueMapOptions{
			Match:  dashboard.SpecialValueMatchNullAndNan,
			Result: dashboard.ValueMappingResult{Text: &text, Color: &color},
		},
	}}}
}

// noRequests is what panels about requests say when there were none.
const noRequests = "no requests"

// newStat returns a panel of big numbers, one per series.
func newStat(title, description, unit, empty string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(prometheusSource()).
		Unit(unit).
		NoValue(empty).
		Mappings(nothing(empty)).
		Thresholds(noLimits()).
		ColorScheme(colorBy(dashboard.FieldColorModeIdThresholds)).
		ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeNone).
		JustifyMode(common.BigValueJustifyModeAuto).
		TextMode(common.BigValueTextModeAuto).
		// Wide panels would write the name of one value beside the number of the other.
		WideLayout(false).
		Orientation(common.VizOrientationVertical).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
}

// newTimeSeries returns a panel of lines with a legend that gives the last
// and the largest value of each.
func newTimeSeries(title, description, unit, empty string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(prometheusSource()).
		Unit(unit).
		Min(0).
		AxisSoftMax(leastTop(unit)).
		NoValue(empty).
		Thresholds(noLimits()).
		ColorScheme(colorBy(dashboard.FieldColorModeIdPaletteClassicByName)).
		DrawStyle(common.GraphDrawStyleLine).
		LineWidth(1).
		FillOpacity(0).
		ShowPoints(common.VisibilityModeAuto).
		// A gap is shown as a gap: a line across it would be a guess.
		SpanNulls(common.BoolOrFloat64{Bool: cog.ToPtr(false)}).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementBottom).
			ShowLegend(true).
			Calcs([]string{"lastNotNull", "max"})).
		Tooltip(common.NewVizTooltipOptionsBuilder().
			Mode(common.TooltipDisplayModeMulti).
			Sort(common.SortOrderDescending))
}

// leastTop is the least that the axis of a unit ends at. Grafana's axis of
// values that are all 0 ends at 100, which is a ratio of 10000 %, or a minute
// and a half.
func leastTop(unit string) float64 {
	switch unit {
	case unitRatio:
		return 0.01
	case unitTime:
		return 0.001
	case unitBytes, unitByteRate:
		return 1024
	default:
		return 1
	}
}

// newStack is newTimeSeries with the series on top of each other, for parts
// that add up to a whole.
func newStack(title, description, unit, empty string) *timeseries.PanelBuilder {
	return newTimeSeries(title, description, unit, empty).
		FillOpacity(30).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
}

// dashedLimits draws the thresholds of a time series as lines.
func dashedLimits() cog.Builder[common.GraphThresholdsStyleConfig] {
	return common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)
}
