package dashboards

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// choices are the variables of a dashboard.
type choices = []cog.Builder[dashboard.VariableModel]

// Variables of data sources; those of Prometheus and Loki are made the same way.
func chooseSources(vs ...catalog.Variable) choices {
	var all choices
	for _, v := range vs {
		switch v {
		case catalog.VarPrometheus:
			all = append(all, sourceVariable(v, "Prometheus data source", typePrometheus))
		case catalog.VarLoki:
			all = append(all, sourceVariable(v, "Loki data source", typeLoki))
		case catalog.VarJaeger:
			all = append(all, sourceVariable(v, "Jaeger data source", typeJaeger))
		case catalog.VarPyroscope:
			all = append(all, sourceVariable(v, "Pyroscope data source", typePyroscope))
		}
	}
	return all
}

// chooseService lets people choose an environment and one of the services that
// the given series are about.
func chooseService(which string, series func(ms ...promql.Matcher) promql.Expr) choices {
	return choices{
		orAll(valuesVariable(catalog.VarEnvironment, "Environment", "Where the service runs. All includes services that do not say.",
			series(), catalog.DeploymentEnvironment)),
		valuesVariable(catalog.VarService, "Service", which,
			series(promql.Selected(catalog.DeploymentEnvironment, catalog.VarEnvironment)), catalog.ServiceName),
	}
}

// everyService are the series that all agents have.
func everyService(ms ...promql.Matcher) promql.Expr { return promql.Value(catalog.BuildInfo, ms...) }

// chooseRoute lets people choose routes of the service.
func chooseRoute(o Options) choices {
	return choices{orAll(valuesVariable(catalog.VarRoute, "Route", "Route templates, for the panels about HTTP requests.",
		slo.Requests(o.Flavor, promql.WholeRange(), thisService()...).Present(), catalog.HTTPRoute))}
}

// chooseInstance lets people choose instances of the service.
func chooseInstance() choices {
	return choices{orAll(valuesVariable(catalog.VarInstance, "Instance", "Processes of the service, by the address at which Prometheus finds them.",
		// Every scraped series has an instance: all of them are those with any.
		promql.Value(catalog.BuildInfo, thisService()...), catalog.Instance)).AllValue(".+")}
}

// chooseText lets people choose one of a few given values.
func chooseText(v catalog.Variable, label, description, first string, values ...string) choices {
	list := strings.Join(values, ",")
	return choices{dashboard.NewCustomVariableBuilder(string(v)).
		Label(label).
		Description(description).
		Values(dashboard.StringOrMap{String: &list}).
		Current(dashboard.VariableOption{
			Text: dashboard.StringOrArrayOfString{String: &first}, Value: dashboard.StringOrArrayOfString{String: &first},
		})}
}

// join puts the variables of several makers in order.
func join(some ...choices) choices {
	var all choices
	for _, c := range some {
		all = append(all, c...)
	}
	return all
}

// theseInstances matches the series of the chosen instances of the service.
func theseInstances() []promql.Matcher {
	return append(thisService(), promql.Selected(catalog.Instance, catalog.VarInstance))
}

// these matches those of the chosen routes and instances.
func these() []promql.Matcher {
	return append(theseRoutes(), promql.Selected(catalog.Instance, catalog.VarInstance))
}

// over sets what the dashboard shows when it is opened, and how often it asks
// anew.
func (d Dashboard) over(from, refresh string) Dashboard {
	d.Model.Time.From = from
	d.Model.Refresh = &refresh
	return d
}
