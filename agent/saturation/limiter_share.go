package saturation

import (
	"sync/atomic"
	"time"
)

// Of the share that is admitted while a resource is used too much.
const (
	// whole is everything, as a fixed-point number.
	whole = 1 << 32
	// shareEvery is how often the share is adjusted. The utilization is that of
	// the last second, so that each step is seen before the next but one.
	shareEvery = 500 * time.Millisecond
	// leastShare keeps some requests coming, by which recovery is noticed.
	leastShare = 0.02
	// growth bounds how much faster it may let go than it grips.
	growth = 1.1
	// exhausted is a utilization from which nobody can tell how much more was
	// wanted.
	exhausted = 0.99
)

// share admits an even share of requests: of a tenth, every tenth.
type share struct {
	admitted atomic.Uint64 // of whole
	carried  atomic.Uint64
	next     atomic.Int64 // when it is adjusted, in ns of the wall clock
}

// admitsShare reports whether the request is within the share. One request in
// half a second adjusts it.
func (l *Limiter) admitsShare() bool {
	s := &l.share
	now := l.config.Now().UnixNano()
	if next := s.next.Load(); now >= next && s.next.CompareAndSwap(next, now+int64(shareEvery)) {
		l.adjust()
	}
	admitted := s.admitted.Load()
	if admitted >= whole {
		return true
	}
	after := s.carried.Add(admitted)
	return after/whole != (after-admitted)/whole
}

// adjust scales the share by what is wanted over what is: utilization follows
// the requests that are admitted. It goes half of the way, because the figure
// is of the past, and all of it where the resource is exhausted.
func (l *Limiter) adjust() {
	used, ok := l.config.Collector.Utilization(l.config.Resource)
	if !ok {
		return
	}
	l.share.admitted.Store(uint64(nextShare(float64(l.share.admitted.Load())/whole, used, l.config.MaxUtilization) * whole))
}

// nextShare is the share that follows one which led to a utilization.
func nextShare(now, used, wanted float64) float64 {
	factor := growth
	if used > 0 {
		factor = min(growth, wanted/used)
	}
	if used < exhausted {
		factor = 1 + (factor-1)/2
	}
	return min(1, max(leastShare, now*factor))
}
