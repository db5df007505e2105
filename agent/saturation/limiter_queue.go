package saturation

import (
	"sync"
	"sync/atomic"
	"time"
)

// places are the requests that are served and those that wait for their turn.
// Both numbers are in one word, so that a request which finds a place free
// takes it in one step, and never before one that waits.
type places struct {
	limit, queue        int64
	maxWait, targetWait time.Duration
	now                 func() time.Time

	word atomic.Int64 // waiting << 32 | serving

	mu          sync.Mutex
	first, last *waiter
	lastEmpty   time.Time // when the queue was last seen empty
}

const oneWaiting = 1 << 32

func split(word int64) (serving, waiting int64) { return word & (oneWaiting - 1), word >> 32 }

func (p *places) count() (serving, waiting int64) { return split(p.word.Load()) }

// waiter is one request that waits. It is used again and again.
type waiter struct {
	turn           chan struct{}
	timer          *time.Timer
	before, behind *waiter
	queued         bool
}

func newWaiter() *waiter {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &waiter{turn: make(chan struct{}, 1), timer: timer}
}

// take takes a place if one is free and nobody waits.
func (p *places) take() bool {
	for {
		word := p.word.Load()
		if serving, waiting := split(word); waiting > 0 || serving >= p.limit {
			return false
		}
		if p.word.CompareAndSwap(word, word+1) {
			return true
		}
	}
}

// joined is how joining the queue ended.
type joined int

const (
	joinedNot    joined = iota // the queue is full
	joinedServed               // a place was free after all
	joinedQueue
)

// join puts w at the end of the queue and returns how long it may wait there.
func (p *places) join(w *waiter) (patience time.Duration, outcome joined) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		word := p.word.Load()
		serving, waiting := split(word)
		switch {
		case waiting == 0 && serving < p.limit:
			if p.word.CompareAndSwap(word, word+1) {
				return 0, joinedServed
			}
			continue
		case waiting >= p.queue:
			return 0, joinedNot
		case !p.word.CompareAndSwap(word, word+oneWaiting):
			continue
		}
		break
	}
	now := p.now()
	if p.first == nil {
		p.lastEmpty = now
		p.first = w
	} else {
		p.last.behind, w.before = w, p.last
	}
	p.last, w.queued = w, true
	if now.Sub(p.lastEmpty) > p.maxWait {
		return p.targetWait, joinedQueue
	}
	return p.maxWait, joinedQueue
}

// leave takes w out of the queue, and reports false if its turn has come.
func (p *places) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.queued {
		return false
	}
	p.unlink(w)
	p.word.Add(-oneWaiting)
	return true
}

// release frees a place, or gives it to the first that waits.
func (p *places) release() {
	for {
		word := p.word.Load()
		if _, waiting := split(word); waiting > 0 {
			if p.pass() {
				return
			}
			continue // it has left meanwhile
		}
		if p.word.CompareAndSwap(word, word-1) {
			return
		}
	}
}

// pass gives the place of somebody who is done to the first that waits.
func (p *places) pass() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.first
	if w == nil {
		return false
	}
	p.unlink(w)
	p.word.Add(-oneWaiting)
	w.turn <- struct{}{} // it has room for one, and w is told once
	return true
}

func (p *places) unlink(w *waiter) {
	if w.before != nil {
		w.before.behind = w.behind
	} else {
		p.first = w.behind
	}
	if w.behind != nil {
		w.behind.before = w.before
	} else {
		p.last = w.before
	}
	w.before, w.behind, w.queued = nil, nil, false
}
