package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Plugin ids of the data sources.
const (
	typePrometheus = "prometheus"
	typeLoki       = "loki"
)

// source refers to the data source that a variable names, and to nothing that
// exists in one Grafana only.
func source(v catalog.Variable, plugin string) common.DataSourceRef {
	uid := "${" + string(v) + "}"
	return common.DataSourceRef{Type: &plugin, Uid: &uid}
}

func prometheusSource() common.DataSourceRef { return source(catalog.VarPrometheus, typePrometheus) }

func lokiSource() common.DataSourceRef { return source(catalog.VarLoki, typeLoki) }

// sourceVariable lets people choose among the data sources of one kind. With a
// single one there is no choice to make, and Grafana picks it.
func sourceVariable(v catalog.Variable, label, plugin string) cog.Builder[dashboard.VariableModel] {
	return dashboard.NewDatasourceVariableBuilder(string(v)).
		Label(label).
		Type(plugin)
}

// valuesVariable lists the values of a label over the given series.
func valuesVariable(v catalog.Variable, label, description string, series promql.Expr,
	values catalog.Label) *dashboard.QueryVariableBuilder {
	query := "label_values(" + series.String() + ", " + string(values) + ")"
	return dashboard.NewQueryVariableBuilder(string(v)).
		Label(label).
		Description(description).
		Datasource(prometheusSource()).
		Query(dashboard.StringOrMap{String: &query}).
		Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalCaseInsensitiveAsc)
}

// orAll lets the variable hold several values, and all of them at first. "All"
// stands for ".*" and not for a list, which would miss series that do not have
// the label at all.
func orAll(b *dashboard.QueryVariableBuilder) *dashboard.QueryVariableBuilder {
	return b.Multi(true).IncludeAll(true).AllValue(".*").Current(dashboard.VariableOption{
		Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	})
}
