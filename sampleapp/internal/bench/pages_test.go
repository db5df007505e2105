package bench_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Where the committed pages and results are, from this package.
const (
	pagesDir   = "../../../docs/lab"
	resultsDir = "../../../bench/results"
)

func TestEveryScenarioHasAPageWithTheFiguresOfItsResult(t *testing.T) {
	t.Parallel()
	overview, err := os.ReadFile(filepath.Join(pagesDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	published := 0
	for _, spec := range scenario.All() {
		page, err := os.ReadFile(filepath.Join(pagesDir, spec.Name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(page), "make bench SCENARIO="+spec.Name) || !strings.Contains(string(overview), "]("+spec.Name+".md)") {
			t.Errorf("%s: the page does not say how to run it, or the overview does not link it", spec.Name)
		}
		result, err := bench.Read(filepath.Join(resultsDir, spec.Name+".json"))
		if errors.Is(err, os.ErrNotExist) {
			// A page may come before its result, but not with figures of its own.
			if _, figures, _ := strings.Cut(string(page), "writes them -->\n"); !strings.HasPrefix(figures, "<!-- end of figures -->") {
				t.Errorf("%s has figures and no result: make bench SCENARIO=%s ARGS=\"--publish bench/results\"", spec.Name, spec.Name)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		published++
		if fresh, err := bench.UpdatePage(string(page), result); err != nil || fresh != string(page) {
			t.Errorf("the figures of %s are not those of its result: run make bench-pages (%v)", spec.Name, err)
		}
		if result.Partial != "" || len(result.Problems) > 0 {
			t.Errorf("the result of %s cannot be trusted: %s %q", spec.Name, result.Partial, result.Problems)
		}
		if len(result.Symptoms) != len(spec.Symptoms) {
			t.Errorf("the result of %s has %d symptoms, the scenario %d: measure it again", spec.Name, len(result.Symptoms), len(spec.Symptoms))
		}
		for _, s := range result.Symptoms {
			if !s.Shown {
				t.Errorf("the result of %s does not show what it promises: %s is %v, want %v", spec.Name, s.Means, s.Values, s.Bands)
			}
		}
	}
	t.Logf("%d of %d scenarios have a published result", published, len(scenario.All()))
}

func TestPageWithoutMarksIsRefused(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", "<!-- figures of bench/results: `make bench-pages` writes them -->"} {
		if _, err := bench.UpdatePage(page, made(1, 1, 1)); err == nil || !strings.Contains(err.Error(), "lacks the lines") {
			t.Errorf("%q is updated: %v", page, err)
		}
	}
}
