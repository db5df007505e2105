package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

func TestStateIsReportedOncePerChange(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	answers := []error{nil, nil, refused, refused, refused, nil, nil, refused}
	want := []error{refused, nil, refused}
	synctest.Test(t, func(t *testing.T) {
		var states []error
		var up []bool
		call := 0
		q := batch.New(batch.Config[int]{
			Export: func(context.Context, []int) error {
				call++
				return answers[call-1]
			},
			OnState: func(err error) { states = append(states, err) },
		})
		for n := range answers {
			putAll(t, q, n)
			if err := q.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			up = append(up, q.Stats().Up)
		}
		stop(t, q)
		if !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
		if want := []bool{true, true, false, false, false, true, true, false}; !slices.Equal(up, want) {
			t.Errorf("up %v, want %v", up, want)
		}
	})
}

func TestAPanicCostsOneBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var state error
		first := true
		q := batch.New(batch.Config[int]{
			Size: 2,
			Export: func(context.Context, []int) error {
				if first {
					first = false
					panic("index out of range")
				}
				return nil
			},
			OnState: func(err error) {
				if err != nil {
					state = err
				}
			},
		})
		putAll(t, q, 1, 2, 3)
		stop(t, q)
		wantStats(t, q, batch.Stats{Produced: 3, Sent: 1, Up: true, Dropped: map[string]uint64{catalog.ReasonExport: 2}})
		if state == nil || !strings.Contains(state.Error(), "index out of range") {
			t.Errorf("state %v, want the value of the panic", state)
		}
	})
}

func TestTimeoutBoundsOneExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		q := batch.New(batch.Config[int]{Timeout: 7 * time.Second, Export: func(ctx context.Context, _ []int) error {
			begin := time.Now()
			<-ctx.Done()
			took = time.Since(begin)
			return ctx.Err()
		}})
		putAll(t, q, 1)
		stop(t, q)
		if took != 7*time.Second {
			t.Errorf("the export ended after %s, want 7s", took)
		}
		wantStats(t, q, batch.Stats{Produced: 1, Dropped: map[string]uint64{catalog.ReasonExport: 1}})
	})
}

// TestSentItemsAreNotHeld asks the collector whether the queue keeps what it is
// done with: a span that stays in the ring would hold its whole trace.
func TestSentItemsAreNotHeld(t *testing.T) {
	t.Parallel()
	type large struct{ _ [1 << 16]byte }
	q := batch.New(batch.Config[*large]{Export: func(context.Context, []*large) error { return nil }})
	sent := func() weak.Pointer[large] {
		v := new(large)
		q.Put(v)
		return weak.Make(v)
	}()
	if err := q.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	leaktest.Eventually(t, "the item is collected", func() bool {
		runtime.GC()
		return sent.Value() == nil
	})
	if err := q.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkPut(b *testing.B) {
	q := batch.New(batch.Config[int]{Export: func(context.Context, []int) error { return nil }})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q.Put(1)
		}
	})
	if err := q.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}
