package alerts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/alerts"
)

const (
	generated           = "generated/prometheus"
	generatedGrafana    = "generated/grafana"
	generatedKubernetes = "generated/kubernetes"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	for dir, write := range map[string]func(string) error{
		generated:           func(dir string) error { return alerts.WritePrometheus(dir, alerts.Options{}) },
		generatedGrafana:    func(dir string) error { return alerts.WriteGrafana(dir, alerts.Options{}) },
		generatedKubernetes: func(dir string) error { return alerts.WriteKubernetes(dir, alerts.Options{}) },
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			fresh := t.TempDir()
			if err := write(fresh); err != nil {
				t.Fatal(err)
			}
			want, have := readAll(t, fresh), readAll(t, dir)
			if len(want) == 0 {
				t.Error("no files")
			}
			for name, content := range want {
				if have[name] != content {
					t.Errorf("%s/%s is not what the program makes; run go run ./alerts/cmd/gen", dir, name)
				}
			}
			for name := range have {
				if _, ok := want[name]; !ok {
					t.Errorf("%s/%s is made by no group; delete it", dir, name)
				}
			}
		})
	}
}

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The promtool tests of these groups run on one flavour. That is enough only
// as long as the other says the same.
func TestOnlyTheRecordingRulesDifferByFlavour(t *testing.T) {
	t.Parallel()
	files := readAll(t, generated)
	body := func(name string) string {
		_, rules, ok := strings.Cut(files[name], "groups:")
		if !ok {
			t.Fatalf("%s has no groups", name)
		}
		return rules
	}
	for _, g := range all(t, alerts.Options{}) {
		if g.Name == "slo-recording" || g.Name == "routes" {
			continue
		}
		if name := g.Name + ".yml"; body("native/"+name) != body("classic/"+name) {
			t.Errorf("%s differs by flavour; test both with promtool", name)
		}
	}
	if _, tail, _ := strings.Cut(body("native/slo-recording.yml"), "- record: service:http_server_errors:ratio_rate5m"); !strings.HasSuffix(body("classic/slo-recording.yml"), tail) || tail == "" {
		t.Error("the ratios over the windows differ by flavour; test both with promtool")
	}
}

func TestRecordedSeriesAreThoseOfTheCatalogue(t *testing.T) {
	t.Parallel()
	var want []string
	for _, r := range catalog.AllRecorded() {
		want = append(want, r.Desc().Name)
	}
	for _, flavor := range alerts.Flavors() {
		var got []string
		for _, g := range all(t, alerts.Options{Flavor: flavor}) {
			for _, r := range g.Rules {
				if r.Record != "" {
					got = append(got, r.Record)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v\n got %q\nwant %q", flavor, got, want)
		}
	}
}

func all(t *testing.T, o alerts.Options) []alerts.Group {
	t.Helper()
	groups, err := alerts.All(o)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestEveryRuleIsComplete(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, g := range all(t, alerts.Options{}) {
		if names[g.Name] || g.Name == "" || g.Doc == "" || g.Interval != 30*time.Second {
			t.Errorf("group %q: named twice, or without name, doc or interval: %v", g.Name, g.Interval)
		}
		names[g.Name] = true
		for i, r := range g.Rules {
			if (r.Record == "") == (r.Alert == "") {
				t.Errorf("rule %d of %s is both or neither of a recording and an alert", i, g.Name)
			}
			if r.Expr.IsZero() {
				t.Errorf("rule %d of %s asks for nothing", i, g.Name)
			}
			if r.Alert == "" {
				continue
			}
			if r.For < time.Minute || !slices.Contains(alerts.Severities(), r.Severity) {
				t.Errorf("%s fires after %v as %q", r.Alert, r.For, r.Severity)
			}
			a := r.Annotations
			if a.RunbookURL != alerts.DefaultRunbookBase+"/"+r.Alert+".md" {
				t.Errorf("%s has the runbook %s", r.Alert, a.RunbookURL)
			}
			if !strings.HasPrefix(a.DashboardURL, alerts.DefaultDashboardBase+"/d/plumbline-") {
				t.Errorf("%s has the dashboard %s", r.Alert, a.DashboardURL)
			}
			if a.Summary == "" || strings.Contains(a.Summary, "\n") || !strings.Contains(a.Description, "{{ $") ||
				!strings.HasSuffix(a.Description, ".") {
				t.Errorf("%s says %q and %q", r.Alert, a.Summary, a.Description)
			}
		}
	}
}

func TestOptionsReachTheRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := alerts.WritePrometheus(dir, alerts.Options{
		LatencyObjective: 250 * time.Millisecond, LatencyTarget: 0.99, ErrorTarget: 0.95, MinBadRequests: 3, TimeScale: 0.1,
		MinRequests: 7, JobAgeLimit: time.Hour, Jobs: "shop|cart", StoreJobs: "mimir", RunbookBase: "https://wiki.example/runbooks/", DashboardBase: "https://grafana.example/",
	}, alerts.Classic)
	if err != nil {
		t.Fatal(err)
	}
	files := readAll(t, dir)
	if groups := all(t, alerts.Options{}); len(files) != len(groups) {
		t.Errorf("wrote %d files, want one for each of %d groups", len(files), len(groups))
	}
	for name, wants := range map[string][]string{
		"classic/slo-recording.yml": {`le="0.25"`, "[30s]", "[7h12m]", "interval: 3s", "record: service:http_server_errors:ratio_rate3d",
			"99% of answered requests within 250ms", "all times multiplied by 0.1, for a drill"},
		"classic/slo-errors.yml": {"(14.4 * 0.05)", "rate5m[6m]) * 3) >= 3", "for: 6s", "for: 1m30s", "5% may",
			"https://grafana.example/d/plumbline-service-overview?", "https://wiki.example/runbooks/ErrorBudgetBurnFast.md"},
		"classic/slo-latency.yml": {"(14.4 * 0.01)", "in more than 250ms"},
		"classic/replication.yml": {"> 10", "for: 12s", "[30s]", "https://grafana.example/d/plumbline-replication-lag?"},
		"classic/utilization.yml": {"[6m]", "[3m]", ", 1440) > 1", "for: 12s", "(14.4 * 0.01)",
			"https://grafana.example/d/plumbline-utilization?"},
		"classic/routes.yml":  {"> 0.25", "* 30) >= 7", "for: 1m30s"},
		"classic/jobs.yml":    {"> 360", "[1m30s]", ">= 3"},
		"classic/targets.yml": {`up{job=~"shop|cart",job!~"mimir"}`, "for: 12s", "[2h24m]"},
	} {
		for _, want := range wants {
			if !strings.Contains(files[name], want) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
	}
}

func TestOptionsOutOfBoundsAreAllNamedAndWriteNothing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		in   alerts.Options
		want []string
	}{
		"everything at once": {
			alerts.Options{LatencyObjective: -1, LatencyTarget: 2, ErrorTarget: 0.5, MinBadRequests: -1, MinRequests: -2, JobAgeLimit: -time.Hour,
				TimeScale: 2, Jobs: "(", StoreJobs: "[", RunbookBase: "runbooks", DashboardBase: "ftp://x", DatasourceUID: "a b", Folder: "$HOME"},
			[]string{
				"latency objective -1ns is not positive; use for example 300ms",
				"latency target 2 is not between 0.9306 and 1: below, a page could never fire; at 1, there is no budget",
				"error target 0.5 is not between 0.9306 and 1",
				"least number of bad requests -1 is not positive; use 1 to switch the guard off",
				"least number of requests -2 is not positive; use 1 to switch the guard off",
				"job age limit -1h0m0s is not positive; use for example 10m",
				"time scale 2 is not between 0.0333 and 1: below, the shortest window would hold no two scrapes",
				`jobs "(" is no regular expression: error parsing regexp`,
				`store jobs "[" is no regular expression: error parsing regexp`,
				`runbook base "runbooks" is no http or https address`,
				`dashboard base "ftp://x" is no http or https address`,
				`data source uid "a b" is none: use 1 to 40 letters`,
				`folder "$HOME" is no title: use one without $ and slashes`,
			},
		},
		"a latency that classic buckets cannot count": {
			alerts.Options{LatencyObjective: 275 * time.Millisecond},
			[]string{"classic rules: alert options: latency objective 275ms: http_server_request_duration_seconds has no classic bucket bound 0.275"},
		},
		"a scale that leaves no window": {
			alerts.Options{TimeScale: 0.03}, []string{"time scale 0.03 is not between 0.0333 and 1"},
		},
		"a scale that leaves no window for slow scrapes": {
			alerts.Options{TimeScale: 0.1, ScrapeInterval: 30 * time.Second}, []string{"time scale 0.1 is not between 0.2000 and 1"},
		},
		"scrapes that never come": {
			alerts.Options{ScrapeInterval: -1}, []string{"scrape interval -1ns is not positive; use for example 5s"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			err := alerts.WritePrometheus(dir, c.in)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant it to say %s", err, want)
				}
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestNativeRulesTakeAnyLatency(t *testing.T) {
	t.Parallel()
	files, err := alerts.RenderPrometheus(alerts.Options{LatencyObjective: 275 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(files["slo-recording.yml"], []byte("histogram_fraction(0, 0.275, ")) {
		t.Error("the recording rules do not count at 275 ms")
	}
}

func TestWriteNamesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := alerts.WritePrometheus(file, alerts.Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "make folder for rules: ") {
		t.Errorf("got %v", err)
	}
}
