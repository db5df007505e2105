package bench_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/internal/stats"
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
		checkImprovement(t, spec, result)
	}
	t.Logf("%d of %d scenarios have a published result", published, len(scenario.All()))
}

// checkImprovement compares the latencies of a published result with what the
// scenario says that the right way is good for.
func checkImprovement(t *testing.T, spec scenario.Spec, result *bench.Result) {
	t.Helper()
	none := scenario.Band{}
	for _, c := range result.Comparisons {
		for what, x := range map[string]struct {
			ratio stats.Interval
			band  scenario.Band
		}{"mean": {c.MeanRatio, spec.Improvement.MeanRatio}, "P99": {c.P99Ratio, spec.Improvement.P99Ratio}} {
			if x.band != none && !x.band.Holds(x.ratio.Value) {
				t.Errorf("%s: the %s of %s over that of %s is %.3g, want %s", spec.Name, what, c.Of, c.Against, x.ratio.Value, x.band)
			}
		}
	}
}

// TestPublishedResultsReproduceTheExamples holds the results that are published
// against the figures of the lessons that they are made after.
func TestPublishedResultsReproduceTheExamples(t *testing.T) {
	t.Parallel()
	type figure struct {
		means string
		of    func(before, after *bench.Variant) float64
		band  scenario.Band
	}
	for name, figures := range map[string][]figure{
		"average-is-a-liar": {
			{"the mean of 990 requests of 50 ms and 10 of 5 s, in seconds", func(v, _ *bench.Variant) float64 { return v.Corrected.Mean.Value }, scenario.Band{Min: 0.095, Max: 0.115}},
			{"their P50", func(v, _ *bench.Variant) float64 { return v.Corrected.P50.Value }, scenario.Band{Min: 0.05, Max: 0.06}},
			{"their P99", func(v, _ *bench.Variant) float64 { return v.Corrected.P99.Value }, scenario.Band{Min: 5, Max: 5.2}},
		},
		"n-plus-one": {
			{"queries per request in a loop", func(v, _ *bench.Variant) float64 { return v.Server.QueriesPerRequest }, scenario.Exactly(21)},
			{"queries per request by a join", func(_, v *bench.Variant) float64 { return v.Server.QueriesPerRequest }, scenario.Exactly(1)},
		},
		"sync-logging": {
			{"seconds in the component log", func(v, _ *bench.Variant) float64 { return v.Server.Components[string(catalog.Log)] }, scenario.Band{Min: 0.5, Max: 0.51}},
			{"seconds in all", func(v, _ *bench.Variant) float64 { return v.Server.Mean }, scenario.Band{Min: 0.515, Max: 0.53}},
		},
		"cpu-profile": {
			{"processor time without 40 of 100 units of work", func(v, w *bench.Variant) float64 { return w.Server.CPUPerRequest / v.Server.CPUPerRequest }, scenario.Band{Min: 0.55, Max: 0.7}},
		},
	} {
		result, err := bench.Read(filepath.Join(resultsDir, name+".json"))
		if errors.Is(err, os.ErrNotExist) {
			t.Logf("%s has no published result", name)
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		before, after := result.Variant(scenario.Before), result.Variant(scenario.After)
		if before == nil || after == nil || before.Server == nil || after.Server == nil {
			t.Errorf("the result of %s lacks a variant, or what it says about itself", name)
			continue
		}
		for _, f := range figures {
			if got := f.of(before, after); !f.band.Holds(got) {
				t.Errorf("%s: %s is %.4g, want %s", name, f.means, got, f.band)
			}
		}
	}
}

func TestPageWithoutMarksIsRefused(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", "<!-- figures of bench/results: `make bench-pages` writes them -->"} {
		if _, err := bench.UpdatePage(page, made(1, 1, 1)); err == nil || !strings.Contains(err.Error(), "lacks the lines") {
			t.Errorf("%q is updated: %v", page, err)
		}
	}
}
