package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/grafana/grafanatest"
	"github.com/cacheu/plumbline/internal/importer"
)

// edits are what people do to a rule, by what shows it in the differences.
func edits() map[string]func(grafana.Object) {
	return map[string]func(grafana.Object){
		"isPaused": func(r grafana.Object) { r["isPaused"] = true },
		"title":    func(r grafana.Object) { r["title"] = "Slow" },
		"for":      func(r grafana.Object) { r["for"] = "1h" },
		"data[A].model.expr": func(r grafana.Object) {
			r.List("data")[0].Object("model")["expr"] = "vector(1)"
		},
		"labels.team":                    func(r grafana.Object) { r.Object("labels")["team"] = "checkout" },
		"annotations.summary":            func(r grafana.Object) { r.Object("annotations")["summary"] = "Slow" },
		"notification_settings.receiver": func(r grafana.Object) { r["notification_settings"] = map[string]any{"receiver": "pager"} },
		"ruleGroup":                      func(r grafana.Object) { r["ruleGroup"] = "mine" },
	}
}

func TestARuleThatSomebodyChangedIsShownAndKept(t *testing.T) {
	t.Parallel()
	for place, edit := range edits() {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := start(t, grafanatest.Config{})
			run(t, config(t, s))
			s.EditRule(latencyPage, edit)
			if place == "ruleGroup" {
				s.SetInterval(importer.DefaultFolder, "mine", 30)
			}
			edited := rule(t, s, latencyPage)

			p := run(t, config(t, s, strict))
			c := change(t, p, latencyPage)
			if c.Action != importer.Keep || !strings.Contains(strings.Join(c.Diff, "\n"), place+":") || !strings.Contains(c.Reason, "--force") {
				t.Errorf("the plan says %+v, want that it is kept, with %s", c, place)
			}
			if now := rule(t, s, latencyPage); now.Object("annotations")["summary"] != edited.Object("annotations")["summary"] ||
				now.Text("title") != edited.Text("title") || now.Text("ruleGroup") != edited.Text("ruleGroup") || now["isPaused"] != edited["isPaused"] {
				t.Errorf("the rule is %v, want it as it was edited, %v", now, edited)
			}
			if p := plan(t, config(t, s, strict)); !p.Empty() || p.Count(importer.Keep) != 1 {
				t.Errorf("a second run does %+v", p.Changes)
			}

			run(t, config(t, s, strict, force))
			if p := plan(t, config(t, s, strict)); !p.Empty() || p.Count(importer.Keep) != 0 {
				t.Errorf("after --force the plan is %+v, want nothing", p.Changes)
			}
			if now := rule(t, s, latencyPage); now.Text("ruleGroup") != latencyGroup {
				t.Errorf("after --force the rule is in the group %q", now.Text("ruleGroup"))
			}
		})
	}
}

func TestAnIntervalThatSomebodyChangedStays(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	s.SetInterval(importer.DefaultFolder, latencyGroup, 120)
	p := run(t, config(t, s, strict))
	if c := change(t, p, latencyPage); c.Action != importer.Keep || !slices.Contains(c.Diff, "- interval: 120") {
		t.Errorf("the rule is %+v, want it kept with its interval of 120 s", c)
	}
	if got := s.Interval(importer.DefaultFolder, latencyGroup); got != 120 {
		t.Errorf("the interval is %d s, want 120", got)
	}
}

func TestRulesOfOthersInOurGroupStay(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	theirs := rule(t, s, latencyPage)
	theirs["uid"], theirs["title"] = "theirs", "Theirs"
	delete(theirs.Object("annotations"), "__plumbline_checksum__")
	s.AddRule(theirs, 30)
	if p := plan(t, config(t, s)); !p.Empty() {
		t.Errorf("a rule of others is reason for %+v", p.Changes)
	}
	run(t, config(t, s, strict))
	if got := inGroup(s, latencyGroup); !slices.Contains(got, "theirs") {
		t.Errorf("the group has %q, and no longer the rule of others", got)
	}
}

func TestADashboardThatSomebodyChangedIsShownAndKept(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	s.EditDashboard(overview, func(m grafana.Object) { m["title"] = "Ours" })
	p := run(t, config(t, s, strict))
	if c := change(t, p, overview); c.Action != importer.Keep || !slices.Contains(c.Diff, `- title: "Ours"`) {
		t.Errorf("the plan says %+v, want it kept with its title", c)
	}
	if got := s.Dashboards()[overview].Text("title"); got != "Ours" {
		t.Errorf("the title is %q, want Ours", got)
	}
	run(t, config(t, s, strict, force))
	if got := s.Dashboards()[overview].Text("title"); got == "Ours" {
		t.Error("--force does not overwrite it")
	}
	if p := plan(t, config(t, s, strict)); !p.Empty() {
		t.Errorf("then there is still to do: %+v", p.Changes)
	}
}

func TestADashboardThatIsSavedMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	p := plan(t, config(t, s, strict))
	s.EditDashboard(overview, func(m grafana.Object) { m["title"] = "Ours" })
	if err := p.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "changed by someone else") {
		t.Errorf("it says %v, want that somebody changed it", err)
	}
	if got := s.Dashboards()[overview].Text("title"); got != "Ours" {
		t.Errorf("the title is %q, want Ours", got)
	}
}

func TestWhatComesFromFilesIsLeftToThem(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	s.ProvisionDashboard(overview)
	s.ProvisionRule(latencyPage)
	p := run(t, config(t, s, strict, force))
	for _, uid := range []string{overview, latencyPage} {
		if c := change(t, p, uid); c.Action != importer.Keep || !strings.Contains(c.Reason, "provisioning") {
			t.Errorf("%s is %+v, want it left to its file", uid, c)
		}
	}
}

func TestUninstallLeavesNothingButWhatIsOthers(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	run(t, config(t, s))
	run(t, config(t, s, remove))
	if len(s.Dashboards())+len(s.Rules())+len(s.Folders()) != 0 {
		t.Errorf("%d dashboards, %d rules and %d folders are left", len(s.Dashboards()), len(s.Rules()), len(s.Folders()))
	}
	if p := plan(t, config(t, s, remove)); !p.Empty() {
		t.Errorf("then there is still to do: %+v", p.Changes)
	}

	run(t, config(t, s))
	s.EditRule(latencyPage, func(r grafana.Object) { r["isPaused"] = true })
	s.EditDashboard(overview, func(m grafana.Object) { m["title"] = "Ours" })
	p := run(t, config(t, s, remove))
	if len(s.Dashboards()) != 1 || len(s.Rules()) != 1 || len(s.Folders()) != 1 {
		t.Errorf("%d dashboards, %d rules and %d folders are left, want what was edited and its folder",
			len(s.Dashboards()), len(s.Rules()), len(s.Folders()))
	}
	if c := change(t, p, importer.DefaultFolder); c.Action != importer.Keep {
		t.Errorf("the folder is %+v, want it kept", c)
	}
	run(t, config(t, s, remove, force))
	if len(s.Dashboards())+len(s.Rules())+len(s.Folders()) != 0 {
		t.Error("--force leaves something")
	}
}

func TestUninstallKeepsAFolderThatWasThere(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{})
	s.AddFolder(grafana.Folder{UID: "x1", Title: "Platform"})
	platform := func(c *importer.Config) { c.Folder = "Platform" }
	run(t, config(t, s, platform))
	run(t, config(t, s, platform, remove))
	if len(s.Folders()) != 1 || len(s.Rules()) != 0 {
		t.Errorf("%d folders and %d rules are left, want 1 and 0", len(s.Folders()), len(s.Rules()))
	}
}
