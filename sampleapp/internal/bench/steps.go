package bench

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Step is what was measured of one variant in one step of the load, all rounds
// together. A request belongs to the step in which it was planned.
type Step struct {
	// Share is the step's share of the load's rate.
	Share float64 `json:"share"`
	// Offered are requests per second that were planned, and InTime those that
	// were answered with success within the load's limit, if it has one.
	Offered float64 `json:"offered"`
	InTime  float64 `json:"in_time"`
	// ErrorRate is the share of requests that were not answered below 400.
	ErrorRate float64 `json:"error_rate"`
	// P50 and P99 are latencies of successes from the planned time; 0 where
	// there are none.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// stepLog is one step of one round.
type stepLog struct {
	planned, inTime int
	latencies       []float64 // of successes
}

// plan returns the pacer of a load of some length.
func plan(l scenario.Load, length time.Duration, seed uint64) (loadgen.Pacer, error) {
	shares := l.Steps
	if len(shares) == 0 {
		shares = []float64{1}
	}
	var steps loadgen.Steps
	for i, share := range shares {
		p, err := loadgen.NewPacer(l.Arrivals, l.Rate*share, seed+uint64(i)<<32) // each step draws for itself
		if err != nil {
			return nil, err
		}
		steps = append(steps, loadgen.Step{Pacer: p, For: length / time.Duration(len(shares))})
	}
	return steps, nil
}

// stepsOf tells the results of a round apart by step.
func stepsOf(results []loadgen.Result, l scenario.Load) []stepLog {
	if len(l.Steps) == 0 {
		return nil
	}
	steps, each := make([]stepLog, len(l.Steps)), l.Length/time.Duration(len(l.Steps))
	for _, x := range results {
		s := &steps[min(len(steps)-1, int(x.Planned/each))]
		s.planned++
		if x.Outcome() == loadgen.OK {
			s.latencies = append(s.latencies, x.Corrected().Seconds())
			if l.InTime <= 0 || x.Corrected() <= l.InTime {
				s.inTime++
			}
		}
	}
	return steps
}

// summarizeSteps puts the rounds together.
func summarizeSteps(rounds [][]stepLog, l scenario.Load) []Step {
	if len(rounds) == 0 {
		return nil
	}
	var all []Step
	for i, share := range l.Steps {
		var sum stepLog
		for _, round := range rounds {
			sum.planned += round[i].planned
			sum.inTime += round[i].inTime
			sum.latencies = append(sum.latencies, round[i].latencies...)
		}
		seconds := l.Length.Seconds() / float64(len(l.Steps)) * float64(len(rounds))
		s := Step{
			Share: share, Offered: float64(sum.planned) / seconds, InTime: float64(sum.inTime) / seconds,
			ErrorRate: 1 - float64(len(sum.latencies))/math.Max(1, float64(sum.planned)),
		}
		if slices.Sort(sum.latencies); len(sum.latencies) > 0 {
			s.P50, s.P99 = stats.Quantile(sum.latencies, 0.5), stats.Quantile(sum.latencies, 0.99)
		}
		all = append(all, s)
	}
	return all
}

// bySteps is the table of the steps, empty for a steady load.
func (r *Result) bySteps() table {
	t := table{title: "By step of the load", rows: [][]string{r.header("share of the capacity")}}
	for i, share := range r.Load.Steps {
		for _, line := range []struct {
			name string
			of   func(Step) string
		}{
			{"P99", func(s Step) string { return duration(s.P99) }},
			{"answered in time, per second", func(s Step) string {
				return number(math.Round(10*s.InTime)/10) + " of " + number(math.Round(10*s.Offered)/10)
			}},
		} {
			t.rows = append(t.rows, r.row(fmt.Sprintf("%.0f %%: %s", 100*share, line.name), func(v Variant) string {
				if i >= len(v.Steps) {
					return ""
				}
				return line.of(v.Steps[i])
			}))
		}
	}
	return t
}

// stepsPlot draws the P99 of each step: the load to the right, the latency
// upwards on a logarithmic axis.
func (r *Result) stepsPlot() string {
	low, high := math.Inf(1), 0.0
	for _, v := range r.Variants {
		for _, s := range v.Steps {
			if s.P99 > 0 {
				low, high = math.Min(low, s.P99), math.Max(high, s.P99)
			}
		}
	}
	if high == 0 {
		return ""
	}
	scale, n := newLogScale(low, high), float64(len(r.Load.Steps))
	f := newFrame("P99 by step of the load")
	for _, tick := range scale.ticks() {
		y := f.y(scale.at(tick))
		f.line(f.x(0), y, f.x(1), y, "grid")
		f.text(f.x(0)-8, y+4, "end", "tick", duration(tick))
	}
	for i, v := range r.Variants {
		var points []string
		for k, s := range v.Steps {
			if s.P99 <= 0 {
				continue
			}
			x, y := f.x((float64(k)+0.5)/n), f.y(scale.at(s.P99))
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(&f.b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"><title>%s at %.0f %%: %s</title></circle>`,
				x, y, color(i), html.EscapeString(v.Name), 100*s.Share, duration(s.P99))
		}
		fmt.Fprintf(&f.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(points, " "), color(i))
	}
	for k, share := range r.Load.Steps {
		f.text(f.x((float64(k)+0.5)/n), f.y(0)+16, "middle", "tick", fmt.Sprintf("%.0f %%", 100*share))
	}
	f.line(f.x(0), f.y(0), f.x(1), f.y(0), "axis")
	f.text(f.x(0.5), svgHeight-8, "middle", "label", "load, in shares of the capacity")
	return f.end()
}
