package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
)

// item is one of a producer's items.
type item struct{ producer, number int }

const (
	producers   = 8
	perProducer = 400
	capacity    = 64
	batchSize   = 16
)

// TestAccountHoldsUnderLoad is the property on which every panel about lost
// telemetry rests: produced = sent + dropped + queued, in each snapshot,
// whatever the exporter does.
func TestAccountHoldsUnderLoad(t *testing.T) {
	t.Parallel()
	failure := errors.New("refused")
	exporters := map[string]func(ctx context.Context, call int) error{
		"an exporter that works":               func(context.Context, int) error { return nil },
		"an exporter that always fails":        func(context.Context, int) error { return failure },
		"an exporter that fails now and again": func(_ context.Context, n int) error { return []error{nil, failure, nil}[n%3] },
		"an exporter that is slow":             func(context.Context, int) error { <-time.After(5 * time.Millisecond); return nil },
		"an exporter that panics": func(_ context.Context, n int) error {
			if n%2 == 0 {
				panic("exporter bug")
			}
			return nil
		},
		"an exporter that hangs until its time is up": func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
	}
	for name, export := range exporters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { loadTest(t, export) })
		})
	}
}

func loadTest(t *testing.T, export func(context.Context, int) error) {
	var books ledger
	calls := 0
	q := batch.New(batch.Config[item]{
		Capacity: capacity, Size: batchSize, Interval: 3 * time.Millisecond, Timeout: 20 * time.Millisecond,
		Export: func(ctx context.Context, items []item) error {
			books.export(t, items)
			calls++
			return export(ctx, calls)
		},
		Release: books.release,
	})
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(p), 1))
			for n := range perProducer {
				if it := (item{p, n}); q.Put(it) {
					books.take(it)
				}
				checkAccount(t, q.Stats())
				if r.IntN(40) == 0 {
					<-time.After(time.Duration(r.IntN(4)) * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_ = q.Stop(ctx) // its error is the subject of other tests
	s := q.Stats()
	checkAccount(t, s)
	if s.Produced != producers*perProducer {
		t.Errorf("produced = %d, want %d", s.Produced, producers*perProducer)
	}
	if s.Queued != 0 {
		t.Errorf("%d items are queued after the end", s.Queued)
	}
	if s.Sent == 0 && s.Dropped[catalog.ReasonExport] == 0 {
		t.Errorf("nothing was exported: %+v", s)
	}
	books.check(t, s)
}

func checkAccount(t *testing.T, s batch.Stats) {
	t.Helper()
	if got := s.Sent + dropped(s) + s.Queued; got != s.Produced {
		t.Errorf("produced %d != sent %d + dropped %v + queued %d", s.Produced, s.Sent, s.Dropped, s.Queued)
	}
	if s.Queued > capacity {
		t.Errorf("%d items are queued, capacity is %d", s.Queued, capacity)
	}
}

func dropped(s batch.Stats) (sum uint64) {
	for _, n := range s.Dropped {
		sum += n
	}
	return sum
}

// ledger is what the test itself knows of the items.
type ledger struct {
	mu       sync.Mutex
	taken    map[item]bool
	released map[item]int
	last     [producers]int // the number after that exported last
}

func (l *ledger) take(it item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken == nil {
		l.taken = make(map[item]bool)
	}
	l.taken[it] = true
}

func (l *ledger) release(it item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released == nil {
		l.released = make(map[item]int)
	}
	l.released[it]++
}

// export checks that each producer's items come in the order of their puts.
func (l *ledger) export(t *testing.T, items []item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(items) == 0 || len(items) > batchSize {
		t.Errorf("a batch of %d items", len(items))
	}
	for _, it := range items {
		if it.number < l.last[it.producer] {
			t.Errorf("producer %d: item %d comes after %d", it.producer, it.number, l.last[it.producer]-1)
		}
		l.last[it.producer] = it.number + 1
	}
}

// check compares the queue's account with the test's.
func (l *ledger) check(t *testing.T, s batch.Stats) {
	t.Helper()
	if refused := s.Produced - uint64(len(l.taken)); refused != s.Dropped[catalog.ReasonQueueFull] {
		t.Errorf("%d puts were refused, %d are counted as %s", refused, s.Dropped[catalog.ReasonQueueFull], catalog.ReasonQueueFull)
	}
	if len(l.released) != len(l.taken) {
		t.Errorf("%d items were taken and %d released", len(l.taken), len(l.released))
	}
	for it, n := range l.released {
		if n != 1 || !l.taken[it] {
			t.Errorf("%v was released %d times (taken: %v)", it, n, l.taken[it])
		}
	}
}

// TestOrderSurvivesTheEndOfTheRing puts uneven runs of items through a small
// ring, so that runs wrap at each of its places.
func TestOrderSurvivesTheEndOfTheRing(t *testing.T) {
	t.Parallel()
	for capacity := 1; capacity <= 7; capacity++ {
		for size := 1; size <= capacity; size++ {
			t.Run(fmt.Sprintf("a ring of %d in batches of %d", capacity, size), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { wrapTest(t, capacity, size) })
			})
		}
	}
}

func wrapTest(t *testing.T, capacity, size int) {
	var got []int
	q := batch.New(batch.Config[int]{Capacity: capacity, Size: size, Export: func(_ context.Context, items []int) error {
		got = append(got, items...)
		return nil
	}})
	next := 0
	for round := range 20 {
		for range 1 + round%capacity {
			if !q.Put(next) {
				t.Fatalf("round %d: item %d was refused", round, next)
			}
			next++
		}
		if err := q.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != next {
		t.Fatalf("%d items were exported, want %d", len(got), next)
	}
	for i, n := range got {
		if n != i {
			t.Fatalf("item %d is exported in place %d: %v", n, i, got)
		}
	}
}
