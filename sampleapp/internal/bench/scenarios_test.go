package bench_test

import (
	"testing"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// TestSymptomsShowBeforeAndAreGoneAfter runs the short form of every scenario
// on real servers and in real processes. Only what is counted is asserted.
func TestSymptomsShowBeforeAndAreGoneAfter(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL and takes minutes")
	}
	for _, spec := range scenario.All() {
		t.Run(spec.Name, func(t *testing.T) { // one after the other: they are load
			load := spec.Quick
			load.Rounds = 1
			if spec.Event == "" && len(load.Steps) == 0 {
				load.Length = min(load.Length, 2*time.Second)
			}
			targets, err := bench.StartVariants(t.Context(), spec, load, servers)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				for _, target := range targets {
					if err := target.Close(); err != nil {
						t.Error(err)
					}
				}
			}()
			result, err := bench.Run(t.Context(), bench.Config{Spec: spec, Load: load, Targets: targets})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range result.Symptoms {
				t.Logf("%s: %v", s.Means, s.Values)
				if !s.Shown {
					t.Errorf("%s: %v, want %v", s.Means, s.Values, s.Bands)
				}
			}
			for _, v := range result.Variants {
				if spec.Event == "" && len(load.Steps) == 0 && v.ErrorRate > 0 {
					t.Errorf("%s has errors: %v, the last %s", v.Name, v.Counts, v.LastError)
				}
				if v.Server == nil || v.Server.CPUPerRequest <= 0 {
					t.Errorf("%s tells nothing about its processor time: %+v", v.Name, v.Server)
				}
			}
			if len(load.Steps) > 0 {
				checkSteps(t, result)
			}
		})
	}
}

// checkSteps compares the ends of a stepped load: before, latency rises and
// answers come too late to be of use; after, those who are served are served in
// time.
func checkSteps(t *testing.T, result *bench.Result) {
	t.Helper()
	t.Log(result.Markdown())
	before, after := result.Variant(scenario.Before).Steps, result.Variant(scenario.After).Steps
	first, last := 0, len(before)-1
	if before[last].P99 <= before[first].P99 || before[last].ErrorRate > 0 {
		t.Errorf("before, the last step is %+v, the first %+v: want all to be served, later and later", before[last], before[first])
	}
	if after[last].P99 >= before[last].P99 || after[last].InTime <= before[last].InTime {
		t.Errorf("past the capacity it is %+v after and %+v before: want more in time, and a lower P99", after[last], before[last])
	}
	if after[last].ErrorRate <= after[first].ErrorRate {
		t.Errorf("past the capacity %.3f are turned away, far below %.3f", after[last].ErrorRate, after[first].ErrorRate)
	}
}

func TestVariantThatDoesNotStartSaysWhy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	spec := scenario.Spec{Name: "nothing", Variants: []scenario.Variant{{Name: scenario.Before}}}
	_, err := bench.StartVariants(t.Context(), spec, scenario.Load{}, servers)
	const want = "start the variant before: bench-nothing-before does not start: nothing programs the scenario \"nothing\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
