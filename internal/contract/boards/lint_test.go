package boards_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/boards"
	"github.com/cacheu/plumbline/internal/contract/provision"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

// exception is a breach that is meant. Fields that are empty allow all.
type exception struct {
	rule, board, panel, text string
	reason                   string
}

func (e exception) covers(b boards.Breach) bool {
	return e.rule == b.Rule && (e.board == "" || e.board == b.Board) && (e.panel == "" || e.panel == b.Panel) && strings.Contains(b.Text, e.text)
}

const (
	serviceNotJob = "people choose a service by the labels that its agent gives all of its series; the scrape job is an affair of whoever runs Prometheus"
	wholeService  = "it is about the service, whichever of its processes answered; utilization and profiling tell them apart"
	wholeRange    = "a number about everything on the screen; a test of the dashboards keeps such windows out of lines"
)

func exceptions() []exception {
	all := []exception{
		{rule: "template-datasource-rule", text: "variable pyroscope_datasource",
			reason: "the plugin is called grafana-pyroscope-datasource: no name of a variable, and nothing to read to people"},
		{rule: "template-job-rule", text: "there is no variable", reason: serviceNotJob},
		{rule: "target-job-rule", reason: serviceNotJob},
		{rule: "target-rate-interval-rule", text: "rate over 1352h10m56.611s", reason: wholeRange},
		{rule: "target-instance-rule", panel: "Rows read by sequential scans", reason: "the instance of postgres_exporter is none of the service's"},
	}
	for _, board := range []string{"plumbline-service-overview", "plumbline-utilization", "plumbline-benchmarks", "plumbline-replication-lag", "plumbline-slo"} {
		all = append(all, exception{rule: "template-instance-rule", board: board, reason: wholeService},
			exception{rule: "target-instance-rule", board: board, reason: wholeService})
	}
	return all
}

func TestDashboardsKeepTheRulesOfTheLinter(t *testing.T) {
	t.Parallel()
	all, err := boards.Generated()
	if err != nil {
		t.Fatal(err)
	}
	used := map[exception]bool{}
	for _, b := range all {
		for _, breach := range b.Lint() {
			i := slices.IndexFunc(exceptions(), func(e exception) bool { return e.covers(breach) })
			if i < 0 {
				t.Errorf("%s", breach)
				continue
			}
			used[exceptions()[i]] = true
		}
	}
	for _, e := range exceptions() {
		if !used[e] {
			t.Errorf("nothing needs the exception %+v any more", e)
		}
		if e.reason == "" {
			t.Errorf("the exception %+v has no reason", e)
		}
	}
}

// TestEachRuleOfTheLinterFindsItsBreach breaks a real dashboard in one place at
// a time.
func TestEachRuleOfTheLinterFindsItsBreach(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, "dashboards", "generated", "plumbline-logs-and-traces.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ rule, old, new, want string }{
		"a data source of another name":       {"template-datasource-rule", `"name": "loki_datasource"`, `"name": "logs"`, "variable logs is labelled"},
		"a data source without its label":     {"template-datasource-rule", `"label": "Loki data source"`, `"label": "Loki"`, `labelled "Loki"`},
		"an instance that is one only":        {"template-instance-rule", `"allValue": ".+"`, `"allValue": ".*"`, "variable instance is"},
		"no job":                              {"template-job-rule", `"title"`, `"title"`, "there is no variable job"},
		"a variable that does not parse":      {"template-label-promql-rule", `label_values(plumbline_build_info,`, `label_values(plumbline_build_info{,`, "variable environment:"},
		"a variable of another time":          {"template-on-time-change-reload-rule", `"refresh": 2`, `"refresh": 1`, "keeps values"},
		"a panel of one data source":          {"panel-datasource-rule", `"uid": "${loki_datasource}"`, `"uid": "P8E80"`, "reads from P8E80"},
		"no description":                      {"panel-title-description-rule", `"description": "Log lines per second`, `"descriptions": "Log lines per second`, "is missing"},
		"a unit that is none":                 {"panel-units-rule", `"unit": "cps"`, `"unit": "lines"`, `the unit "lines"`},
		"no targets":                          {"panel-no-targets-rule", `"targets": [`, `"target": [`, "asks for nothing"},
		"a query that does not parse":         {"target-promql-rule", `sum by (signal) (`, `sum by (signal (`, "parse error"},
		"a window of its own":                 {"target-rate-interval-rule", `[$__rate_interval]`, `[5m]`, "rate over 5m"},
		"no instance":                         {"target-instance-rule", `,instance=~\"$instance\"`, ``, "not restricted to a instance"},
		"no job in a query":                   {"target-job-rule", `"title"`, `"title"`, "not restricted to a job"},
		"a counter as it is":                  {"target-counter-agg-rule", `rate(plumbline_telemetry_sent_total`, `delta(plumbline_telemetry_sent_total`, "is no rate"},
		"a log window of its own":             {"target-logql-auto-rule", `[$__auto]`, `[1m]`, "has the window 1m"},
		"a dashboard that people can edit":    {"uneditable-dashboard", `"editable": false`, `"editable": true`, "can be edited"},
		"a dashboard without any data source": {"template-datasource-rule", `"type": "datasource"`, `"type": "constant"`, "no data source"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(string(content), c.old) {
				t.Fatalf("the dashboard no longer contains %s: the test must break something else", c.old)
			}
			b, err := boards.Parse([]byte(strings.ReplaceAll(string(content), c.old, c.new)))
			if err != nil {
				t.Fatal(err)
			}
			found := b.Lint()
			if !slices.ContainsFunc(found, func(b boards.Breach) bool { return b.Rule == c.rule && strings.Contains(b.Text, c.want) }) {
				t.Errorf("found %v, want one of %s that says %q", found, c.rule, c.want)
			}
		})
	}
}

// TestQueriesNameOnlyWhatTheCatalogueHas covers panels and variables.
func TestQueriesNameOnlyWhatTheCatalogueHas(t *testing.T) {
	t.Parallel()
	all, err := boards.Generated()
	if err != nil {
		t.Fatal(err)
	}
	values := boards.Builtin(3600e9, 15e9, 5e9)
	values["requests"] = "20"
	checked := 0
	for _, b := range all {
		queries := map[string]string{}
		for _, v := range b.Templating.List {
			if inner, ok := strings.CutPrefix(v.Query, "label_values("); ok {
				queries["variable "+v.Name] = inner[:strings.LastIndex(inner, ",")]
			}
		}
		for _, p := range b.Panels {
			for _, target := range p.Targets {
				if target.Datasource.Type == boards.Prometheus {
					queries[p.Title+" "+target.RefID] = target.Expr
				}
			}
		}
		for name, query := range queries {
			checked++
			for _, problem := range provision.CheckQuery(values.Fill(query)) {
				t.Errorf("%s, %s: %s", b.UID, name, problem)
			}
		}
	}
	if checked < 150 {
		t.Errorf("only %d queries were checked", checked)
	}
}
