package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConsoleIsPlannedWhereNobodyElseShowsTheDashboards(t *testing.T) {
	t.Parallel()
	const npm, grafana = "/usr/bin/npm", "/g/bin/grafana"
	for name, c := range map[string]struct {
		tools   tools
		console ConsoleMode
		only    []string
		failed  string
		planned bool
		note    string // about the console; empty: none
	}{
		"no Grafana, and npm":               {tools: tools{npm: npm}, planned: true},
		"no Grafana and no npm":             {tools: tools{}, note: "install Node.js"},
		"a Grafana":                         {tools: tools{npm: npm, grafana: grafana}},
		"a Grafana, and asked for":          {tools: tools{npm: npm, grafana: grafana}, console: ConsoleOn, planned: true},
		"asked for, and no npm":             {tools: tools{grafana: grafana}, console: ConsoleOn, note: "install Node.js"},
		"refused":                           {tools: tools{npm: npm}, console: ConsoleOff},
		"only other components":             {tools: tools{npm: npm}, only: []string{"loki"}},
		"only itself":                       {tools: tools{npm: npm}, only: []string{"console"}, planned: true},
		"a page that could not be built":    {tools: tools{npm: npm}, failed: "no network", note: "no network"},
		"a Grafana, and a page that failed": {tools: tools{npm: npm, grafana: grafana}, failed: "no network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPlanner(t)
			p.tools, p.config.Console, p.config.Only, p.consoleFailed = c.tools, c.console, c.only, c.failed
			specs, notes := p.specs()
			if got := slices.Contains(specNames(specs), "console"); got != c.planned {
				t.Errorf("planned: %v, want %v", got, c.planned)
			}
			at := slices.IndexFunc(notes, func(n string) bool { return strings.HasPrefix(n, "the console is absent") })
			if (at >= 0) != (c.note != "") || at >= 0 && !strings.Contains(notes[at], c.note) {
				t.Errorf("notes %q, want one that says %q", notes, c.note)
			}
		})
	}
}

func TestConsoleModeIsReadFromOneVariable(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]ConsoleMode{"": ConsoleAuto, "1": ConsoleOn, "on": ConsoleOn, "0": ConsoleOff, "FALSE": ConsoleOff} {
		if got, err := consoleMode(value); err != nil || got != want {
			t.Errorf("CONSOLE=%s is %q, %v, want %q", value, got, err, want)
		}
	}
	if _, err := consoleMode("perhaps"); err == nil || !strings.Contains(err.Error(), `CONSOLE is "perhaps"`) {
		t.Errorf("got %v", err)
	}
}

func TestStatusNamesTheConsoleFirstWhereGrafanaIsAbsent(t *testing.T) {
	t.Parallel()
	console := ComponentStatus{Name: "console", Condition: ConditionUp, Address: "http://127.0.0.1:3001"}
	grafana := ComponentStatus{Name: "grafana", Condition: ConditionUp, Address: "http://127.0.0.1:3000"}
	loki := ComponentStatus{Name: "loki", Condition: ConditionUp}
	for name, c := range map[string]struct {
		components []ComponentStatus
		want       string
	}{
		"a console and no Grafana": {[]ComponentStatus{loki, console}, "dashboards, traces, logs and flame graphs: http://127.0.0.1:3001"},
		"both":                     {[]ComponentStatus{grafana, console}, "COMPONENT"},
		"neither":                  {[]ComponentStatus{loki}, "COMPONENT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := (Status{Running: true, Components: c.components}).Table(&out); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(out.String(), c.want) {
				t.Errorf("it begins with %q, want %q", out.String(), c.want)
			}
		})
	}
}

// pageTree makes a checkout with a few sources of a page.
func pageTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"package.json": "{}", "package-lock.json": "{\"lock\": 1}", "src/main.tsx": "main", "test/unit/a.test.ts": "test",
		"node_modules/x/index.js": "module", "dist/index.html": "built",
	} {
		write(t, filepath.Join(root, pageSources, name), content)
	}
	return root
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPageIsBuiltAnewForEachChangeOfItsSources(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file       string
		page, work bool // which folder is another one then
	}{
		"a source":            {"src/main.tsx", true, false},
		"a new source":        {"src/new.tsx", true, false},
		"the lock file":       {"package-lock.json", true, true},
		"a test":              {"test/unit/a.test.ts", false, false},
		"an installed module": {"node_modules/x/index.js", false, false},
		"an earlier build":    {"dist/index.html", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{Root: pageTree(t), Cache: "/cache"}
			before, err := pageBuild(config)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(config.Root, pageSources, c.file), "changed")
			after, err := pageBuild(config)
			if err != nil {
				t.Fatal(err)
			}
			if (before.Page != after.Page) != c.page || (before.Work != after.Work) != c.work {
				t.Errorf("%+v became %+v", before, after)
			}
		})
	}
}

func TestSourcesAreReplacedAndModulesStay(t *testing.T) {
	t.Parallel()
	root, work := pageTree(t), t.TempDir()
	write(t, filepath.Join(work, "node_modules", "kept.js"), "module")
	write(t, filepath.Join(work, "src", "gone.tsx"), "old")
	if err := copySources(root, work); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"src/main.tsx": true, "test/unit/a.test.ts": true, "node_modules/kept.js": true, "src/gone.tsx": false,
		"node_modules/x/index.js": false, "dist/index.html": false,
	} {
		if got := isFile(filepath.Join(work, name)); got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
}
