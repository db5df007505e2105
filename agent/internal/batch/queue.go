// Package batch is the bounded queue between a request and a backend.
//
// A [Queue] takes items without ever blocking the caller, hands them in batches
// to one export function that runs on the queue's own goroutine, and keeps
// account of every item: produced = sent + dropped + queued holds in each
// [Stats] snapshot, because all counts change under one lock.
//
// Traces, logs and the console share this one implementation, so that what is
// true of one signal's limits and counters is true of all.
package batch

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/cputime"
)

// Config says how a queue batches. Export is required; the rest has defaults.
type Config[T any] struct {
	// Capacity is the most items that wait, those of the batch in flight
	// included. Further items are dropped and counted. Defaults to 4096.
	Capacity int
	// Size is the most items of one batch. Defaults to 512, or to Capacity
	// where that is less.
	Size int
	// Interval is the longest that an item waits for its batch to fill.
	// Defaults to 1 second.
	Interval time.Duration
	// Timeout bounds one call of Export. Defaults to 30 seconds.
	Timeout time.Duration
	// Export sends one batch. The slice is reused after it returns. A nil
	// error means that the backend took all of it.
	Export func(context.Context, []T) error
	// Release, if not nil, is called once for every item that was taken, when
	// the queue is done with it, sent or dropped. It is called by the queue's
	// goroutine, or by Stop where that goroutine hangs in Export.
	Release func(T)
	// OnState, if not nil, is called from the queue's goroutine when exports
	// begin to fail (with the error) and when they succeed again (with nil),
	// but not for a first success: silence means that all is well.
	OnState func(error)
}

func (c Config[T]) withDefaults() Config[T] {
	if c.Capacity <= 0 {
		c.Capacity = 4096
	}
	if c.Size <= 0 {
		c.Size = 512
	}
	c.Size = min(c.Size, c.Capacity)
	if c.Interval <= 0 {
		c.Interval = time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	return c
}

// Stats is a consistent snapshot of a queue's account.
type Stats struct {
	Produced, Sent, Queued uint64
	// Dropped counts by reason; see the catalogue's reasons.
	Dropped map[string]uint64
	// Up is false from a failed export to the next successful one.
	Up bool
}

// Queue is a bounded queue with one exporting goroutine. All methods are safe
// for concurrent use.
type Queue[T any] struct {
	config Config[T]
	wake   chan struct{}      // holds one token: a batch is full, or a flush or stop is wanted
	done   chan struct{}      // closed when the goroutine has ended
	cancel context.CancelFunc // ends the export in flight
	base   context.Context    // the parent of every export
	cpu    atomic.Int64       // nanoseconds of processor time in Export

	mu       sync.Mutex
	ring     []T
	head     int    // index of the oldest item
	length   int    // items in the ring
	flight   int    // items handed to Export
	taken    uint64 // items that ever entered the ring
	settled  uint64 // the first so many of them are sent or dropped
	closed   bool
	urgent   bool // export what is there without waiting for Interval
	progress *sync.Cond
	stats    Stats
	dropped  map[string]uint64
}

// New starts a queue. Its goroutine ends with [Queue.Stop].
func New[T any](c Config[T]) *Queue[T] {
	c = c.withDefaults()
	base, cancel := context.WithCancel(context.Background())
	q := &Queue[T]{
		config: c, wake: make(chan struct{}, 1), done: make(chan struct{}),
		base: base, cancel: cancel,
		ring: make([]T, c.Capacity), dropped: make(map[string]uint64),
		stats: Stats{Up: true},
	}
	q.progress = sync.NewCond(&q.mu)
	go q.run()
	return q
}

// Put takes an item, or drops and counts it when the queue is full or stopped.
// It never blocks on the backend, and reports whether the item was taken; what
// was not taken is not released.
func (q *Queue[T]) Put(item T) bool {
	q.mu.Lock()
	q.stats.Produced++
	if q.closed || q.length+q.flight >= len(q.ring) {
		reason := catalog.ReasonQueueFull
		if q.closed {
			reason = catalog.ReasonShutdown
		}
		q.dropped[reason]++
		q.mu.Unlock()
		return false
	}
	q.ring[(q.head+q.length)%len(q.ring)] = item
	q.length++
	q.taken++
	full := q.length == q.config.Size
	q.mu.Unlock()
	if full {
		q.signal()
	}
	return true
}

// Discard counts n items as produced and at once dropped for a reason, for
// callers that refuse an item before it reaches the queue.
func (q *Queue[T]) Discard(n int, reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Produced += uint64(n)
	q.dropped[reason] += uint64(n)
}

// Stats returns a snapshot of the account.
func (q *Queue[T]) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Queued = uint64(q.length + q.flight)
	s.Dropped = maps.Clone(q.dropped)
	return s
}

// CPU returns the processor time that the queue's goroutine has spent in
// Export. What Export has other goroutines do is not in it.
func (q *Queue[T]) CPU() time.Duration { return time.Duration(q.cpu.Load()) }

// Flush exports everything that was put before the call and returns when each
// of those items is sent or dropped, or with the context's error. Items that
// are put meanwhile do not keep it waiting.
func (q *Queue[T]) Flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.progress.Broadcast()
	})
	defer stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	target := q.taken
	for q.settled < target && ctx.Err() == nil {
		q.urgent = true
		q.signal()
		q.progress.Wait()
	}
	if q.settled >= target {
		return nil
	}
	return ctx.Err()
}

// stopGrace is how long Stop waits, past the end of its context, for an
// export that was cancelled to come back.
const stopGrace = 100 * time.Millisecond

// Stop exports what is queued and ends the goroutine. When ctx ends first, the
// export in flight is cancelled, the rest is dropped and counted, and Stop
// returns the context's error. It returns after the goroutine has ended, except
// where Export ignores its context (a write to a blocked pipe): that goroutine
// ends when the call returns, and until then its batch counts as queued.
// Further calls wait for the end as well.
func (q *Queue[T]) Stop(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.done:
		q.cancel()
		return nil
	case <-ctx.Done():
	}
	if q.empty() { // nothing will be lost, and the goroutine is at its end
		<-q.done
		q.cancel()
		return nil
	}
	q.cancel()
	select {
	case <-q.done:
	case <-time.After(stopGrace):
		q.abandon()
	}
	return ctx.Err()
}

func (q *Queue[T]) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.length+q.flight == 0
}

// abandon drops what waits, so that it is accounted for also where an export
// that ignores its context never comes back to do it.
func (q *Queue[T]) abandon() {
	q.mu.Lock()
	rest := make([]T, 0, q.length)
	for q.length > 0 {
		rest = append(rest, q.pop())
	}
	if len(rest) > 0 {
		q.dropped[catalog.ReasonShutdown] += uint64(len(rest))
	}
	q.advance()
	q.mu.Unlock()
	q.release(rest)
}

func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue[T]) run() {
	defer close(q.done)
	ticker := time.NewTicker(q.config.Interval)
	defer ticker.Stop()
	batch := make([]T, 0, q.config.Size)
	for {
		select {
		case <-q.wake:
		case <-ticker.C:
			q.mu.Lock()
			q.urgent = true
			q.mu.Unlock()
		}
		for q.take(&batch) {
			q.export(batch)
		}
		if q.finished() {
			return
		}
	}
}

// take moves the next batch out of the ring. A batch that is not full is only
// taken when something made it urgent.
func (q *Queue[T]) take(batch *[]T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(q.length, q.config.Size)
	if n < q.config.Size && !q.urgent && !q.closed {
		return false
	}
	if n == 0 {
		q.urgent = false
		return false
	}
	*batch = (*batch)[:0]
	for range n {
		*batch = append(*batch, q.pop())
	}
	q.flight = n
	return true
}

// pop takes the oldest item out of the ring, which must not be empty.
func (q *Queue[T]) pop() T {
	var zero T
	item := q.ring[q.head]
	q.ring[q.head] = zero
	q.head = (q.head + 1) % len(q.ring)
	q.length--
	return item
}

func (q *Queue[T]) export(batch []T) {
	err := q.base.Err()
	if err == nil {
		ctx, cancel := context.WithTimeout(q.base, q.config.Timeout)
		err = q.call(ctx, batch)
		cancel()
	}
	q.release(batch)
	clear(batch)
	if changed := q.settle(err); changed && q.config.OnState != nil {
		q.config.OnState(err)
	}
}

func (q *Queue[T]) release(items []T) {
	if q.config.Release == nil {
		return
	}
	for _, item := range items {
		q.config.Release(item)
	}
}

// call guards the host: an exporter that panics loses a batch and nothing else.
func (q *Queue[T]) call(ctx context.Context, batch []T) (err error) {
	watch := cputime.Start()
	defer func() {
		q.cpu.Add(int64(watch.Stop()))
		if p := recover(); p != nil {
			err = fmt.Errorf("exporter panicked: %v", p)
		}
	}()
	return q.config.Export(ctx, batch)
}

// settle books the batch in flight and reports whether the exporter's state
// changed. Failures caused by a shutdown are not a state of the backend.
func (q *Queue[T]) settle(err error) (changed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := uint64(q.flight)
	q.flight = 0
	switch {
	case err == nil:
		q.stats.Sent += n
		changed = !q.stats.Up
		q.stats.Up = true
	case q.base.Err() != nil:
		q.dropped[catalog.ReasonShutdown] += n
	default:
		q.dropped[catalog.ReasonExport] += n
		changed = q.stats.Up
		q.stats.Up = false
	}
	q.advance()
	return changed
}

// advance tells those who wait in Flush how far the queue is. While a batch is
// in flight it is not further than before: items are settled in their order.
func (q *Queue[T]) advance() {
	if q.flight == 0 {
		q.settled = q.taken - uint64(q.length)
		q.progress.Broadcast()
	}
}

func (q *Queue[T]) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && q.length == 0
}
