package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cacheu/plumbline/internal/grafana"
)

// None instead of a data source's name leaves out what needs that kind.
const None = "none"

// pluginPrometheus is the plugin without which there is nothing to import.
const pluginPrometheus = "prometheus"

// chooseSources chooses a data source of every kind that the dashboards use.
func (i *Importer) chooseSources(ctx context.Context) error {
	there, err := i.client.DataSources(ctx)
	if err != nil {
		return err
	}
	models, err := i.models()
	if err != nil {
		return err
	}
	plugins := []string{pluginPrometheus}
	for _, m := range models {
		for _, v := range sourceVariables(m) {
			plugins = append(plugins, v.Text("query"))
		}
	}
	slices.Sort(plugins)
	plugins = slices.Compact(plugins)
	var errs []error
	for named := range maps.Keys(i.cfg.DataSources) {
		if !slices.Contains(plugins, named) {
			errs = append(errs, fmt.Errorf("data sources of type %q are not used; name one of %s", named, strings.Join(plugins, ", ")))
		}
	}
	i.target.Sources = map[string]grafana.DataSource{}
	for _, plugin := range plugins {
		named := i.cfg.DataSources[plugin]
		if named == None && plugin != pluginPrometheus {
			i.target.note("panels that ask %s stay empty: no data source of that type was wanted", plugin)
			continue
		}
		chosen, err := choose(plugin, named, there)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		i.target.Sources[plugin] = chosen
	}
	return errors.Join(errs...)
}

// choose returns the data source of the plugin that is meant: the one of that
// uid, else of that name; without either, the only one there.
func choose(plugin, named string, there []grafana.DataSource) (grafana.DataSource, error) {
	fits := slices.DeleteFunc(slices.Clone(there), func(d grafana.DataSource) bool { return d.Type != plugin })
	if named == "" {
		switch len(fits) {
		case 1:
			return fits[0], nil
		case 0:
			hint := ""
			if plugin != pluginPrometheus {
				hint = fmt.Sprintf("; --datasource %s=%s imports without", plugin, None)
			}
			return grafana.DataSource{}, fmt.Errorf("there is no data source of type %s; there are %s%s", plugin, list(there), hint)
		}
		return grafana.DataSource{}, fmt.Errorf("there are %d data sources of type %s: %s; choose one by --datasource %s=<uid or name>",
			len(fits), plugin, list(fits), plugin)
	}
	for _, key := range []func(grafana.DataSource) string{
		func(d grafana.DataSource) string { return d.UID },
		func(d grafana.DataSource) string { return d.Name },
	} {
		if at := slices.IndexFunc(fits, func(d grafana.DataSource) bool { return key(d) == named }); at >= 0 {
			return fits[at], nil
		}
	}
	return grafana.DataSource{}, fmt.Errorf("no data source of type %s has the uid or name %q; of that type there are %s", plugin, named, list(fits))
}

func list(sources []grafana.DataSource) string {
	if len(sources) == 0 {
		return "none"
	}
	texts := make([]string, len(sources))
	for i, d := range sources {
		texts[i] = fmt.Sprintf("%q (uid %s, type %s)", d.Name, d.UID, d.Type)
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}
