package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/grafanapyroscope"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/loki"
	"github.com/grafana/grafana-foundation-sdk/go/table"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Plugin ids of data sources that the first dashboards did not need.
const (
	typeJaeger    = "jaeger"
	typePyroscope = "grafana-pyroscope-datasource"
)

func jaegerSource() common.DataSourceRef { return source(catalog.VarJaeger, typeJaeger) }

func pyroscopeSource() common.DataSourceRef { return source(catalog.VarPyroscope, typePyroscope) }

// traceSearch is what traces to look for. Empty fields restrict nothing.
type traceSearch struct {
	tags, atLeast string
}

// target is the search as Grafana's Jaeger source takes it, for the chosen
// service. The SDK has no type for it.
func (s traceSearch) target() cog.Builder[variants.Dataquery] {
	return variants.NewUnknownDataqueryBuilderFromObject(variants.UnknownDataquery{
		"refId": "A", "queryType": "search", "service": "$" + string(catalog.VarService), "operation": "",
		"tags": s.tags, "minDuration": s.atLeast, "maxDuration": "", "limit": 50, "datasource": jaegerSource(),
	})
}

// newTraces lists traces, the slowest first. Jaeger returns the newest that
// match: what is sorted are those.
func newTraces(title, description, empty string, s traceSearch) *table.PanelBuilder {
	return table.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(jaegerSource()).
		NoValue(empty).
		Thresholds(noLimits()).
		SortBy([]cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName("Duration").Desc(true)}).
		OverrideByName("Start time", []dashboard.DynamicConfigValue{width(170)}).
		OverrideByName("Duration", []dashboard.DynamicConfigValue{width(100)}).
		OverrideByName("Trace ID", []dashboard.DynamicConfigValue{width(130)}).
		WithTarget(s.target())
}

// newFlame draws a profile of the series that the selector matches. The SDK
// has no package for this kind of panel.
func newFlame(title, description, empty, profile, selector string) *dashboard.PanelBuilder {
	return dashboard.NewPanelBuilder().
		Type("flamegraph").
		Title(title).
		Description(description).
		Datasource(pyroscopeSource()).
		NoValue(empty).
		Options(map[string]any{"showFlameGraphOnly": false}).
		WithTarget(profileQuery(profile, selector).QueryType("profile"))
}

// profileQuery asks for a profile by its type and the labels of its series.
func profileQuery(profile, selector string) *grafanapyroscope.DataqueryBuilder {
	return grafanapyroscope.NewDataqueryBuilder().
		RefId("A").
		ProfileTypeId(profile).
		LabelSelector(selector).
		GroupBy([]string{}).
		Datasource(pyroscopeSource())
}

// profilesOf selects the profiles of a service that a variable names.
func profilesOf(v catalog.Variable) string {
	return "{" + catalog.ProfileServiceName + `="$` + string(v) + `"}`
}

// linesOf selects the log lines of the chosen service in the chosen
// environments; further stages of the query follow it.
func linesOf() string {
	return "{" + string(catalog.ServiceName) + `="$` + string(catalog.VarService) + `"}` +
		" | " + string(catalog.DeploymentEnvironment) + `=~"$` + string(catalog.VarEnvironment) + `"`
}

// logQuery is one query of Loki.
func logQuery(expr, legend string) *loki.DataqueryBuilder {
	return loki.NewDataqueryBuilder().
		RefId("A").
		Expr(expr).
		LegendFormat(legend).
		QueryType("range").
		EditorMode(loki.QueryEditorModeCode).
		Datasource(lokiSource())
}

// newLogs lists the newest lines of a query.
func newLogs(title, description, empty, expr string) *logs.PanelBuilder {
	return logs.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(lokiSource()).
		NoValue(empty).
		WithTarget(logQuery(expr, "").MaxLines(100)).
		ShowTime(true).
		WrapLogMessage(true).
		EnableLogDetails(true).
		SortOrder(common.LogsSortOrderDescending).
		DedupStrategy(common.LogsDedupStrategyNone)
}
