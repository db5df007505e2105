package importer_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/dashboards"
	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/grafana/grafanatest"
	"github.com/cacheu/plumbline/internal/importer"
)

// Things of the rules that the tests change.
const (
	latencyPage  = "plumbline-latencybudgetburnfast-p"
	latencyGroup = "plumbline-slo-latency"
	overview     = "plumbline-service-overview"
)

// alertCount is how many alerts there are.
func alertCount(t *testing.T) int {
	t.Helper()
	groups, err := alerts.All(alerts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				n++
			}
		}
	}
	return n
}

func dashboardCount(t *testing.T) int {
	t.Helper()
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestEverythingArrivesAndASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"11.0.0", "11.6.1", "12.3.3", "13.0.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := start(t, grafanatest.Config{Version: version})
			first := run(t, config(t, s))
			if got, want := first.Count(importer.Create), 1+dashboardCount(t)+alertCount(t); got != want {
				t.Errorf("the first run creates %d things, want %d", got, want)
			}
			if len(s.Dashboards()) != dashboardCount(t) || len(s.Rules()) != alertCount(t) {
				t.Errorf("there are %d dashboards and %d rules, want %d and %d", len(s.Dashboards()), len(s.Rules()), dashboardCount(t), alertCount(t))
			}
			writes := len(s.Writes())
			second := run(t, config(t, s))
			if !second.Empty() || len(s.Writes()) != writes {
				t.Errorf("the second run does %+v and writes %q", second.Changes, s.Writes()[writes:])
			}
		})
	}
}

func TestDashboardsAskTheChosenDataSourcesAndRulesToo(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	for uid, model := range s.Dashboards() {
		for _, v := range model.Object("templating").List("list") {
			if v.Text("type") == "datasource" && v.Text("query") == "prometheus" && v.Object("current").Text("value") != "prom-uid" {
				t.Errorf("%s asks %v, want prom-uid", uid, v["current"])
			}
		}
	}
	for _, r := range s.Rules() {
		if got := r.List("data")[0].Text("datasourceUid"); got != "prom-uid" {
			t.Errorf("%s asks %q, want prom-uid", r.Text("title"), got)
		}
		if text := fmt.Sprint(r["annotations"]); strings.Contains(text, "$labels") || strings.Contains(text, "$value") || !strings.Contains(text, "https://grafana.test/d/") {
			t.Errorf("%s has annotations that Grafana does not understand, or that link elsewhere: %s", r.Text("title"), text)
		}
		if r.Text("provenance") != "" {
			t.Errorf("%s is locked by provenance %q", r.Text("title"), r.Text("provenance"))
		}
	}
}

func TestOlderGrafanaIsToldWhatItLacks(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"10.4.1": "not among the versions",
		"11.6.0": "an alert ends two evaluations after its series is gone",
		"14.0.0": "not among the versions",
	} {
		s := start(t, grafanatest.Config{Version: version})
		if notes := strings.Join(connect(t, config(t, s)).Target().Notes, "\n"); !strings.Contains(notes, want) {
			t.Errorf("with Grafana %s the notes are %q, want %q", version, notes, want)
		}
	}
	s := start(t, grafanatest.Config{Version: "12.0.0", HideVersion: true})
	if target := connect(t, config(t, s)).Target(); len(target.Notes) != 0 || target.Version.Text != "12.0.0" {
		t.Errorf("Grafana 12 that hides its version is %+v", target)
	}
}

func TestFlavourIsWhatTheTargetHas(t *testing.T) {
	t.Parallel()
	histogram := catalog.HTTPServerRequestDuration.Desc().Name
	for name, c := range map[string]struct {
		has          []string
		flavor, note string
	}{
		"native histograms":  {[]string{histogram}, "native", ""},
		"both forms":         {[]string{histogram, histogram + "_bucket"}, "native", ""},
		"classic histograms": {[]string{histogram + "_bucket", histogram + "_count"}, "classic", ""},
		"none yet":           {nil, "classic", "neither native nor classic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, grafanatest.Config{Prometheus: prometheus(c.has...)})
			target := connect(t, config(t, s, func(c *importer.Config) { c.Flavor = "" })).Target()
			if target.Flavor != c.flavor || !strings.Contains(strings.Join(target.Notes, "\n"), c.note) || (c.note == "") != (len(target.Notes) == 0) {
				t.Errorf("the target is %+v, want %s and a note with %q", target, c.flavor, c.note)
			}
		})
	}
}

func TestRulesKeepTheirIdentityInAnotherOrder(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	before, ids := inGroup(s, latencyGroup), map[string]any{}
	for _, r := range s.Rules() {
		ids[r.Text("uid")] = r["id"]
	}
	if len(before) < 2 {
		t.Fatalf("the group has the rules %q, want some to reorder", before)
	}
	// As if an earlier version had them the other way round.
	reversed := slices.Clone(before)
	slices.Reverse(reversed)
	client := config(t, s).Client
	g, err := client.Group(t.Context(), importer.DefaultFolder, latencyGroup)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(g.Rules)
	if err := client.ReplaceGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if got := inGroup(s, latencyGroup); !slices.Equal(got, reversed) {
		t.Fatalf("the order is %q, want %q", got, reversed)
	}
	p := run(t, config(t, s))
	if got := inGroup(s, latencyGroup); !slices.Equal(got, before) {
		t.Errorf("the order is %q, want %q", got, before)
	}
	if c := change(t, p, latencyGroup); c.Action != importer.Update || len(s.Rules()) != len(ids) {
		t.Errorf("the plan says %+v, and %d rules are there, want %d", c, len(s.Rules()), len(ids))
	}
	for _, r := range s.Rules() {
		if r["id"] != ids[r.Text("uid")] {
			t.Errorf("%s is another rule now", r.Text("uid"))
		}
	}
}

func TestANewVersionUpdatesWhatNobodyChanged(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	p := run(t, config(t, s, strict))
	c := change(t, p, latencyPage)
	if c.Action != importer.Update || !strings.Contains(strings.Join(c.Diff, "\n"), "data[A].model.expr") {
		t.Errorf("the rule is %+v, want an update of its expression", c)
	}
	if c := change(t, p, overview); c.Action != importer.Update || len(c.Diff) == 0 {
		t.Errorf("the dashboard is %+v, want an update", c)
	}
	if p.Count(importer.Keep)+p.Count(importer.Delete)+p.Count(importer.Create) != 0 {
		t.Errorf("the plan does more than updates: %+v", p.Changes)
	}
	if p := plan(t, config(t, s, strict)); !p.Empty() {
		t.Errorf("then there is still to do: %+v", p.Changes)
	}
}

func TestASecondRunCompletesWhatTheNetworkCutShort(t *testing.T) {
	t.Parallel()
	whole := start(t, grafanatest.Config{})
	run(t, config(t, whole))
	steps := len(whole.Writes())
	for n := range steps {
		for name, cut := range map[string]func(*grafanatest.Server, int){
			"before": (*grafanatest.Server).CutBefore, "after": (*grafanatest.Server).CutAfter,
		} {
			if n == 0 && name == "after" {
				continue
			}
			t.Run(fmt.Sprintf("%s step %d", name, n), func(t *testing.T) {
				t.Parallel()
				s := start(t, grafanatest.Config{})
				p := plan(t, config(t, s))
				cut(s, n)
				if err := p.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "run it again for the rest") {
					t.Fatalf("the import says %v, want that it is not complete", err)
				}
				s.Mend()
				run(t, config(t, s))
				if !maps.EqualFunc(s.Dashboards(), whole.Dashboards(), func(a, b grafana.Object) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
					t.Error("the dashboards are not those of one run")
				}
				if len(s.Rules()) != len(whole.Rules()) || len(s.Folders()) != 1 {
					t.Errorf("there are %d rules and %d folders, want %d and 1", len(s.Rules()), len(s.Folders()), len(whole.Rules()))
				}
				if p := plan(t, config(t, s)); !p.Empty() {
					t.Errorf("there is still to do: %+v", p.Changes)
				}
			})
		}
	}
}

func TestAFolderThatIsThereIsUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		there  []grafana.Folder
		folder string
		uid    string
	}{
		"by its title":           {[]grafana.Folder{{UID: "x1", Title: "Platform"}}, "Platform", "x1"},
		"by its uid":             {[]grafana.Folder{{UID: "x1", Title: "Platform"}, {UID: "x2", Title: "Platform"}}, "x2", "x2"},
		"none, so it is made":    {[]grafana.Folder{{UID: "x1", Title: "Platform"}}, "Our Services", "our-services"},
		"made by an import once": {[]grafana.Folder{{UID: "plumbline", Title: "Renamed"}}, "plumbline", "plumbline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, grafanatest.Config{})
			for _, f := range c.there {
				s.AddFolder(f)
			}
			p := run(t, config(t, s, func(cfg *importer.Config) { cfg.Folder = c.folder }))
			if p.Changes[0].UID != c.uid || s.Rules()[0].Text("folderUID") != c.uid {
				t.Errorf("the folder is %+v, want %s", p.Changes[0], c.uid)
			}
		})
	}
	s := start(t, grafanatest.Config{})
	s.AddFolder(grafana.Folder{UID: "x1", Title: "Platform"})
	s.AddFolder(grafana.Folder{UID: "x2", Title: "Platform"})
	_, err := connect(t, config(t, s, func(c *importer.Config) { c.Folder = "Platform" })).Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "x1, x2") {
		t.Errorf("of two folders of one name it says %v, want both uids", err)
	}
}
