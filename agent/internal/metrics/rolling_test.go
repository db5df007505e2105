package metrics_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// TestRollingFindsTheSlowest compares with the exact P95: what is a bucket
// above it is slow, what is a bucket below is not.
func TestRollingFindsTheSlowest(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(*rand.Rand) time.Duration{
		"equally spread":   func(r *rand.Rand) time.Duration { return time.Duration(1 + r.IntN(int(time.Second))) },
		"many fast":        func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(time.Millisecond)) },
		"all nanoseconds":  func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(1000)) },
		"minutes and more": func(r *rand.Rand) time.Duration { return time.Hour + time.Duration(r.IntN(int(time.Hour))) },
	}
	for name, draw := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			var rolling metrics.Rolling
			var seen []time.Duration
			for range 4096 {
				d := draw(r)
				rolling.Slow(d)
				seen = append(seen, d)
			}
			slices.Sort(seen)
			p95 := seen[len(seen)*95/100]
			if rolling.Slow(p95 * 7 / 10) {
				t.Errorf("%s is slow, P95 is %s", p95*7/10, p95)
			}
			if !rolling.Slow(p95*13/10 + 2) {
				t.Errorf("%s is not slow, P95 is %s", p95*13/10+2, p95)
			}
		})
	}
}

func TestRollingForgets(t *testing.T) {
	t.Parallel()
	var r metrics.Rolling
	for range 2000 {
		r.Slow(time.Second)
	}
	if r.Slow(500 * time.Millisecond) {
		t.Error("500ms is slow where a second is usual")
	}
	for range 20_000 {
		r.Slow(time.Millisecond)
	}
	if !r.Slow(500 * time.Millisecond) {
		t.Error("500ms is not slow where a millisecond has become usual")
	}
}

func TestRollingSaysNothingBeforeItKnows(t *testing.T) {
	t.Parallel()
	var r metrics.Rolling
	for n := range 63 {
		if r.Slow(time.Duration(n) * time.Hour) {
			t.Fatalf("observation %d is slow", n)
		}
	}
}

func TestRollingTakesAnything(t *testing.T) {
	t.Parallel()
	var r metrics.Rolling
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				for _, d := range []time.Duration{-1 << 63, -1, 0, 1, 3, 4, 5, 1<<63 - 1} {
					r.Slow(d)
				}
			}
		})
	}
	wg.Wait()
}
