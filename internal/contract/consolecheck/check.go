package consolecheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// model is a dashboard as Grafana reads it, split where the declaration is.
type model struct {
	Title      string
	Panels     []panelModel
	Links      []any
	Templating struct{ List []map[string]any }
}

type panelModel struct {
	Type, Title     string
	Datasource      struct{ Type string }
	Targets         []map[string]any
	Options         any
	Transformations []struct {
		ID      string
		Options any
	}
	FieldConfig struct {
		Defaults  map[string]any
		Overrides []struct {
			Matcher    struct{ ID string }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
	Panels []panelModel
}

// Use collects which parts of a declaration the dashboards make use of.
type Use map[string]bool

// Check returns a line for everything in a dashboard's JSON that the console
// does not draw, and notes in used, which may be nil, what it does.
func (d *Declaration) Check(dashboard []byte, used Use) ([]string, error) {
	var whole map[string]any
	var m model
	for _, into := range []any{&whole, &m} {
		if err := json.Unmarshal(dashboard, into); err != nil {
			return nil, fmt.Errorf("read dashboard: %w", err)
		}
	}
	problems := check(d.Dashboard, whole, "dashboard", used)
	for _, link := range m.Links {
		problems = append(problems, check(d.Link, link, "link", used)...)
	}
	for _, v := range m.Templating.List {
		problems = append(problems, byName(d.Variables, "variables", fmt.Sprint(v["type"]), v, used)...)
	}
	raw, _ := whole["panels"].([]any)
	for i, p := range m.Panels {
		problems = append(problems, d.panel(p, raw[i], used)...)
	}
	for i, p := range problems {
		problems[i] = m.Title + ": " + p
	}
	return problems, nil
}

func (d *Declaration) panel(p panelModel, raw any, used Use) []string {
	kind, ok := d.Panels[p.Type]
	if !ok {
		return []string{fmt.Sprintf("panel %q is of the type %q, which the console does not draw", p.Title, p.Type)}
	}
	path := "panels." + p.Type
	problems := check(d.Panel, raw, "panel", used)
	if p.Options != nil {
		problems = append(problems, check(kind.Options, p.Options, path+".options", used)...)
	}
	problems = append(problems, d.fields(p, path, kind, used)...)
	for _, t := range p.Transformations {
		problems = append(problems, byName(d.Transformations, "transformations", t.ID, t.Options, used)...)
	}
	for _, t := range p.Targets {
		source, _ := t["datasource"].(map[string]any)
		name, _ := source["type"].(string)
		if name == "" {
			name = p.Datasource.Type
		}
		problems = append(problems, byName(d.Targets, "targets", name, t, used)...)
	}
	for i, problem := range problems {
		problems[i] = fmt.Sprintf("panel %q: %s", p.Title, problem)
	}
	inner, _ := raw.(map[string]any)
	below, _ := inner["panels"].([]any)
	for i, p := range p.Panels {
		problems = append(problems, d.panel(p, below[i], used)...)
	}
	return problems
}

// fields checks a panel's options of fields, those for all and the overrides.
func (d *Declaration) fields(p panelModel, path string, kind Kind, used Use) []string {
	var problems []string
	option := func(id string, value any) {
		if name, custom := strings.CutPrefix(id, "custom."); custom {
			problems = append(problems, nested(kind.Custom, path+".custom", name, value, used)...)
		} else {
			fields, _ := d.Field.(map[string]any)
			problems = append(problems, nested(fields, "field", id, value, used)...)
		}
	}
	for id, value := range p.FieldConfig.Defaults {
		if id == "custom" {
			problems = append(problems, check(map[string]any(kind.Custom), value, path+".custom", used)...)
			continue
		}
		option(id, value)
	}
	for _, o := range p.FieldConfig.Overrides {
		if !slices.Contains(d.Matchers, o.Matcher.ID) {
			problems = append(problems, fmt.Sprintf("overrides choose fields by %q, the console knows %v", o.Matcher.ID, d.Matchers))
		} else if used != nil {
			used["matchers."+o.Matcher.ID] = true
		}
		for _, property := range o.Properties {
			option(property.ID, property.Value)
		}
	}
	return problems
}

// nested checks an option that is named by its path, as overrides do it.
func nested(declared map[string]any, path, id string, value any, used Use) []string {
	name, rest, more := strings.Cut(id, ".")
	part, ok := declared[name]
	if !ok {
		return []string{fmt.Sprintf("%s.%s is not known to the console", path, id)}
	}
	if inner, isObject := part.(map[string]any); more && isObject {
		return nested(inner, path+"."+name, rest, value, used)
	}
	return check(part, value, path+"."+name, used)
}

// byName checks a value along the declaration of its own kind.
func byName(declared map[string]any, section, name string, value any, used Use) []string {
	part, ok := declared[name]
	if !ok {
		return []string{fmt.Sprintf("%s of the type %q are not known to the console", section, name)}
	}
	return check(part, value, section+"."+name, used)
}

// Unused lists what is declared of panels, queries, transformations and
// matchers that no dashboard which was checked with used has made use of.
func (d *Declaration) Unused(used Use) []string {
	var declared []string
	for name, kind := range d.Panels {
		declared = append(declared, leaves(kind.Options, "panels."+name+".options")...)
		if len(kind.Custom) > 0 {
			declared = append(declared, leaves(map[string]any(kind.Custom), "panels."+name+".custom")...)
		}
	}
	for name, part := range d.Targets {
		declared = append(declared, leaves(part, "targets."+name)...)
	}
	for name, part := range d.Transformations {
		declared = append(declared, leaves(part, "transformations."+name)...)
	}
	for _, name := range d.Matchers {
		declared = append(declared, "matchers."+name)
	}
	slices.Sort(declared)
	return slices.DeleteFunc(declared, func(path string) bool { return used[path] })
}
