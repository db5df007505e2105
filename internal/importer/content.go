package importer

import (
	"encoding/json"
	"fmt"

	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/dashboards"
	"github.com/cacheu/plumbline/internal/grafana"
)

// models returns the dashboards in Grafana's own terms, as they are generated.
func (i *Importer) models() ([]grafana.Object, error) {
	all, err := dashboards.Build(i.dashboardOptions())
	if err != nil {
		return nil, err
	}
	models := make([]grafana.Object, len(all))
	for n, d := range all {
		content, err := d.JSON()
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &models[n]); err != nil {
			return nil, fmt.Errorf("read dashboard %s: %w", d.UID, err)
		}
	}
	return models, nil
}

// dashboards returns the dashboards with the chosen data sources selected.
func (i *Importer) dashboards() ([]grafana.Object, error) {
	models, err := i.models()
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		for _, v := range sourceVariables(m) {
			if s, ok := i.target.Sources[v.Text("query")]; ok {
				v["current"] = map[string]any{"text": s.Name, "value": s.UID}
			}
		}
	}
	return models, nil
}

// sourceVariables returns the variables of a dashboard that choose a data
// source. Their "query" is the id of the plugin.
func sourceVariables(model grafana.Object) []grafana.Object {
	var chosen []grafana.Object
	for _, v := range model.Object("templating").List("list") {
		if v.Text("type") == "datasource" {
			chosen = append(chosen, v)
		}
	}
	return chosen
}

// alertOptions are those of the configuration, with what is known of the
// target.
func (i *Importer) alertOptions() alerts.Options {
	o := i.cfg.Alerts
	o.Flavor = i.flavor
	o.DashboardBase = i.cfg.Address
	return o
}

// groups returns the alerts as groups of rules in the folder, without what
// this Grafana does not know.
func (i *Importer) groups(folderUID string) ([]grafana.Group, error) {
	all, err := alerts.All(i.alertOptions())
	if err != nil {
		return nil, err
	}
	var groups []grafana.Group
	for _, g := range all {
		translated, err := translate(g, folderUID, i.target.Sources[pluginPrometheus].UID)
		if err != nil {
			return nil, err
		}
		for _, r := range translated.Rules {
			for _, f := range skipped(i.target.Version) {
				delete(r, f.field)
			}
		}
		if len(translated.Rules) > 0 {
			groups = append(groups, translated)
		}
	}
	return groups, nil
}
