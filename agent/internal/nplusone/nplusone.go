// Package nplusone finds the N+1 query problem in the queries of one request:
// one query reads N rows, and then one further query runs for each of them.
//
// The rule: one signature, from one call site, ran at least Threshold times,
// one after the other, after a query of another signature that returned at
// least as many rows in fewer runs. It is the rule of Sentry's detector
// (consecutive, non-overlapping, after a different source query) with two
// sharper edges. prosopite's call site separates two loops that happen to share
// a query. And the rows of the source are measured where the driver reports
// them: a loop over pages, a retry or a poll repeats a query too, but there is
// no source whose rows it runs over; and what runs once for each run of its
// source, such as one batch for each page, is not a loop over rows.
//
// What runs side by side is not counted, so that a parallel fan-out is no
// finding, and a batch is one query.
//
// The package is pure: it takes what happened and when, and calls nothing.
package nplusone

import "time"

// DefaultThreshold is the least number of repetitions that is a finding.
const DefaultThreshold = 5

// maxGroups bounds the memory of one request; a request with more distinct
// queries than this has other problems.
const maxGroups = 64

// Query is what a detector is told of one query.
type Query struct {
	// Signature is the query without its values.
	Signature string
	// Site identifies the call site; 0 where it is not known, which matches
	// any site. The caller needs to find it only where Repeated says so.
	Site uintptr
}

// Finding is one N+1 problem.
type Finding struct {
	// Signature and Site are those of the query that was repeated.
	Signature string
	Site      uintptr
	// Count is how often it ran one after the other, Total how long in all.
	Count int
	Total time.Duration
	// Source is the signature of the query whose rows it followed.
	Source string
}

// Detector watches one request. The zero value is ready. It is not safe for
// concurrent use.
type Detector struct {
	groups []group
}

type group struct {
	query  Query
	before uint64 // set of groups that had returned rows before the first run, or were open
	open   int
	runs   int
	count  int // runs that began while no other of the group was open
	total  time.Duration
	rows   int // returned by all runs so far; unlimited if unknown
}

// unlimited stands for a number of rows that the driver did not report.
const unlimited = int(^uint(0) >> 1)

// Token is what Start hands to End.
type Token struct {
	group int
	alone bool
	start time.Duration
}

// Repeated reports whether a signature was seen before in this request. Only
// then does the call site matter, and finding it is the costly part.
func (d *Detector) Repeated(signature string) bool {
	for i := range d.groups {
		if d.groups[i].query.Signature == signature {
			return true
		}
	}
	return false
}

// Start notes that a query begins, at a time since the request's start.
func (d *Detector) Start(q Query, at time.Duration) Token {
	i := d.find(q)
	if i < 0 {
		return Token{group: -1}
	}
	g := &d.groups[i]
	t := Token{group: i, alone: g.open == 0, start: at}
	g.open++
	return t
}

// find returns the group of a query, which it makes at the first sight, or -1
// where there are too many.
func (d *Detector) find(q Query) int {
	for i := range d.groups {
		g := &d.groups[i]
		if g.query.Signature != q.Signature {
			continue
		}
		if g.query.Site == 0 {
			g.query.Site = q.Site // the first run was not asked for its site
		}
		if q.Site == 0 || g.query.Site == q.Site {
			return i
		}
	}
	if len(d.groups) >= maxGroups {
		return -1
	}
	g := group{query: q}
	for i := range d.groups {
		// One that is still open may be returning rows right now: its loop body
		// runs this query. Whether there were enough is known at the end.
		if (d.groups[i].rows > 0 || d.groups[i].open > 0) && d.groups[i].query.Signature != q.Signature {
			g.before |= 1 << i
		}
	}
	d.groups = append(d.groups, g)
	return len(d.groups) - 1
}

// End notes that a query has ended. rows is what it returned, or negative where
// that is not known.
func (d *Detector) End(t Token, rows int, at time.Duration) {
	if t.group < 0 || t.group >= len(d.groups) {
		return
	}
	g := &d.groups[t.group]
	g.open--
	g.runs++
	if t.alone {
		g.count++
		g.total += at - t.start
	}
	switch {
	case rows < 0:
		g.rows = unlimited
	case g.rows != unlimited:
		g.rows += rows
	}
}

// source returns the group whose rows g ran over: the last of those before it
// that returned enough rows in fewer runs.
func (d *Detector) source(g *group) *group {
	for i := len(d.groups) - 1; i >= 0; i-- {
		s := &d.groups[i]
		if g.before&(1<<i) != 0 && s.rows >= g.count && s.runs < g.count {
			return s
		}
	}
	return nil
}

// Seen returns how many queries have ended, and the most rows that one
// signature has returned from one call site.
func (d *Detector) Seen() (runs, rows int) {
	for i := range d.groups {
		runs += d.groups[i].runs
		rows = max(rows, d.groups[i].rows)
	}
	return runs, rows
}

// Findings returns the problems, in the order in which their queries first
// ran. A threshold of 0 means [DefaultThreshold].
func (d *Detector) Findings(threshold int) []Finding {
	if threshold <= 0 {
		threshold = DefaultThreshold
	}
	var found []Finding
	for i := range d.groups {
		g := &d.groups[i]
		if g.count < threshold {
			continue
		}
		if source := d.source(g); source != nil {
			found = append(found, Finding{
				Signature: g.query.Signature, Site: g.query.Site,
				Count: g.count, Total: g.total, Source: source.query.Signature,
			})
		}
	}
	return found
}
