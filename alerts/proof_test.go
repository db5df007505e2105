package alerts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/alerts"
)

// promtoolTest is what the checks below look at in a file under tests/.
type promtoolTest struct {
	RuleFiles []string `yaml:"rule_files"`
	Tests     []struct {
		Name        string `yaml:"name"`
		InputSeries []struct {
			Series string `yaml:"series"`
		} `yaml:"input_series"`
		AlertTests []struct {
			Alertname string `yaml:"alertname"`
			Expected  []struct {
				Labels map[string]string `yaml:"exp_labels"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

func readPromtoolTest(t *testing.T, file string) promtoolTest {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var parsed promtoolTest
	if err := yaml.Unmarshal(content, &parsed); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return parsed
}

// Every alert must be shown to fire and, in the same test, not to fire yet, for
// each of its severities.
func TestEveryAlertHasAPromtoolTestOnBothSides(t *testing.T) {
	t.Parallel()
	type variant struct{ alert, severity string }
	shown := map[variant]bool{}
	for _, file := range testFiles(t) {
		for _, test := range readPromtoolTest(t, file).Tests {
			quiet := map[string]bool{}
			for _, a := range test.AlertTests {
				if len(a.Expected) == 0 {
					quiet[a.Alertname] = true
				}
				for _, e := range a.Expected {
					if quiet[a.Alertname] {
						shown[variant{a.Alertname, e.Labels[string(catalog.AlertSeverity)]}] = true
					}
				}
			}
		}
	}
	for _, g := range all(t, alerts.Options{}) {
		for _, r := range g.Rules {
			if v := (variant{r.Alert, string(r.Severity)}); r.Alert != "" && !shown[v] {
				t.Errorf("%s (%s): no test under tests/ expects nothing first and the alert then", v.alert, v.severity)
			}
		}
	}
}

// A group whose rules differ by flavour must be tested in both, and every file
// of rules in at least one.
func TestEveryRuleFileIsTested(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	names := map[string][]string{}
	for _, file := range testFiles(t) {
		parsed := readPromtoolTest(t, file)
		for _, rules := range parsed.RuleFiles {
			tested[filepath.ToSlash(filepath.Join("tests", rules))] = true
		}
		for _, test := range parsed.Tests {
			names[filepath.Base(file)] = append(names[filepath.Base(file)], test.Name)
		}
	}
	for _, g := range all(t, alerts.Options{}) {
		if !tested[generated+"/native/"+g.Name+".yml"] {
			t.Errorf("no promtool test loads native/%s.yml", g.Name)
		}
	}
	for _, group := range []string{"slo-recording", "slo-errors", "slo-latency", "routes"} {
		if !tested[generated+"/classic/"+group+".yml"] {
			t.Errorf("no promtool test loads classic/%s.yml", group)
		}
	}
	for _, group := range []string{"slo-errors", "slo-latency", "routes"} {
		classic := names[group+"_classic_test.yml"]
		for _, name := range names[group+"_native_test.yml"] {
			if !slices.Contains(classic, name) {
				t.Errorf("%s: the case %q is tested on native histograms only", group, name)
			}
		}
	}
}

// Alerts that cannot tell silence from health, or that fire for what is idle,
// are the usual ones to annoy.
func TestEveryGroupIsTestedIdleAndWithoutSeries(t *testing.T) {
	t.Parallel()
	idle, empty := map[string]bool{}, map[string]bool{}
	for _, file := range testFiles(t) {
		parsed := readPromtoolTest(t, file)
		for _, rules := range parsed.RuleFiles {
			group := strings.TrimSuffix(filepath.Base(rules), ".yml")
			for _, test := range parsed.Tests {
				idle[group] = idle[group] || strings.Contains(test.Name, "idle")
				empty[group] = empty[group] || len(test.InputSeries) == 0
			}
		}
	}
	for _, g := range all(t, alerts.Options{}) {
		if !idle[g.Name] || !empty[g.Name] {
			t.Errorf("%s: a promtool test has a case for what is idle: %v; one without any series: %v", g.Name, idle[g.Name], empty[g.Name])
		}
	}
}

const runbookDir = "../docs/runbooks"

func runbooks(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for name, content := range readAll(t, runbookDir) {
		texts[strings.TrimSuffix(name, ".md")] = content
	}
	return texts
}

func TestEveryAlertHasARunbookAndTheReverse(t *testing.T) {
	t.Parallel()
	texts := runbooks(t)
	known := map[string]bool{}
	for _, g := range all(t, alerts.Options{}) {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			known[r.Alert] = true
			text, ok := texts[r.Alert]
			if !ok {
				t.Errorf("%s has no runbook", r.Alert)
				continue
			}
			for _, want := range []string{"# " + r.Alert + "\n", "\n## Meaning\n", "\n## Impact\n", "\n## Diagnosis\n", "\n## Mitigation\n", "```promql\n"} {
				if !strings.Contains(text, want) {
					t.Errorf("the runbook of %s has no %q", r.Alert, want)
				}
			}
			if !panelMention().MatchString(flatten(text)) {
				t.Errorf("the runbook of %s sends nobody to a panel", r.Alert)
			}
			if !strings.Contains(strings.ToLower(text), "**"+string(r.Severity)) {
				t.Errorf("the runbook of %s does not say that it is a %s", r.Alert, r.Severity)
			}
		}
	}
	for name := range texts {
		if !known[name] {
			t.Errorf("%s/%s.md is the runbook of no alert", runbookDir, name)
		}
	}
}

// panelMention finds the titles of panels that a runbook names.
func panelMention() *regexp.Regexp {
	return regexp.MustCompile(`[Pp]anels? ("[^"]+"(?: and "[^"]+")*)`)
}

// flatten takes the line breaks out of a text.
func flatten(text string) string { return strings.Join(strings.Fields(text), " ") }

// queriesOf returns the PromQL blocks of a runbook.
func queriesOf(text string) []string {
	var queries []string
	for _, m := range regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(text, -1) {
		queries = append(queries, m[1])
	}
	return queries
}

// A runbook that sends people to a panel or a series that does not exist is
// worse than none, at that hour.
func TestRunbooksNameWhatExists(t *testing.T) {
	t.Parallel()
	panels, series := panelTitles(t), seriesNames()
	mention := panelMention()
	quoted := regexp.MustCompile(`"([^"]+)"`)
	selector := regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*[{[]`)
	for alert, text := range runbooks(t) {
		for _, m := range mention.FindAllStringSubmatch(flatten(text), -1) {
			for _, title := range quoted.FindAllStringSubmatch(m[1], -1) {
				if !panels[title[1]] {
					t.Errorf("%s sends people to the panel %q, which no dashboard has", alert, title[1])
				}
			}
		}
		for _, query := range queriesOf(text) {
			for _, m := range selector.FindAllStringSubmatch(query, -1) {
				if !series[m[1]] {
					t.Errorf("%s asks for %s, which the catalogue does not know", alert, m[1])
				}
			}
		}
	}
}

func panelTitles(t *testing.T) map[string]bool {
	t.Helper()
	titles := map[string]bool{}
	for name, content := range readAll(t, "../dashboards/generated") {
		var d struct {
			Panels []struct{ Title, Type string }
		}
		if err := json.Unmarshal([]byte(content), &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range d.Panels {
			titles[p.Title] = titles[p.Title] || p.Type != "row"
		}
	}
	return titles
}

func seriesNames() map[string]bool {
	names := map[string]bool{}
	for _, m := range catalog.All() {
		names[m.Desc().Name] = true
		if m.Kind() == "histogram" {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				names[m.Desc().Name+suffix] = true
			}
		}
	}
	for _, r := range catalog.AllRecorded() {
		names[r.Desc().Name] = true
	}
	return names
}
