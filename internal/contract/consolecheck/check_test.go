package consolecheck_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/consolecheck"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

func declaration(t *testing.T) *consolecheck.Declaration {
	t.Helper()
	d, err := consolecheck.Parse(read(t, "compose/console/supported.json"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// generated returns every committed dashboard.
func generated(t *testing.T) map[string][]byte {
	t.Helper()
	return folder(t, "dashboards/generated")
}

// fixtures returns the dashboards that the console's own tests draw.
func fixtures(t *testing.T) map[string][]byte {
	t.Helper()
	return folder(t, "compose/console/test/fixtures")
}

// folder returns every JSON file of a folder.
func folder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no dashboard in %s: %v", dir, err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		if all[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestConsoleDrawsEverythingThatTheDashboardsUse(t *testing.T) {
	t.Parallel()
	d := declaration(t)
	for name, content := range generated(t) {
		problems, err := d.Check(content, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s; draw it in compose/console and declare it in supported.json, or do without it", name, p)
		}
	}
}

func TestConsoleDeclaresNothingThatNoDashboardAndNoTestUses(t *testing.T) {
	t.Parallel()
	d := declaration(t)
	used := consolecheck.Use{}
	for _, set := range []map[string][]byte{generated(t), fixtures(t)} {
		for name, content := range set {
			problems, err := d.Check(content, used)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
	for _, path := range d.Unused(used) {
		t.Errorf("%s is declared in supported.json and used by no dashboard and no fixture of the console", path)
	}
}

// TestEachBreachIsFound breaks a real dashboard in one place at a time.
func TestEachBreachIsFound(t *testing.T) {
	t.Parallel()
	d := declaration(t)
	for name, c := range map[string]struct{ old, new, want string }{
		"a panel type":             {`"type": "heatmap",`, `"type": "piechart",`, `is of the type "piechart", which the console does not draw`},
		"an option":                {`"graphMode": "none"`, `"sparkles": true`, "panels.stat.options.sparkles is not known"},
		"an option within another": {`"yHistogram": true`, `"xHistogram": true`, "panels.heatmap.options.tooltip.xHistogram is not known"},
		"a value of an option":     {`"colorMode": "value"`, `"colorMode": "rainbow"`, "panels.stat.options.colorMode is rainbow, the console knows"},
		"an option of fields":      {`"spanNulls": false`, `"hovering": 1`, "panels.timeseries.custom.hovering is not known"},
		"an override":              {`"custom.cellOptions"`, `"custom.sparkline"`, "panels.table.custom.sparkline is not known"},
		"what overrides choose by": {`"byRegexp"`, `"byValue"`, `overrides choose fields by "byValue"`},
		"a transformation":         {`"id": "merge"`, `"id": "heatmap"`, `transformations of the type "heatmap" are not known`},
		"an option of a query":     {`"legendFormat": "P99"`, `"utcOffsetSec": 3600`, "targets.prometheus.utcOffsetSec is not known"},
		"a data source":            {`"type": "loki",`, `"type": "elasticsearch",`, `targets of the type "elasticsearch" are not known`},
		"a type of variables":      {`"type": "datasource"`, `"type": "adhoc"`, `variables of the type "adhoc" are not known`},
		"a setting":                {`"fiscalYearStartMonth": 0`, `"fiscalYearStartMonth": 3`, "dashboard.fiscalYearStartMonth is 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := string(read(t, "dashboards/generated/plumbline-service-overview.json"))
			if !strings.Contains(text, c.old) {
				t.Fatalf("the dashboard no longer contains %s: the test must break something else", c.old)
			}
			broken := strings.ReplaceAll(text, c.old, c.new)
			if !json.Valid([]byte(broken)) {
				t.Fatal("the test itself breaks the JSON")
			}
			problems, err := d.Check([]byte(broken), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("found %q, want one that says %q", problems, c.want)
			}
		})
	}
}

func TestDeclaredAndUnusedIsFound(t *testing.T) {
	t.Parallel()
	d, err := consolecheck.Parse([]byte(`{"dashboard": {"title": true, "panels": true}, "panel": {"type": true, "options": true}, "panels":
		{"stat": {"options": {"a": true, "b": {"c": ["x"]}}, "custom": {}}, "table": {"options": {}, "custom": {"w": true}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	used := consolecheck.Use{}
	if problems, err := d.Check([]byte(`{"title": "x", "panels": [{"type": "stat", "options": {"a": 1}}]}`), used); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if got, want := strings.Join(d.Unused(used), " "), "panels.stat.options.b.c panels.table.custom.w panels.table.options"; got != want {
		t.Errorf("unused %q, want %q", got, want)
	}
}
