package bench

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cacheu/plumbline/sampleapp/internal/stats"
)

// DefaultThreshold is by how much of the old value a latency must grow, or the
// error rate in absolute terms, to be a regression.
const DefaultThreshold = 0.05

// Difference is what one variant of a run differs by from the same variant of
// another.
type Difference struct {
	Variant string
	A, B    *Variant
	stats.Comparison
	// Regressions say what became worse: significantly, and by more than the
	// threshold. Nothing means that nothing did.
	Regressions []string
}

// Compare compares run b, the newer, with run a, variant by variant. threshold
// 0 means [DefaultThreshold]. It fails for runs that cannot be compared: without
// a variant in common, or published without single latencies.
func Compare(a, b *Result, threshold float64) ([]Difference, error) {
	if threshold <= 0 {
		threshold = DefaultThreshold
	}
	var all []Difference
	for i := range a.Variants {
		first := &a.Variants[i]
		second := b.Variant(first.Name)
		if second == nil {
			continue
		}
		if empty(first) || empty(second) {
			return nil, fmt.Errorf("variant %s: a run has no single latencies: compare the files in bench/out, not published results", first.Name)
		}
		d := Difference{Variant: first.Name, A: first, B: second, Comparison: finite(stats.Compare(first.Samples(), second.Samples()))}
		d.Regressions = regressions(d, threshold)
		all = append(all, d)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the runs have no variant in common: %s against %s", names(a), names(b))
	}
	return all, nil
}

// ErrRegression says that a comparison found one.
var ErrRegression = errors.New("a significant regression")

// Regressed returns [ErrRegression] with every regression, or nil.
func Regressed(all []Difference) error {
	var found []string
	for _, d := range all {
		for _, r := range d.Regressions {
			found = append(found, d.Variant+": "+r)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrRegression, strings.Join(found, "; "))
}

func regressions(d Difference, threshold float64) []string {
	var found []string
	note := func(what string, t stats.Test, r stats.Interval) {
		if t.Verdict == stats.Slower && r.Value > 1+threshold {
			found = append(found, fmt.Sprintf("%s is %.0f %% slower (95 %%: %.0f to %.0f %%, p = %.3g, threshold %.0f %%)",
				what, 100*(r.Value-1), 100*(r.Low-1), 100*(r.High-1), t.P, 100*threshold))
		}
	}
	note("P50", d.Location, d.P50Ratio)
	note("P99", d.Tail, d.P99Ratio)
	if grown := d.B.ErrorRate - d.A.ErrorRate; grown > threshold {
		found = append(found, fmt.Sprintf("the error rate rose from %.1f to %.1f %%", 100*d.A.ErrorRate, 100*d.B.ErrorRate))
	}
	return found
}

// empty reports whether latencies were left out of a variant that had some.
func empty(v *Variant) bool {
	for _, r := range v.Rounds {
		if len(r.Corrected) > 0 {
			return false
		}
	}
	return v.Corrected.N > 0
}

func names(r *Result) string {
	var all []string
	for _, v := range r.Variants {
		all = append(all, v.Name)
	}
	return strings.Join(all, ", ")
}
