package importer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/internal/grafana"
)

// Fields of a rule that the API and the provisioning files spell differently:
// after how many evaluations without its series an alert ends.
const (
	fieldMissingSeries       = "missingSeriesEvalsToResolve"
	fieldMissingSeriesInFile = "missing_series_evals_to_resolve"
)

// translate returns the alerts as the API takes them, made of the files that
// Grafana's own provisioning reads: so both have the same rules, uids included.
// Recording rules are not among them: they belong into Prometheus.
func translate(o alerts.Options, folderUID string) ([]grafana.Group, error) {
	files, err := alerts.RenderGrafana(o)
	if err != nil {
		return nil, err
	}
	var groups []grafana.Group
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var file struct {
			Groups []struct {
				Name     string           `yaml:"name"`
				Interval string           `yaml:"interval"`
				Rules    []map[string]any `yaml:"rules"`
			} `yaml:"groups"`
		}
		if err := yaml.Unmarshal(files[name], &file); err != nil {
			return nil, fmt.Errorf("read the rules of %s: %w", name, err)
		}
		for _, g := range file.Groups {
			seconds, ok := duration(g.Interval).(float64)
			if !ok {
				return nil, fmt.Errorf("read the rules of %s: interval %q", name, g.Interval)
			}
			group := grafana.Group{Title: g.Name, FolderUID: folderUID, Interval: int(seconds)}
			for _, r := range g.Rules {
				rule, err := object(r)
				if err != nil {
					return nil, fmt.Errorf("read the rules of %s: %w", name, err)
				}
				if evaluations, ok := rule[fieldMissingSeriesInFile]; ok {
					rule[fieldMissingSeries] = evaluations
					delete(rule, fieldMissingSeriesInFile)
				}
				rule["folderUID"], rule["ruleGroup"] = folderUID, g.Name
				group.Rules = append(group.Rules, rule)
			}
			groups = append(groups, group)
		}
	}
	return groups, nil
}

// object returns v with the types that decoded JSON has, so that what is wanted
// and what is there can be compared.
func object(v any) (grafana.Object, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var o grafana.Object
	err = json.Unmarshal(content, &o)
	return o, err
}
