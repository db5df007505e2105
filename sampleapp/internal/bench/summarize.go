package bench

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// add counts the results of one round.
func (v *variantLog) add(results []loadgen.Result, h loadgen.Health, load scenario.Load) {
	v.steps = append(v.steps, stepsOf(results, load))
	var corrected, raw, failures []float64
	var round Round
	for _, x := range results {
		outcome := x.Outcome()
		v.counts[outcome]++
		switch outcome {
		case loadgen.OK:
			// At least a microsecond: a ratio needs something to divide by.
			us := max(1, x.Corrected().Microseconds())
			round.Corrected = append(round.Corrected, us)
			corrected = append(corrected, float64(us)/1e6)
			raw = append(raw, max(1e-6, x.Raw().Seconds()))
		case loadgen.Skipped:
		default:
			failures = append(failures, max(1e-6, x.Corrected().Seconds()))
			v.lastError = lastError(x)
		}
	}
	slices.Sort(corrected)
	if len(corrected) > 0 {
		round.P99 = stats.Quantile(corrected, 0.99)
	}
	v.corrected, v.raw, v.failures = append(v.corrected, corrected), append(v.raw, raw), append(v.failures, failures)
	v.rounds = append(v.rounds, round)
	for _, problem := range h.Problems() {
		v.problems = append(v.problems, fmt.Sprintf("round %d: %s", len(v.rounds), problem))
	}
	if v.health.Offered == 0 || h.Achieved/h.Offered < v.health.Achieved/v.health.Offered {
		v.health.Offered, v.health.Achieved = h.Offered, h.Achieved
	}
	v.health.SendErrorP99 = max(v.health.SendErrorP99, h.SendErrorP99)
}

func lastError(x loadgen.Result) string {
	if x.Err != nil {
		return x.Err.Error()
	}
	return fmt.Sprintf("status %d", x.Status)
}

func errorRate(results []loadgen.Result) float64 {
	failed := 0
	for _, x := range results {
		if x.Outcome() != loadgen.OK {
			failed++
		}
	}
	return float64(failed) / math.Max(1, float64(len(results)))
}

// result puts together what all rounds found.
func (r *runner) result(started time.Time) *Result {
	result := &Result{
		Format: format, RunID: r.RunID, Scenario: r.Spec.Name, Title: r.Spec.Title, Command: r.Command,
		Started: started.UTC().Truncate(time.Second), Seconds: math.Round(time.Since(started).Seconds()), Machine: machine(),
		Load: Load{Route: r.Spec.Route, Arrivals: r.Load.Arrivals, Rate: r.Load.Rate, Seconds: r.Load.Length.Seconds(), Rounds: r.Load.Rounds, Quick: r.Quick, Steps: r.Load.Steps},
	}
	for _, t := range r.Targets {
		v := r.logs[t.Name]
		result.Variants = append(result.Variants, v.variant(t, r.Load))
		for _, problem := range v.problems {
			result.Problems = append(result.Problems, t.Name+", "+problem)
		}
	}
	first := r.Targets[0].Name
	for _, t := range r.Targets[1:] {
		c := stats.Compare(r.logs[first].corrected, r.logs[t.Name].corrected)
		result.Comparisons = append(result.Comparisons, Comparison{Of: t.Name, Against: first, Comparison: finite(c)})
	}
	for i, s := range r.Spec.Symptoms {
		result.Symptoms = append(result.Symptoms, r.symptom(i, s))
	}
	return result
}

func (v *variantLog) variant(t Target, load scenario.Load) Variant {
	total, failed := 0, 0
	for outcome, n := range v.counts {
		total += n
		if outcome != loadgen.OK {
			failed += n
		}
	}
	return Variant{
		Name: t.Name, Does: t.Does, Counts: v.counts, ErrorRate: float64(failed) / math.Max(1, float64(total)), LastError: v.lastError,
		Corrected: stats.Summarize(v.corrected), Raw: stats.Summarize(v.raw), Failures: stats.Summarize(v.failures),
		Offered: v.health.Offered, Achieved: v.health.Achieved, SendErrorP99: v.health.SendErrorP99.Seconds(),
		Server: v.tally.server(), Facts: v.tally.facts, Rounds: v.rounds, Steps: summarizeSteps(v.steps, load),
	}
}

func (r *runner) symptom(i int, s scenario.Symptom) Symptom {
	out := Symptom{Means: s.Means, Values: map[string]float64{}, Bands: map[string]string{}, Shown: true}
	for _, t := range r.Targets {
		value, band := r.logs[t.Name].tally.value(i, s), s.Band(t.Name)
		out.Values[t.Name], out.Bands[t.Name] = value, band.String()
		out.Shown = out.Shown && band.Holds(value)
	}
	return out
}

// finite replaces what JSON has no number for: no data is no superiority of
// either side.
func finite(c stats.Comparison) stats.Comparison {
	if math.IsNaN(c.Superiority) {
		c.Superiority = 0.5
	}
	return c
}

// duration renders seconds for people, with three significant digits.
func duration(s float64) string {
	switch {
	case math.IsNaN(s):
		return "none"
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	default:
		return fmt.Sprintf("%.3g s", s)
	}
}
