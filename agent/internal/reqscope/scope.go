// Package reqscope keeps the time account of one server request: how long it
// had calls open into each component, as the union of the intervals in which
// at least one call was open.
//
// Two queries that run at the same time for 10 ms are 10 ms of database, not
// 20: the account is of the request's wall time, which is what its user waits
// for. Self is the time in which nothing was open. Where calls into different
// components overlap, the components add up to more than the whole, and each
// is still true on its own.
package reqscope

import (
	"sync"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// component numbers; self is not among them, because it is what remains.
const (
	db = iota
	cache
	http
	queue
	logging
	count
)

func index(c catalog.Component) int {
	switch c {
	case catalog.DB:
		return db
	case catalog.Cache:
		return cache
	case catalog.HTTP:
		return http
	case catalog.Queued:
		return queue
	case catalog.Log:
		return logging
	}
	return -1
}

// Scope is the account of one request. The zero value is ready after
// [Scope.Begin]. All methods are safe for concurrent use, also after the end:
// a goroutine that outlives its request changes nothing any more.
type Scope struct {
	mu    sync.Mutex
	start time.Time
	ended bool
	parts [count]part
	any   part // at least one call open, whichever
}

// part accounts for one component.
type part struct {
	open  int
	since time.Duration // when open became 1, from the start
	total time.Duration
	calls int
}

func (p *part) enter(now time.Duration) {
	if p.open == 0 {
		p.since = now
	}
	p.open++
}

func (p *part) leave(now time.Duration) {
	if p.open == 0 {
		return
	}
	p.open--
	if p.open == 0 {
		p.total += max(0, now-p.since)
	}
}

// Begin starts the account.
func (s *Scope) Begin(at time.Time) { s.start = at }

// Enter notes that a call into c begins now; counted is false for time that is
// charged to c without being a call. Unknown components are ignored.
func (s *Scope) Enter(c catalog.Component, at time.Time, counted bool) {
	i := index(c)
	if i < 0 {
		return
	}
	now := at.Sub(s.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if counted {
		s.parts[i].calls++
	}
	s.parts[i].enter(now)
	s.any.enter(now)
}

// Leave notes that a call into c ends now.
func (s *Scope) Leave(c catalog.Component, at time.Time) {
	i := index(c)
	if i < 0 {
		return
	}
	now := at.Sub(s.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.parts[i].leave(now)
	s.any.leave(now)
}

// Ended reports whether the account is closed.
func (s *Scope) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// Part is one component's share of a request.
type Part struct {
	Component catalog.Component
	Time      time.Duration
	Calls     int
}

// Summary is a finished account, in the order of [catalog.Components]. Parts
// without a call have zero time and zero calls; the last part is self.
type Summary [count + 1]Part

// End closes the account at the given time and returns it. Calls that are
// still open are counted up to now. Only the first call means anything.
func (s *Scope) End(at time.Time) Summary {
	now := at.Sub(s.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	var out Summary
	for i, c := range [count]catalog.Component{catalog.DB, catalog.Cache, catalog.HTTP, catalog.Queued, catalog.Log} {
		out[i] = Part{Component: c, Time: s.parts[i].until(now), Calls: s.parts[i].calls}
	}
	self := max(0, now-s.any.until(now))
	out[count] = Part{Component: catalog.Self, Time: self, Calls: 1}
	return out
}

// until returns the time up to now, which is never negative and never more
// than all of it. A goroutine that reads the clock before another one may get
// the lock after it, and counters panic on negative values.
func (p *part) until(now time.Duration) time.Duration {
	total := p.total
	if p.open > 0 {
		total += max(0, now-p.since)
	}
	return max(0, min(total, now))
}
