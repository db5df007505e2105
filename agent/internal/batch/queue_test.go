package batch_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// sink is an exporter whose every call can be watched and held.
type sink struct {
	mu   sync.Mutex
	got  [][]int
	hold chan struct{} // if not nil, each call waits until it is closed, whatever its context says
}

func (s *sink) export(_ context.Context, items []int) error {
	s.mu.Lock()
	s.got = append(s.got, slices.Clone(items))
	s.mu.Unlock()
	if s.hold != nil {
		<-s.hold
	}
	return nil
}

func (s *sink) batches() [][]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func putAll(t *testing.T, q *batch.Queue[int], items ...int) {
	t.Helper()
	for _, n := range items {
		if !q.Put(n) {
			t.Fatalf("item %d was refused", n)
		}
	}
}

func wantStats(t *testing.T, q *batch.Queue[int], want batch.Stats) {
	t.Helper()
	if got := q.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("stats\n got %+v\nwant %+v", got, want)
	}
}

func stop(t *testing.T, q *batch.Queue[int]) {
	t.Helper()
	if err := q.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestFullQueueRefusesTheNewest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{hold: make(chan struct{})}
		q := batch.New(batch.Config[int]{Capacity: 4, Size: 2, Export: s.export})
		putAll(t, q, 1, 2)
		synctest.Wait() // the first batch is in flight, and still counts
		putAll(t, q, 3, 4)
		if q.Put(5) {
			t.Error("item 5 was taken by a queue that holds 4")
		}
		wantStats(t, q, batch.Stats{Produced: 5, Queued: 4, Up: true, Dropped: map[string]uint64{catalog.ReasonQueueFull: 1}})
		close(s.hold)
		stop(t, q)
		if got, want := s.batches(), [][]int{{1, 2}, {3, 4}}; !reflect.DeepEqual(got, want) {
			t.Errorf("exported %v, want %v", got, want)
		}
		wantStats(t, q, batch.Stats{Produced: 5, Sent: 4, Up: true, Dropped: map[string]uint64{catalog.ReasonQueueFull: 1}})
	})
}

func TestBatchesGoWhenFullOrWhenTheIntervalIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		q := batch.New(batch.Config[int]{Capacity: 10, Size: 3, Interval: time.Second, Export: s.export})
		putAll(t, q, 1, 2, 3, 4)
		synctest.Wait()
		if got, want := s.batches(), [][]int{{1, 2, 3}}; !reflect.DeepEqual(got, want) {
			t.Errorf("at once: exported %v, want %v", got, want)
		}
		<-time.After(time.Second - time.Nanosecond)
		synctest.Wait()
		if n := len(s.batches()); n != 1 {
			t.Errorf("before the interval is over: %d batches, want 1", n)
		}
		<-time.After(time.Nanosecond)
		synctest.Wait()
		if got, want := s.batches(), [][]int{{1, 2, 3}, {4}}; !reflect.DeepEqual(got, want) {
			t.Errorf("after the interval: exported %v, want %v", got, want)
		}
		stop(t, q)
	})
}

// TestFlushDoesNotWaitForLaterItems feeds the queue from its own exporter: a
// Flush that waited for an empty queue would never return.
func TestFlushDoesNotWaitForLaterItems(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q *batch.Queue[int]
		exported := 0
		q = batch.New(batch.Config[int]{Capacity: 8, Size: 1, Export: func(_ context.Context, items []int) error {
			exported += len(items)
			q.Put(items[0] + 100)
			<-time.After(time.Millisecond)
			return nil
		}})
		putAll(t, q, 1, 2, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Flush(ctx); err != nil {
			t.Errorf("flush: %v", err)
		}
		if sent := q.Stats().Sent; sent < 3 || sent > 6 {
			t.Errorf("%d items are sent when the flush of 3 returns", sent)
		}
		stop(t, q)
		checkAccount(t, q.Stats())
	})
}

func TestFlush(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hold bool
		want error
		sent uint64
	}{
		"sends a batch that is not full":              {sent: 2},
		"returns when its context ends before it can": {hold: true, want: context.DeadlineExceeded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &sink{}
				if test.hold {
					s.hold = make(chan struct{})
				}
				q := batch.New(batch.Config[int]{Interval: time.Hour, Export: s.export})
				putAll(t, q, 1, 2)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				if err := q.Flush(ctx); !errors.Is(err, test.want) {
					t.Errorf("flush: %v, want %v", err, test.want)
				}
				if test.want != nil && time.Since(begin) != time.Second {
					t.Errorf("flush took %s, want its context's second", time.Since(begin))
				}
				if got := q.Stats().Sent; got != test.sent {
					t.Errorf("%d items are sent, want %d", got, test.sent)
				}
				if test.hold {
					close(s.hold)
				}
				stop(t, q)
			})
		})
	}
}

func TestFlushOfAnEmptyOrStoppedQueueReturnsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		q := batch.New(batch.Config[int]{Export: s.export})
		for _, state := range []string{"empty", "stopped"} {
			begin := time.Now()
			if err := q.Flush(t.Context()); err != nil || time.Since(begin) != 0 {
				t.Errorf("%s: %v after %s", state, err, time.Since(begin))
			}
			stop(t, q)
		}
	})
}

func TestStopDropsWhatItCannotSend(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		heeds  bool          // the exporter heeds its context
		within time.Duration // how long Stop may take
		stats  batch.Stats   // when Stop has returned
		after  batch.Stats   // when the exporter has returned as well
	}{
		"an export that heeds its context is cancelled": {
			heeds: true, within: time.Second,
			stats: batch.Stats{Produced: 5, Up: true, Dropped: map[string]uint64{catalog.ReasonShutdown: 5}},
			after: batch.Stats{Produced: 5, Up: true, Dropped: map[string]uint64{catalog.ReasonShutdown: 5}},
		},
		"an export that ignores its context is left behind": {
			within: time.Second + 100*time.Millisecond,
			stats:  batch.Stats{Produced: 5, Queued: 2, Up: true, Dropped: map[string]uint64{catalog.ReasonShutdown: 3}},
			after:  batch.Stats{Produced: 5, Sent: 2, Up: true, Dropped: map[string]uint64{catalog.ReasonShutdown: 3}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &sink{hold: make(chan struct{})}
				export := s.export
				if test.heeds {
					export = func(ctx context.Context, _ []int) error { <-ctx.Done(); return ctx.Err() }
				}
				var released releases
				q := batch.New(batch.Config[int]{
					Size: 2, Timeout: time.Hour, Export: export,
					Release: released.add,
					OnState: func(err error) { t.Errorf("state %v was reported", err) },
				})
				putAll(t, q, 1, 2, 3, 4, 5)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				if err := q.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("stop: %v", err)
				}
				if took := time.Since(begin); took != test.within {
					t.Errorf("stop took %s, want %s", took, test.within)
				}
				wantStats(t, q, test.stats)
				close(s.hold)
				synctest.Wait()
				wantStats(t, q, test.after)
				if got, want := released.all(), []int{1, 2, 3, 4, 5}; !slices.Equal(got, want) {
					t.Errorf("released %v, want %v", got, want)
				}
			})
		})
	}
}

type releases struct {
	mu    sync.Mutex
	items []int
}

func (r *releases) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, n)
}

func (r *releases) all() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.items))
}

func TestStopSendsWhatIsQueued(t *testing.T) {
	t.Parallel()
	leaktest.Run(t, func() {
		s := &sink{}
		q := batch.New(batch.Config[int]{Size: 2, Interval: time.Hour, Export: s.export})
		putAll(t, q, 1, 2, 3)
		var wg sync.WaitGroup
		for range 3 { // twice and at the same time are both legal
			wg.Go(func() { stop(t, q) })
		}
		wg.Wait()
		stop(t, q)
		if q.Put(4) {
			t.Error("an item was taken after the end")
		}
		q.Discard(2, catalog.ReasonEvicted)
		wantStats(t, q, batch.Stats{Produced: 6, Sent: 3, Up: true, Dropped: map[string]uint64{
			catalog.ReasonShutdown: 1, catalog.ReasonEvicted: 2,
		}})
		if got, want := slices.Concat(s.batches()...), []int{1, 2, 3}; !slices.Equal(got, want) {
			t.Errorf("exported %v, want %v", got, want)
		}
	})
}

func TestAnExpiredContextDoesNotHideASuccessfulStop(t *testing.T) {
	t.Parallel()
	s := &sink{}
	q := batch.New(batch.Config[int]{Export: s.export})
	putAll(t, q, 1)
	stop(t, q)
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 { // a select would choose at random
		if err := q.Stop(expired); err != nil {
			t.Fatalf("stop of a stopped queue: %v", err)
		}
	}
}
