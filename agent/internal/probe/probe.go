// Package probe lets a test see what the agent found in the requests that the
// test itself makes, whichever agent measures them.
//
// The test puts a probe into the request's context; the agent reports to it at
// the end of each request that ran a query. Without a probe nothing happens. It
// is safe for concurrent use and takes a lock only where there is a probe.
package probe

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Finding is one N+1 problem.
type Finding struct {
	Route, Signature, Source, Site, Fix string
	Count                               int
	Total                               time.Duration
}

// Report is what requests add up to.
type Report struct {
	// Queries is the number of queries, Rows the most rows that one of them
	// returned from one place in the code, and Threshold from how many
	// repetitions on there is a finding.
	Queries, Rows, Threshold int
	Findings                 []Finding
}

// Probe collects reports. The zero value is ready.
type Probe struct {
	mu     sync.Mutex
	report Report
}

type key struct{}

// With returns a context with the probe.
func With(ctx context.Context, p *Probe) context.Context { return context.WithValue(ctx, key{}, p) }

// From returns the probe of a context, or nil.
func From(ctx context.Context) *Probe {
	p, _ := ctx.Value(key{}).(*Probe)
	return p
}

// Add adds a request's report. On a nil probe it does nothing.
func (p *Probe) Add(r Report) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Queries += r.Queries
	p.report.Rows = max(p.report.Rows, r.Rows)
	p.report.Threshold = max(p.report.Threshold, r.Threshold)
	p.report.Findings = append(p.report.Findings, r.Findings...)
}

// Report returns the sum of the reports so far.
func (p *Probe) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.report
	r.Findings = slices.Clone(r.Findings)
	return r
}
