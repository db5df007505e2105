package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/overhead/stacks"
)

// document writes what was measured as Markdown.
func (r Results) document(file string) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<!-- Written by "make overhead" from internal/overhead/results.json. DO NOT EDIT. -->
# What the agent costs

Measured on %s by %s on %d cores of %s. Reproduce it with `+"`make overhead`"+` on a machine that does nothing else
(about 25 minutes); [internal/overhead](../internal/overhead) is the program. Absolute figures are this machine's; the
ratios are of runs that alternate in one process or in pairs, and carry over.
`, r.Machine.Date, r.Machine.Go, r.Machine.Cores, r.Machine.CPU)
	r.documentRequests(&b)
	r.documentLogs(&b)
	r.documentServer(&b)
	r.documentMemory(&b)
	if r.Benchstat != "" {
		fmt.Fprintf(&b, "\n## benchstat\n\nThe runs behind the first two tables, compared with the assembled set.\n\n```csv\n%s```\n", r.Benchstat)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

func (r Results) documentRequests(b *strings.Builder) {
	if len(r.Requests) == 0 {
		return
	}
	b.WriteString(`
## One request through gin

One core, no network for the request itself, a handler that writes two bytes. Times are processor time, the stack's
background work included. Medians of the rounds; ratios are medians of the ratios within a round.
`)
	for _, exporting := range []bool{false, true} {
		if exporting {
			b.WriteString(`
### With exporters that send

Every exporter encodes and sends to a process on loopback that takes everything. A tight loop makes more spans than any
queue takes, and what a full queue drops is not encoded: this table compares what is left of that, and is no cost per
request at a normal rate.
`)
		} else {
			b.WriteString(`
### With exporters that discard

What the request path costs: exporters take their batches and do nothing with them, as in the benchmarks of the SDKs.
Elastic's and Datadog's encode first, because they have no place to stop them earlier. Plumbline's log lines and those
of the assembled set go to the null device.
`)
		}
		b.WriteString(`
| stack | time | allocations | bytes | time / assembled | time / otelgin |
|---|---:|---:|---:|---:|---:|
`)
		for _, s := range stacks.All() {
			m := r.request(s.Name, exporting)
			base := stacks.Assembled
			if s.SampleRatio < 1 {
				base = stacks.Assembled1
			}
			fmt.Fprintf(b, "| %s | %.2f µs | %d | %d | %.2f | %.2f |\n", s.Name, measured.Median(m.Nanos)/1e3, m.Allocs, m.Bytes,
				roundRatio(m, r.request(base, exporting)), roundRatio(m, r.request(stacks.OtelGin, exporting)))
		}
	}
	b.WriteString("\n")
	for _, s := range stacks.All() {
		fmt.Fprintf(b, "- **%s**: %s.\n", s.Name, s.About)
	}
	fmt.Fprintf(b, "\nStacks at 1 %% are compared with the assembled set at 1 %%.\n")
}

// request finds a measurement; a missing one is empty.
func (r Results) request(stack string, exporting bool) Request {
	for _, m := range r.Requests {
		if m.Stack == stack && m.Exporting == exporting {
			return m
		}
	}
	return Request{Nanos: []float64{0}}
}

// roundRatio is the median of the ratios of each round.
func roundRatio(m, base Request) float64 {
	ratios := make([]float64, min(len(m.Nanos), len(base.Nanos)))
	for i := range ratios {
		ratios[i] = m.Nanos[i] / base.Nanos[i]
	}
	return measured.Median(ratios)
}

func (r Results) documentLogs(b *strings.Builder) {
	l := r.Logs
	if l == nil {
		return
	}
	b.WriteString(`
## One log call

A line with a level, a message and three more values. Processor time is on one core and includes writing the line in the
background; allocations include the caller's own. The level package of go-kit/log allocates three of the four in its
form: it makes a logger for each line, and copies the values.

| call | processor time | allocations |
|---|---:|---:|
`)
	for _, c := range l.Calls {
		fmt.Fprintf(b, "| `%s` | %.0f ns | %d |\n", c.Form, measured.Median(c.CPUNanos), c.Allocs)
	}
	fmt.Fprintf(b, `
With a sink that blocks for %.0f ms on each write, 99 %% of calls take at most %.1f µs (%.1f µs with a sink that does
not block). The same sink behind go-kit's own synchronous logger: %.0f ms.
`, l.StallSeconds*1e3, l.AgentP99*1e6, l.AgentFreeP99*1e6, l.SyncP99*1e3)
}

func (r Results) documentServer(b *strings.Builder) {
	s := r.Server
	if s == nil {
		return
	}
	fmt.Fprintf(b, `
## A service under load

A gin service that reads a page of 50 rows from PostgreSQL, which takes about 2 ms, and answers in JSON; all four signals
at 100 %%, a span for the request and one for the query. Open loop with random gaps, %.0f requests per second, which is
%.0f %% of what the service can do without the agent. %d pairs of runs.

| | without | with | difference | 95 %% interval |
|---|---:|---:|---:|---:|
`, s.Rate, s.Utilization*100, len(s.Pairs))
	row := func(name, format string, scale float64, value func(Trial) float64, ratio Interval) {
		var on, off []float64
		for _, p := range s.Pairs {
			on, off = append(on, value(p.On)*scale), append(off, value(p.Off)*scale)
		}
		fmt.Fprintf(b, "| %s | "+format+" | "+format+" | %s | %s to %s |\n", name, measured.Median(off), measured.Median(on),
			percentMore(ratio.Estimate), percentMore(ratio.Low), percentMore(ratio.High))
	}
	row("P99", "%.2f ms", 1e3, func(r Trial) float64 { return r.P99 }, s.P99)
	row("processor time per request", "%.0f µs", 1e6, func(r Trial) float64 { return r.CPU }, s.CPU)
}

func (r Results) documentMemory(b *strings.Builder) {
	m := r.Memory
	if m == nil {
		return
	}
	const mib = 1 << 20
	fmt.Fprintf(b, `
## Memory

Largest resident memory at %.0f requests per second:

| | resident | more than the line before |
|---|---:|---:|
| without the agent | %.1f MiB | |
| with it, all four signals at 100 %% | %.1f MiB | %.1f MiB |
| no backend answers, for %.0f s | %.1f MiB | %.1f MiB |

A minute after the backends answered again:

| signal | produced | sent | dropped | queued | sent since then | accepted |
|---|---:|---:|---:|---:|---:|---|
`, m.Rate, m.Off/mib, m.On/mib, (m.On-m.Off)/mib, m.BlackHoleSeconds, m.BlackHole/mib, (m.BlackHole-m.On)/mib)
	for _, a := range m.Accounts {
		fmt.Fprintf(b, "| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %v |\n", a.Signal, a.Produced, a.Sent, a.Dropped, a.Queued, a.SentAfter, a.Up)
	}
}
