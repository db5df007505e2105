package saturation_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
)

func newLimiter(t testing.TB, c saturation.LimiterConfig) *saturation.Limiter {
	t.Helper()
	l, err := saturation.NewLimiter(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// decisions gathers what a limiter has decided, without zeros.
func decisions(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != catalog.LimiterDecisions.Desc().Name {
			continue
		}
		if len(f.GetMetric()) != len(catalog.Decisions()) {
			t.Errorf("%d decisions are exported, want all %d from the beginning", len(f.GetMetric()), len(catalog.Decisions()))
		}
		for _, m := range f.GetMetric() {
			if v := m.GetCounter().GetValue(); v != 0 {
				found[m.GetLabel()[0].GetValue()] = v
			}
		}
	}
	return found
}

func expectDecisions(t *testing.T, g prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	if got := decisions(t, g); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("decisions %v, want %v", got, want)
	}
}

func TestRequestsWaitForTheirTurnInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		l := newLimiter(t, saturation.LimiterConfig{Concurrency: 1, Queue: 3, Registerer: registry})
		if err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 3 {
			go func() {
				if err := l.Acquire(t.Context()); err != nil {
					t.Error(err)
				}
				order = append(order, i)
				l.Release()
			}()
			synctest.Wait()
		}
		if u := l.Usage(); u != (saturation.Usage{Used: 1, Limit: 1, Waiting: 3}) {
			t.Errorf("usage %+v", u)
		}
		if err := l.Acquire(t.Context()); !errors.Is(err, saturation.ErrShed) {
			t.Errorf("the fourth that waits: %v, want it shed", err)
		}
		l.Release()
		synctest.Wait()
		if fmt.Sprint(order) != "[0 1 2]" {
			t.Errorf("served in the order %v", order)
		}
		if u := l.Usage(); u != (saturation.Usage{Limit: 1}) {
			t.Errorf("in the end %+v", u)
		}
		expectDecisions(t, registry, map[string]float64{catalog.DecisionAdmitted: 4, catalog.DecisionQueueFull: 1})
	})
}

// TestControlledDelay is the rule of the queue: a burst may wait for MaxWait,
// but while the queue has not been empty for that long, TargetWait is the most.
func TestControlledDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		l := newLimiter(t, saturation.LimiterConfig{
			Concurrency: 1, Queue: 10, MaxWait: 100 * time.Millisecond, TargetWait: 5 * time.Millisecond, Registerer: registry,
		})
		if err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		shed := func() time.Duration {
			start := time.Now()
			if err := l.Acquire(t.Context()); !errors.Is(err, saturation.ErrShed) {
				t.Errorf("got %v, want it shed", err)
			}
			return time.Since(start)
		}
		if got := shed(); got != 100*time.Millisecond {
			t.Errorf("into an empty queue: waits %s, want 100ms", got)
		}
		// The queue is kept from being empty for more than 100 ms by requests
		// that come before the ones ahead have given up.
		var waits [4]time.Duration
		var wg sync.WaitGroup
		for i := range waits {
			wg.Go(func() { waits[i] = shed() })
			time.Sleep(60 * time.Millisecond)
		}
		wg.Wait()
		want := [4]time.Duration{100 * time.Millisecond, 100 * time.Millisecond, 5 * time.Millisecond, 100 * time.Millisecond}
		if waits != want {
			t.Errorf("waits %v, want %v: the third found a standing queue, the fourth an empty one", waits, want)
		}
		l.Release()
		expectDecisions(t, registry, map[string]float64{catalog.DecisionAdmitted: 1, catalog.DecisionQueueTime: 5})
	})
}

func TestAClientThatGoesLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		l := newLimiter(t, saturation.LimiterConfig{Concurrency: 1, Registerer: registry})
		if err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := l.Acquire(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if u := l.Usage(); u.Waiting != 0 {
			t.Errorf("%v still wait", u.Waiting)
		}
		l.Release()
		if err := l.Acquire(t.Context()); err != nil {
			t.Errorf("then: %v", err)
		}
		expectDecisions(t, registry, map[string]float64{catalog.DecisionAdmitted: 2, catalog.DecisionGone: 1})
	})
}

// TestPlacesAreNeverLostOrDoubled has many requests come, wait, give up and be
// served at the same time.
func TestPlacesAreNeverLostOrDoubled(t *testing.T) {
	t.Parallel()
	const concurrency, clients, each = 3, 16, 400
	l := newLimiter(t, saturation.LimiterConfig{Concurrency: concurrency, Queue: 6, MaxWait: time.Millisecond, TargetWait: 50 * time.Microsecond})
	var serving, most, served, shed atomic.Int64
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				if (client+i)%5 == 0 {
					go cancel()
				}
				if l.Acquire(ctx) == nil {
					n := serving.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					for range i % 300 {
						_ = serving.Load()
					}
					serving.Add(-1)
					served.Add(1)
					l.Release()
				} else {
					shed.Add(1)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > concurrency {
		t.Errorf("%d were served at a time, want at most %d", most.Load(), concurrency)
	}
	if got := served.Load() + shed.Load(); got != clients*each || served.Load() == 0 {
		t.Errorf("%d served and %d shed of %d", served.Load(), shed.Load(), clients*each)
	}
	if u := l.Usage(); u.Used != 0 || u.Waiting != 0 {
		t.Errorf("in the end %+v", u)
	}
	for range concurrency { // all places are there
		if err := l.Acquire(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestUtilizationIsHeldWhereItIsWanted offers a service twice what it can do,
// half a second at a time, and expects it to be used by 90 % instead of wholly,
// and nobody to be turned away once there is room.
func TestUtilizationIsHeldWhereItIsWanted(t *testing.T) {
	t.Parallel()
	clock, s := newClock(), container()
	used := time.Duration(0)
	s.write(group+"cpu.stat", stat(used, 0, 0))
	collector := newCollector(t, saturation.Config{Root: s, Now: clock.Now})
	registry := prometheus.NewRegistry()
	l := newLimiter(t, saturation.LimiterConfig{Collector: collector, Registerer: registry, Now: clock.Now})
	const step, perStep = 500 * time.Millisecond, 100
	// offer sends requests for one step, each of which takes a two-hundredth
	// of what the processor can do in it at twice the load.
	offer := func(load float64) (utilization float64) {
		admitted := 0
		for range perStep {
			if l.Acquire(t.Context()) == nil {
				admitted++
			}
		}
		utilization = min(1, load*float64(admitted)/perStep)
		clock.pass(step)
		used += time.Duration(utilization * 0.5 * float64(step))
		s.write(group+"cpu.stat", stat(used, 0, 0))
		return utilization
	}
	for range 40 {
		offer(2)
	}
	sum := 0.0
	for range 40 {
		sum += offer(2)
	}
	if mean := sum / 40; math.Abs(mean-0.9) > 0.03 {
		t.Errorf("at twice the capacity it is used by %.3f on average, want 0.9", mean)
	}
	if shed := decisions(t, registry)[catalog.DecisionUtilization]; shed < 80*perStep*0.4 || shed > 80*perStep*0.6 {
		t.Errorf("%v of %d were shed, want about half", shed, 80*perStep)
	}
	for range 40 {
		offer(0.5)
	}
	before := decisions(t, registry)[catalog.DecisionUtilization]
	for range 10 {
		offer(0.5)
	}
	if more := decisions(t, registry)[catalog.DecisionUtilization] - before; more > 0 {
		t.Errorf("%v are shed though half of the capacity is free", more)
	}
}

func TestTheShareIsEven(t *testing.T) {
	t.Parallel()
	clock, s := newClock(), container()
	s.write(group+"cpu.stat", stat(0, 0, 0))
	collector := newCollector(t, saturation.Config{Root: s, Now: clock.Now})
	l := newLimiter(t, saturation.LimiterConfig{Collector: collector, MaxUtilization: 0.5, Now: clock.Now})
	clock.pass(time.Second)
	s.write(group+"cpu.stat", stat(500*time.Millisecond, 0, 0)) // all of it
	pattern := ""
	for range 12 {
		if l.Acquire(t.Context()) == nil {
			pattern += "+"
		} else {
			pattern += "-"
		}
	}
	if pattern != "-+-+-+-+-+-+" {
		t.Errorf("half of the requests are %s, want every other", pattern)
	}
}

func TestANilLimiterAdmitsAll(t *testing.T) {
	t.Parallel()
	var l *saturation.Limiter
	if err := l.Acquire(t.Context()); err != nil {
		t.Error(err)
	}
	l.Release()
	if u := l.Usage(); u != (saturation.Usage{}) {
		t.Errorf("usage %+v", u)
	}
}

func TestLimiterConfigOutOfBounds(t *testing.T) {
	t.Parallel()
	_, err := saturation.NewLimiter(saturation.LimiterConfig{
		Concurrency: -1, Queue: -2, MaxWait: time.Hour, TargetWait: 2 * time.Hour, MaxUtilization: math.NaN(), RetryAfter: -1,
	})
	for _, want := range []string{
		"Concurrency: -1 is out of bounds: use 1 to 1000000, or 0 for any number", "Queue: -2 is out of bounds",
		"MaxWait: 1h0m0s is out of bounds: use 1ms to 1m", "TargetWait: 2h0m0s is out of bounds",
		"MaxUtilization: NaN is not a share", "RetryAfter: -1ns is out of bounds",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant it to say %s", err, want)
		}
	}
	if _, err := saturation.NewLimiter(saturation.LimiterConfig{}); err == nil || !strings.Contains(err.Error(), "nothing is limited") {
		t.Errorf("got %v", err)
	}
	registry := prometheus.NewRegistry()
	if _, err := saturation.NewLimiter(saturation.LimiterConfig{Concurrency: 1, Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	if _, err := saturation.NewLimiter(saturation.LimiterConfig{Concurrency: 1, Registerer: registry}); err == nil {
		t.Error("two limiters export the same series")
	}
}

func TestAdmittingAllocatesNothing(t *testing.T) {
	collector := newCollector(t, saturation.Config{Root: container()})
	for name, c := range map[string]saturation.LimiterConfig{
		"concurrency": {Concurrency: 4}, "utilization": {Collector: collector, MaxUtilization: 1},
		"both": {Concurrency: 4, Collector: collector, MaxUtilization: 1},
	} {
		l, ctx := newLimiter(t, c), t.Context()
		l.Acquire(ctx) // takes the sample that one request in half a second takes
		l.Release()
		if n := testing.AllocsPerRun(1000, func() {
			if l.Acquire(ctx) == nil {
				l.Release()
			}
		}); n >= 1 {
			t.Errorf("%s: %v allocations per request", name, n)
		}
	}
	knee, err := saturation.NewKnee(saturation.KneeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		e := knee.Enter(now)
		now = now.Add(time.Millisecond)
		knee.Leave(e, now, true)
	}); n != 0 {
		t.Errorf("the knee: %v allocations per request", n)
	}
}
