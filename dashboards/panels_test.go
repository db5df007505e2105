package dashboards_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/dashboards"
	"github.com/cacheu/plumbline/internal/promql/promqltest"
)

// model is a dashboard as Grafana reads it: only what the checks look at.
type model struct {
	UID        string
	Title      string
	Panels     []panelModel
	Links      []linkModel
	Templating struct {
		List []variableModel
	}
}

type variableModel struct {
	Name, Type, Query string
	Label             string
	AllValue          string
	IncludeAll, Multi bool
	Refresh           int
	Datasource        sourceModel
}

type sourceModel struct{ Type, UID string }

type panelModel struct {
	// raw is the panel's JSON.
	raw                      string
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               sourceModel
	Targets                  []targetModel
	TimeShift                string
	Links                    []linkModel
	FieldConfig              struct {
		Defaults struct {
			Unit, NoValue string
			Thresholds    *struct{ Steps []map[string]any }
		}
	}
}

// UnmarshalJSON keeps the text too: variables may be anywhere in it.
func (p *panelModel) UnmarshalJSON(text []byte) error {
	type plain panelModel
	err := json.Unmarshal(text, (*plain)(p))
	p.raw = string(text)
	return err
}

type targetModel struct {
	RefID, Expr, LegendFormat, Format string
	Instant, Range, Exemplar          bool
	Datasource                        sourceModel
}

type linkModel struct {
	Title, Type, URL string
	TargetBlank      bool
}

// eachDashboard runs the check on the JSON of every dashboard in both flavours.
func eachDashboard(t *testing.T, check func(t *testing.T, flavor dashboards.Flavor, m model)) {
	t.Helper()
	for _, flavor := range []dashboards.Flavor{dashboards.Native, dashboards.Classic} {
		all, err := dashboards.Build(dashboards.Options{Flavor: flavor})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			t.Run(fmt.Sprintf("%s/%v", d.UID, flavor), func(t *testing.T) {
				t.Parallel()
				content, err := d.JSON()
				if err != nil {
					t.Fatal(err)
				}
				var m model
				if err := json.Unmarshal(content, &m); err != nil {
					t.Fatal(err)
				}
				check(t, flavor, m)
			})
		}
	}
}

func TestPanelsDoNotOverlapAndFitTheGrid(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, _ dashboards.Flavor, m model) {
		taken := map[[2]int]string{}
		ids := map[int]string{}
		for _, p := range m.Panels {
			if other, ok := ids[p.ID]; ok || p.ID < 1 {
				t.Errorf("panel %q has the id %d, also of %q", p.Title, p.ID, other)
			}
			ids[p.ID] = p.Title
			g := p.GridPos
			if g.X < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
				t.Errorf("panel %q does not fit the grid: %+v", p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok {
						t.Fatalf("panels %q and %q overlap at column %d, line %d", p.Title, other, x, y)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	})
}

func TestPanelsExplainThemselves(t *testing.T) {
	t.Parallel()
	known := []string{"row", "stat", "timeseries", "heatmap", "table", "logs", "xychart", "bargauge", "flamegraph", "state-timeline"}
	eachDashboard(t, func(t *testing.T, _ dashboards.Flavor, m model) {
		titles := map[string]bool{}
		for _, p := range m.Panels {
			if titles[p.Title] || p.Title == "" {
				t.Errorf("title %q is empty or used twice", p.Title)
			}
			titles[p.Title] = true
			if !slices.Contains(known, p.Type) {
				t.Errorf("panel %q is of the type %q, which the console does not draw", p.Title, p.Type)
			}
			if p.Type == "row" {
				continue
			}
			if len(p.Description) < 60 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("panel %q does not say how to read it: %q", p.Title, p.Description)
			}
			if p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("panel %q does not say why it is empty", p.Title)
			}
			// Jaeger and Pyroscope say themselves what their numbers are.
			ownUnit := p.Type == "logs" || p.Type == "flamegraph" || p.Datasource.Type == "jaeger"
			if p.FieldConfig.Defaults.Unit == "" && !ownUnit {
				t.Errorf("panel %q has no unit", p.Title)
			}
			if th := p.FieldConfig.Defaults.Thresholds; th == nil && !slices.Contains([]string{"logs", "heatmap", "flamegraph"}, p.Type) {
				t.Errorf("panel %q leaves its thresholds to Grafana, whose default is red above 80", p.Title)
			}
			if len(p.Targets) == 0 {
				t.Errorf("panel %q asks for nothing", p.Title)
			}
		}
	})
}

func TestTargetsAskTheRightWay(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, flavor dashboards.Flavor, m model) {
		for _, p := range m.Panels {
			refs := map[string]bool{}
			exemplars := 0
			for _, q := range p.Targets {
				if refs[q.RefID] || q.RefID == "" {
					t.Errorf("panel %q: reference %q is empty or used twice", p.Title, q.RefID)
				}
				refs[q.RefID] = true
				if q.Exemplar {
					exemplars++
				}
				if q.Datasource.Type == "prometheus" {
					for _, problem := range targetProblems(p, q, flavor) {
						t.Errorf("panel %q, target %s: %s", p.Title, q.RefID, problem)
					}
				}
			}
			duration := p.Type == "heatmap" || p.Type == "timeseries" && regexp.MustCompile(`\b[Dd]uration`).MatchString(p.Title)
			if want := map[bool]int{true: 1, false: 0}[duration]; exemplars != want {
				t.Errorf("panel %q has %d targets with exemplars, want %d", p.Title, exemplars, want)
			}
		}
	})
}

func targetProblems(p panelModel, q targetModel, flavor dashboards.Flavor) []string {
	var problems []string
	check := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	check(q.Instant != q.Range, "is both or neither of instant and range")
	// An xychart has points over time, and a curve that is read from a table.
	curve := p.Type == "xychart" && q.Format == "table"
	check(q.Range == (slices.Contains([]string{"timeseries", "heatmap", "state-timeline"}, p.Type) || p.Type == "xychart" && !curve),
		"asks for a line where a number is shown, or the reverse")
	check(!q.Range || !strings.Contains(q.Expr, "$__range"), "draws a line of averages over the whole range")
	check(!q.Instant || !strings.Contains(q.Expr, "$__rate_interval"), "calls the last few seconds the whole range")
	check(!regexp.MustCompile(`\[\d`).MatchString(q.Expr), "has a fixed window")
	check(curve || q.Format == map[string]string{"table": "table", "heatmap": "heatmap"}[p.Type], "has the format "+q.Format)
	needsLegend := !curve && p.Type != "table" && (p.Type != "heatmap" || flavor == dashboards.Classic)
	check(needsLegend == (q.LegendFormat != ""), fmt.Sprintf("has the legend %q", q.LegendFormat))
	check(aboutTheChosen(q.Expr), "is not about what is chosen")
	return problems
}

// aboutTheChosen reports whether a query is restricted to a service and its
// environments, to a run, to the services that a scenario's runs measure, or to
// scrape jobs. What postgres_exporter tells belongs to no service.
func aboutTheChosen(expr string) bool {
	has := func(text string) bool { return strings.Contains(expr, text) }
	return has(`service_name="$service_name"`) && has(`deployment_environment_name=~"$environment"`) ||
		has(`run_id="$run_id"`) || has(`service_name=~"bench-$scenario-`) ||
		has(`job=~"$job"`) || has(`service_name=~"$service_name"`) && has(`deployment_environment_name=~"$environment"`) ||
		has("pg_stat_user_tables")
}

func TestDataSourcesAreVariables(t *testing.T) {
	t.Parallel()
	want := map[string]sourceModel{
		"loki":                         {"loki", "${loki_datasource}"},
		"prometheus":                   {"prometheus", "${prometheus_datasource}"},
		"jaeger":                       {"jaeger", "${jaeger_datasource}"},
		"grafana-pyroscope-datasource": {"grafana-pyroscope-datasource", "${pyroscope_datasource}"},
	}
	only := map[string]string{"logs": "loki", "flamegraph": "grafana-pyroscope-datasource"}
	eachDashboard(t, func(t *testing.T, _ dashboards.Flavor, m model) {
		for _, p := range m.Panels {
			if p.Type == "row" {
				continue
			}
			expected := want[p.Datasource.Type]
			if p.Datasource != expected || expected.UID == "" || only[p.Type] != "" && only[p.Type] != expected.Type {
				t.Errorf("panel %q reads from %+v, want %+v", p.Title, p.Datasource, expected)
			}
			for _, q := range p.Targets {
				if q.Datasource != expected {
					t.Errorf("panel %q, target %s reads from %+v, want %+v", p.Title, q.RefID, q.Datasource, expected)
				}
			}
		}
		for _, v := range m.Templating.List {
			if v.Type == "query" && v.Datasource != want["prometheus"] {
				t.Errorf("variable %s reads from %+v", v.Name, v.Datasource)
			}
		}
	})
}

func TestVariablesAreDefinedAndUsed(t *testing.T) {
	t.Parallel()
	reference := regexp.MustCompile(`\$\{?(\w+)`)
	eachDashboard(t, func(t *testing.T, _ dashboards.Flavor, m model) {
		used := map[string]bool{}
		note := func(text string) {
			for _, match := range reference.FindAllStringSubmatch(text, -1) {
				used[match[1]] = true
			}
		}
		for _, p := range m.Panels {
			note(p.raw)
		}
		defined := map[string]bool{
			"__range": true, "__range_s": true, "__rate_interval": true, "__auto": true,
			"__url_time_range": true, "__all_variables": true, "__value": true,
		}
		for _, v := range m.Templating.List {
			note(v.Query)
			defined[v.Name] = true
			if !used[v.Name] {
				t.Errorf("variable %s is used by no panel", v.Name)
			}
			if v.Label == "" {
				t.Errorf("variable %s has no label", v.Name)
			}
			if v.Type == "query" && v.Refresh != 2 {
				t.Errorf("variable %s keeps values of another time range", v.Name)
			}
			// Prometheus gives every scraped series its job and its instance.
			all := map[bool]string{true: ".+", false: ".*"}[v.Name == "instance" || v.Name == "job"]
			if v.IncludeAll && (v.AllValue != all || !v.Multi) {
				t.Errorf("variable %s: all is %q and leaves out series without the label", v.Name, v.AllValue)
			}
		}
		for name := range used {
			if !defined[name] {
				t.Errorf("$%s is not defined", name)
			}
		}
	})
}

func TestPrometheusParsesTheTargets(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, _ dashboards.Flavor, m model) {
		var queries []string
		for _, p := range m.Panels {
			for _, q := range p.Targets {
				if q.Datasource.Type == "prometheus" {
					queries = append(queries, q.Expr)
				}
			}
		}
		promqltest.Parses(t, queries...)
	})
}
