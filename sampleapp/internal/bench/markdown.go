package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

// table is a table of a report: text cells by row, the first row its header.
type table struct {
	title string
	rows  [][]string
}

// tables returns what every form of the report shows. Errors come first: a
// latency means nothing without them.
func (r *Result) tables() []table {
	all := []table{r.outcomes(), r.latencies()}
	if len(r.Comparisons) > 0 {
		all = append(all, r.verdicts())
	}
	all = append(all, r.bySteps())
	if len(r.Symptoms) > 0 {
		all = append(all, r.symptoms())
	}
	return append(all, r.cost(), r.facts())
}

// row makes a row with a cell for each variant.
func (r *Result) row(title string, cell func(Variant) string) []string {
	cells := []string{title}
	for _, v := range r.Variants {
		cells = append(cells, cell(v))
	}
	return cells
}

func (r *Result) header(title string) []string {
	return r.row(title, func(v Variant) string { return v.Name })
}

func (r *Result) outcomes() table {
	t := table{"Outcomes", [][]string{
		r.header("requests"),
		r.row("errors", func(v Variant) string { return percent(v.ErrorRate) }),
	}}
	for _, o := range loadgen.Outcomes() {
		if slices.ContainsFunc(r.Variants, func(v Variant) bool { return v.Counts[o] > 0 }) {
			t.rows = append(t.rows, r.row(strings.ReplaceAll(string(o), "_", " "), func(v Variant) string { return strconv.Itoa(v.Counts[o]) }))
		}
	}
	t.rows = append(t.rows,
		r.row("offered per second", func(v Variant) string { return number(v.Offered) }),
		r.row("achieved per second", func(v Variant) string { return number(v.Achieved) }))
	if slices.ContainsFunc(r.Variants, func(v Variant) bool { return v.LastError != "" }) {
		t.rows = append(t.rows, r.row("last error", func(v Variant) string { return v.LastError }))
	}
	return t
}

func (r *Result) latencies() table {
	t := table{"Latency of successes, from the planned time, with 95 % intervals", [][]string{r.header("latency")}}
	for _, s := range []struct {
		name string
		of   func(stats.Summary) stats.Interval
	}{
		{"mean", func(s stats.Summary) stats.Interval { return s.Mean }},
		{"P50", func(s stats.Summary) stats.Interval { return s.P50 }},
		{"P90", func(s stats.Summary) stats.Interval { return s.P90 }},
		{"P99", func(s stats.Summary) stats.Interval { return s.P99 }},
		{"P99.9", func(s stats.Summary) stats.Interval { return s.P999 }},
	} {
		t.rows = append(t.rows, r.row(s.name, func(v Variant) string { return interval(v.Corrected, s.of(v.Corrected)) }))
	}
	t.rows = append(t.rows,
		r.row("maximum", func(v Variant) string { return present(v.Corrected, v.Corrected.Max) }),
		r.row("P99 from the real send (raw)", func(v Variant) string { return present(v.Raw, v.Raw.P99.Value) }))
	if slices.ContainsFunc(r.Variants, func(v Variant) bool { return v.Failures.N > 0 }) {
		t.rows = append(t.rows, r.row("P50 of failures", func(v Variant) string { return present(v.Failures, v.Failures.P50.Value) }),
			r.row("P99 of failures", func(v Variant) string { return present(v.Failures, v.Failures.P99.Value) }))
	}
	return t
}

func (r *Result) verdicts() table {
	t := table{"Verdict", [][]string{{"question", "answer", "ratio", "95 %", "p"}}}
	for _, c := range r.Comparisons {
		what := c.Of + " against " + c.Against
		t.rows = append(t.rows,
			[]string{what + ", all requests (Mann-Whitney)", string(c.Location.Verdict), ratioText(c.P50Ratio.Value) + " (P50)", rangeText(c.P50Ratio), number(c.Location.P)},
			[]string{what + ", P99", string(c.Tail.Verdict), ratioText(c.P99Ratio.Value), rangeText(c.P99Ratio), number(c.Tail.P)},
			[]string{what + ", mean", "", ratioText(c.MeanRatio.Value), rangeText(c.MeanRatio), ""},
			[]string{"chance that a request of " + c.Of + " is the slower one", percent(c.Superiority), "", "", ""})
	}
	return t
}

func (r *Result) symptoms() table {
	t := table{"Symptoms", [][]string{append(r.header("symptom"), "as expected")}}
	for _, s := range r.Symptoms {
		row := r.row(s.Means, func(v Variant) string { return number(s.Values[v.Name]) + " (expected " + s.Bands[v.Name] + ")" })
		t.rows = append(t.rows, append(row, map[bool]string{true: "yes", false: "no"}[s.Shown]))
	}
	return t
}

// cost is what the target's own metrics say.
func (r *Result) cost() table {
	t := table{"At the server, per request", [][]string{r.header("per request")}}
	add := func(title string, cell func(*Server) string) {
		t.rows = append(t.rows, r.row(title, func(v Variant) string {
			if v.Server == nil {
				return "not measured"
			}
			return cell(v.Server)
		}))
	}
	add("mean duration", func(s *Server) string { return duration(s.Mean) })
	add("queries", func(s *Server) string { return number(s.QueriesPerRequest) })
	add("processor time", func(s *Server) string { return duration(s.CPUPerRequest) })
	add("utilization of all processors", func(s *Server) string { return percent(s.Utilization) })
	for _, c := range catalog.Components() {
		if slices.ContainsFunc(r.Variants, func(v Variant) bool { return v.Server != nil && v.Server.Components[string(c)] > 0 }) {
			add("time in "+string(c), func(s *Server) string { return duration(s.Components[string(c)]) })
		}
	}
	return t
}

// facts are what the scenario tells beside its metrics.
func (r *Result) facts() table {
	names := map[string]bool{}
	for _, v := range r.Variants {
		for name := range v.Facts {
			if name != FactCPU {
				names[name] = true
			}
		}
	}
	t := table{title: "Told by the scenario", rows: [][]string{r.header("fact")}}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		t.rows = append(t.rows, r.row(strings.ReplaceAll(name, "_", " "), func(v Variant) string {
			if f, ok := v.Facts[name]; ok {
				return number(f)
			}
			return ""
		}))
	}
	return t
}

// Markdown renders the report.
func (r *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", r.heading())
	for _, line := range r.notes() {
		fmt.Fprintf(&b, "**%s**\n\n", line)
	}
	fmt.Fprintf(&b, "Run `%s` of %s, %s.\n", r.RunID, r.Started.Format("2006-01-02 15:04 MST"), r.conditions())
	if r.Command != "" {
		fmt.Fprintf(&b, "Made with `%s`.\n", r.Command)
	}
	for _, v := range r.Variants {
		if v.Does != "" {
			fmt.Fprintf(&b, "\n- **%s**: %s.", v.Name, v.Does)
		}
	}
	b.WriteString("\n")
	for _, t := range r.tables() {
		if len(t.rows) > 1 {
			fmt.Fprintf(&b, "\n## %s\n\n%s", t.title, t.markdown())
		}
	}
	return b.String()
}

func (r *Result) heading() string {
	if r.Scenario == "" {
		return r.Title
	}
	return r.Scenario + ": " + r.Title
}

// notes are what a reader must know before any number.
func (r *Result) notes() []string {
	var notes []string
	if r.Partial != "" {
		notes = append(notes, "Partial: "+r.Partial+".")
	}
	for _, v := range r.Variants {
		if v.ErrorRate >= 0.01 {
			notes = append(notes, fmt.Sprintf("%s of the requests of %s failed: the latencies are those of the rest.", percent(v.ErrorRate), v.Name))
		}
	}
	for i, p := range r.Problems {
		if i == 5 {
			notes = append(notes, fmt.Sprintf("and %d more of this kind.", len(r.Problems)-i))
			break
		}
		notes = append(notes, "Do not trust the numbers: "+p+".")
	}
	return notes
}

func (r *Result) conditions() string {
	rate := fmt.Sprintf("%g", r.Load.Rate)
	if steps := r.Load.Steps; len(steps) > 0 {
		rate = fmt.Sprintf("%s to %s of %s", percent(steps[0]), percent(steps[len(steps)-1]), rate)
	}
	return fmt.Sprintf("%d rounds of %g s each by turns, %s arrivals of %s requests per second, on %d processors (%s/%s, %s)",
		r.Load.Rounds, r.Load.Seconds, r.Load.Arrivals, rate, r.Machine.CPUs, r.Machine.OS, r.Machine.Arch, r.Machine.Go)
}

func (t table) markdown() string {
	var b strings.Builder
	for i, row := range t.rows {
		b.WriteString("|")
		for _, cell := range row {
			b.WriteString(" " + strings.ReplaceAll(cell, "|", "\\|") + " |")
		}
		b.WriteString("\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

// Text renders the report for a terminal.
func (r *Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", r.heading())
	for _, note := range r.notes() {
		fmt.Fprintf(&b, "! %s\n", note)
	}
	for _, t := range r.tables() {
		if len(t.rows) > 1 {
			fmt.Fprintf(&b, "\n%s\n", t.title)
			t.align(&b)
		}
	}
	return b.String()
}

func (t table) align(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	_ = w.Flush() // a strings.Builder takes everything
}

// Text renders a comparison of two runs for a terminal.
func (d Difference) Text() string {
	t := table{rows: [][]string{
		{d.Variant, "A", "B", "B/A", "95 %", "verdict"},
		{"errors", percent(d.A.ErrorRate), percent(d.B.ErrorRate), "", "", ""},
		{"mean", present(d.A.Corrected, d.A.Corrected.Mean.Value), present(d.B.Corrected, d.B.Corrected.Mean.Value), ratioText(d.MeanRatio.Value), rangeText(d.MeanRatio), ""},
		{"P50", present(d.A.Corrected, d.A.Corrected.P50.Value), present(d.B.Corrected, d.B.Corrected.P50.Value), ratioText(d.P50Ratio.Value), rangeText(d.P50Ratio),
			string(d.Location.Verdict) + " (all requests, Mann-Whitney)"},
		{"P99", present(d.A.Corrected, d.A.Corrected.P99.Value), present(d.B.Corrected, d.B.Corrected.P99.Value), ratioText(d.P99Ratio.Value), rangeText(d.P99Ratio), string(d.Tail.Verdict)},
	}}
	var b strings.Builder
	t.align(&b)
	for _, r := range d.Regressions {
		fmt.Fprintf(&b, "  ! %s\n", r)
	}
	return b.String()
}

func interval(s stats.Summary, i stats.Interval) string {
	if s.N == 0 {
		return "none"
	}
	return fmt.Sprintf("%s (%s to %s)", duration(i.Value), duration(i.Low), duration(i.High))
}

func present(s stats.Summary, v float64) string {
	if s.N == 0 {
		return "none"
	}
	return duration(v)
}

func ratioText(v float64) string { return fmt.Sprintf("%.3g", v) }

func rangeText(i stats.Interval) string { return fmt.Sprintf("%.3g to %.3g", i.Low, i.High) }

func percent(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) }

// number renders a number with up to four significant digits and no exponent.
func number(v float64) string {
	if v == float64(int64(v)) || v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
