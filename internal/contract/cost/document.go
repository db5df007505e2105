package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cacheu/plumbline/internal/measured"
)

// What was promised, and the figures are held against.
const (
	mayTake  = 0.2 // of its interval, each rule group
	mayWait  = 1.0 // seconds, the panels of a dashboard in all
	perMille = 1e-3
)

// write writes docs/cost.md. An empty name writes nothing.
func (r Results) write(file string) error {
	if file == "" {
		return nil
	}
	if r.Native == nil {
		return fmt.Errorf("write %s: nothing was measured with native histograms yet, of which most of it is", file)
	}
	if err := os.WriteFile(file, []byte(r.document()), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// document says in Markdown what was measured.
func (r Results) document() string {
	var b strings.Builder
	n := r.Native
	fmt.Fprintf(&b, `<!-- Written by "make cost" from internal/contract/cost/results.json. DO NOT EDIT. -->
# What rules and dashboards cost

Measured on %s by %s on %d cores of %s with %.0f GiB of memory. Reproduce it with `+"`make cost`"+` on a machine that does
nothing else; [internal/contract/cost](../internal/contract/cost) is the program.

The aims: a rule group takes less than %.0f %% of its interval, and all panels of a dashboard together are answered within
%.0f s, over %s.
`, n.Machine.Date, n.Machine.Go, n.Machine.Cores, n.Machine.CPU, float64(n.Machine.Memory)/(1<<30), mayTake*100, mayWait, hours(n.Form.Hours))
	n.documentStored(&b)
	b.WriteString("\n## Rule groups\n\nThe committed rules for native histograms, evaluated by Prometheus itself while samples come in.\n")
	n.documentGroups(&b)
	if r.Classic != nil {
		r.Classic.documentClassic(&b)
	}
	n.documentBoards(&b)
	return b.String()
}

func (m *Measured) documentStored(b *strings.Builder) {
	f, s := m.Form, m.Stored
	fmt.Fprintf(b, `
## What Prometheus held

%d services with %d instances each and %d routes in every instance, %d instances in all, in a Prometheus with its usual
settings. Each instance exports every family of the catalogue but those of gRPC: %d series in all, with the servers of the
stack and the two sides of a benchmark. A native histogram has 120 buckets, as a latency that varies by a half fills them.

| | series | raw samples, one every %.0f s |
|---|---:|---|
| all of what dashboards are opened with: one service, and a benchmark; and of every process what the dashboard of the stack reads | %d | %s |
| of the other services, what rules read over more than five minutes | %d | 65 minutes |
| of the other services, the rest | %d | 6 minutes, and then as time passed |
| recorded by rules, one sample every 30 s | %d | %s, and three days of what the longest windows sum up |

No query reads raw samples that are missing here: rules look back an hour at most on raw series, and dashboards show one
service at a time. The past was written as blocks of two hours, %.1f million samples in %.0f s; blocks are not merged. From then on
the samples of every instance came in by remote write every %.0f s, %.0f samples per second in all, %.1f s late at most.
Exemplars were not stored, and alerts had no receiver. Prometheus' largest resident memory was %.1f GiB.
`, f.Services, f.Instances/f.Services, f.Routes, f.Instances, s.All, f.Scrape, s.Whole, hours(f.Hours), s.Hour, s.Short, s.Recorded, hours(f.Hours),
		float64(s.Samples)/1e6, s.Seconds, f.Scrape, s.PerSecond, s.Behind, float64(m.Server.Memory)/(1<<30))
}

func (m *Measured) documentGroups(b *strings.Builder) {
	fmt.Fprintf(b, `
| group | interval | median | worst of %d | worst, share of the interval | kept | slowest rule |
|---|---:|---:|---:|---:|---|---|
`, len(m.Groups[0].Seconds))
	groups := slices.Clone(m.Groups)
	slices.SortStableFunc(groups, func(x, y Group) int { return cmp.Compare(measured.Median(y.Seconds), measured.Median(x.Seconds)) })
	missed := 0.0
	for _, g := range groups {
		missed += g.Missed
		fmt.Fprintf(b, "| %s | %.0f s | %s | %s | %.1f %% | %s | `%s`, %s |\n", g.Name, g.Interval, seconds(measured.Median(g.Seconds)), seconds(slices.Max(g.Seconds)),
			100*slices.Max(g.Seconds)/g.Interval, kept(slices.Max(g.Seconds) < mayTake*g.Interval), g.Slowest, seconds(g.Takes))
	}
	if missed > 0 {
		fmt.Fprintf(b, "\n**%.0f evaluations were left out, because the ones before took too long.**\n", missed)
	}
}

func (m *Measured) documentClassic(b *strings.Builder) {
	fmt.Fprintf(b, `
### With classic histograms

The rules for classic histograms, in a Prometheus of their own that held what rules read and nothing else: %d series of %d
instances with %d routes, %.0f samples per second; its largest resident memory was %.1f GiB. Measured on %s.
`, m.Stored.All, m.Form.Instances, m.Form.Routes, m.Stored.PerSecond, float64(m.Server.Memory)/(1<<30), m.Machine.Date)
	m.documentGroups(b)
}

func (m *Measured) documentBoards(b *strings.Builder) {
	fmt.Fprintf(b, `
## Dashboards

Every query of every panel that asks Prometheus, with the variables set as Grafana sets them when the dashboard is opened,
at the step that a panel of %d pixels asks for. One query after the other, over HTTP, while samples come in and rules are
evaluated; the median of the times that it was sent, which is once for those that take longer than %.0f s. A query without
an answer counts with the time until it failed; after %.0f s it is given up, as Grafana does. A dashboard that has taken %.0f s
is not asked for the rest.
`, pixels, onceFrom.Seconds(), giveUp.Seconds(), tooLong.Seconds())
	for _, s := range m.Spans {
		s.document(b)
	}
}

func (s Span) document(b *strings.Builder) {
	fmt.Fprintf(b, `
### Over %s

| dashboard | queries | all together | slowest | no answer | variables | kept |
|---|---:|---:|---:|---:|---:|---|
`, hours(s.Hours))
	for _, board := range s.Boards {
		slowest, failed, whole := Query{}, 0, true
		for _, q := range board.Queries {
			if q.Seconds > slowest.Seconds {
				slowest = q
			}
			if q.Error != "" {
				failed++
			}
			whole = whole && !q.Unasked
		}
		together := seconds(board.sum())
		if !whole {
			together = "more than " + together
		}
		variables := seconds(board.Variables)
		if board.Error != "" {
			variables += ", not filled in: " + cell(board.Error)
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s, %s | %d | %s | %s |\n", board.Title, len(board.Queries), together,
			seconds(slowest.Seconds), slowest.Panel, failed, variables, kept(board.sum() < mayWait && failed == 0 && whole && board.Error == ""))
	}
	s.documentMissed(b)
}

// row is a query and the dashboard that it is of.
type row struct {
	Query
	board string
}

// documentMissed lists what keeps dashboards from being in time.
func (s Span) documentMissed(b *strings.Builder) {
	var slow, silent []row
	for _, board := range s.Boards {
		for _, q := range board.Queries {
			switch {
			case q.Unasked:
			case q.Error != "" || board.sum() >= mayWait && q.Seconds >= mayWait/10:
				slow = append(slow, row{q, board.Title})
			case q.Points == 0:
				silent = append(silent, row{q, board.Title})
			}
		}
	}
	slices.SortStableFunc(slow, func(x, y row) int { return cmp.Compare(y.Seconds, x.Seconds) })
	if len(slow) > 0 {
		fmt.Fprintf(b, "\nQueries of %s or more on dashboards that are not in time, and those without an answer:\n\n| dashboard | panel | time | query |\n|---|---|---:|---|\n", seconds(mayWait/10))
	}
	for _, s := range slow {
		took := seconds(s.Seconds)
		if s.Error != "" {
			took += ", no answer: " + s.Error
		}
		fmt.Fprintf(b, "| %s | %s | %s | `%s` |\n", s.board, s.Panel, cell(took), cell(s.Expr))
	}
	if len(silent) == 0 {
		return
	}
	b.WriteString("\nQueries whose answer was empty, and whose time says little:\n\n")
	for _, s := range silent {
		fmt.Fprintf(b, "- %s, %s: `%s`\n", s.board, s.Panel, s.Expr)
	}
}

func hours(n int) string {
	if n == 1 {
		return "an hour"
	}
	return fmt.Sprintf("%d hours", n)
}

func kept(yes bool) string {
	if yes {
		return "yes"
	}
	return "**no**"
}

// cell makes a text fit into a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

// seconds writes a length of time as people read it.
func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.1f ms", s/perMille)
	}
	return fmt.Sprintf("%.2f s", s)
}
