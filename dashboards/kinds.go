package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/table"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// newHeatmap draws a distribution of durations over time.
func (o Options) newHeatmap(title, description, empty string, d promql.Distribution) *heatmap.PanelBuilder {
	return heatmap.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(prometheusSource()).
		Unit(unitRate).
		NoValue(empty).
		WithTarget(query{"A", d.Buckets(), o.heatmapLegend()}.asHeatmap()).
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
		ExemplarsColor("rgba(255,0,255,0.7)")
}

// newBars returns a panel of horizontal bars from nothing to everything, one
// per series.
func newBars(title, description, unit, empty string) *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(prometheusSource()).
		Unit(unit).
		Min(0).
		NoValue(empty).
		Mappings(nothing(empty)).
		Thresholds(noLimits()).
		ColorScheme(colorBy(dashboard.FieldColorModeIdThresholds)).
		DisplayMode(common.BarGaugeDisplayModeBasic).
		ValueMode(common.BarGaugeValueModeColor).
		ShowUnfilled(true).
		Orientation(common.VizOrientationHorizontal).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
}

// key is a label that tells the rows of a table apart.
type key struct {
	label catalog.Label
	name  string
	props []dashboard.DynamicConfigValue
}

// column is one number of a table. Columns are merged by their labels, which
// must be the keys.
type column struct {
	name  string
	expr  promql.Expr
	props []dashboard.DynamicConfigValue
}

// newTable returns a table over the whole time range with a row for each
// combination of the keys, those with the largest value of the column sortBy
// first.
func newTable(title, description, empty, sortBy string, keys []key, columns []column) *table.PanelBuilder {
	b := table.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(prometheusSource()).
		Unit(unitCount).
		NoValue(empty).
		Mappings(nothing("-")).
		Thresholds(noLimits()).
		SortBy([]cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName(sortBy).Desc(true)})
	rename, order := map[string]string{}, map[string]int{}
	for i, k := range keys {
		rename[string(k.label)], order[string(k.label)] = k.name, i
		if len(k.props) > 0 {
			b = b.OverrideByName(k.name, k.props)
		}
	}
	for i, c := range columns {
		ref := string(rune('A' + i))
		field := "Value"
		if len(columns) > 1 {
			field += " #" + ref
		}
		b = b.WithTarget(query{ref, c.expr, ""}.inTable())
		if len(c.props) > 0 {
			b = b.OverrideByName(c.name, c.props)
		}
		rename[field], order[field] = c.name, len(keys)+i
	}
	return b.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "renameByName": rename, "indexByName": order,
		}})
}

// width gives one column its width, in pixels.
func width(pixels int) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "custom.width", Value: pixels}
}

// bar draws a column of shares as bars.
func bar() []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{
		unit(unitRatio), {Id: "min", Value: 0}, {Id: "max", Value: 1},
		{Id: "custom.cellOptions", Value: map[string]string{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}},
	}
}

// logScale is for durations that differ by orders of magnitude.
func logScale() cog.Builder[common.ScaleDistributionConfig] {
	return common.NewScaleDistributionConfigBuilder().Type(common.ScaleDistributionLog).Log(10)
}
