package dashboards

import (
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/loki"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// query is one target of a panel: an expression, and how its series are called.
type query struct {
	ref    string
	expr   promql.Expr
	legend string
}

// overTime draws the query as it develops.
func (q query) overTime() *prometheus.DataqueryBuilder {
	return q.base().Range()
}

// withExemplars is overTime with single requests on top. Grafana asks for
// exemplars by selector: one target of a panel is enough, and more would draw
// the same points again.
func (q query) withExemplars() *prometheus.DataqueryBuilder {
	return q.overTime().Exemplar(true)
}

// asHeatmap is withExemplars for buckets.
func (q query) asHeatmap() *prometheus.DataqueryBuilder {
	return q.withExemplars().Format(prometheus.PromQueryFormatHeatmap)
}

// once asks for the value at the end of the time range.
func (q query) once() *prometheus.DataqueryBuilder {
	return q.base().Instant()
}

// inTable is once, as rows and columns.
func (q query) inTable() *prometheus.DataqueryBuilder {
	return q.once().Format(prometheus.PromQueryFormatTable)
}

func (q query) base() *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().
		RefId(q.ref).
		Expr(q.expr.String()).
		LegendFormat(q.legend).
		EditorMode(prometheus.QueryEditorModeCode).
		Datasource(prometheusSource())
}

// by returns the legend that shows the value of a label.
func by(l catalog.Label) string { return "{{" + string(l) + "}}" }

// thisService matches the series of the chosen service in the chosen
// environments.
func thisService() []promql.Matcher {
	return []promql.Matcher{
		promql.SelectedOne(catalog.ServiceName, catalog.VarService),
		promql.Selected(catalog.DeploymentEnvironment, catalog.VarEnvironment),
	}
}

// theseRoutes matches those of the chosen routes.
func theseRoutes() []promql.Matcher {
	return append(thisService(), promql.Selected(catalog.HTTPRoute, catalog.VarRoute))
}

// requests is the distribution of the chosen requests' durations within the
// window: promql.WholeRange for one number about everything on the screen,
// promql.RateInterval for a line.
func (o Options) requests(w promql.Window) promql.Distribution {
	return slo.Requests(o.Flavor, w, theseRoutes()...)
}

// errorLines is the LogQL query for the lines of the chosen service that are
// errors or worse, by the severity numbers of OpenTelemetry.
func errorLines() *loki.DataqueryBuilder {
	const severityError = 17
	return loki.NewDataqueryBuilder().
		RefId("A").
		Expr("{" + string(catalog.ServiceName) + `="$` + string(catalog.VarService) + `"}` +
			" | " + string(catalog.DeploymentEnvironment) + `=~"$` + string(catalog.VarEnvironment) + `"` +
			" | " + string(catalog.LokiSeverityNumber) + ">=" + strconv.Itoa(severityError)).
		QueryType("range").
		MaxLines(100).
		EditorMode(loki.QueryEditorModeCode).
		Datasource(lokiSource())
}
