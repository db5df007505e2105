package saturation_test

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
)

// These tests change settings of the process, so that none of them is parallel.

// TestGoroutinesThatWaitForAProcessor keeps more goroutines busy than there are
// processors. On average all but one of them wait, whoever gets to run: that is
// no question of speed. It also tells whether the runtime still measures one
// wait in eight.
func TestGoroutinesThatWaitForAProcessor(t *testing.T) {
	if testing.Short() {
		t.Skip("burns a processor for a second")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const busy = 9
	c := newCollector(t, saturation.Config{})
	start := time.Now()
	var wg sync.WaitGroup
	for range busy {
		wg.Go(func() {
			for time.Since(start) < 2*time.Second {
				for range 20_000 { // some tens of microseconds
					_ = time.Duration(0)
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	got := values(t, c, catalog.ResourceSaturation)[catalog.ResourceScheduler]
	t.Logf("%d goroutines on one processor: saturation %.2f", busy, got)
	if got < 0.7*(busy-1) || got > 1.3*(busy-1) {
		t.Errorf("saturation %.2f, want about %d", got, busy-1)
	}
}

func TestMemoryIsComparedWithTheLimitOfTheRuntime(t *testing.T) {
	const limit = 1 << 30
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	block := make([]byte, 256<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	c := newCollector(t, saturation.Config{Root: &system{}})
	got := values(t, c, catalog.ResourceUtilization)[catalog.ResourceMemory]
	runtime.KeepAlive(block)
	if got < 0.25 || got > 0.35 {
		t.Errorf("memory is used by %.3f, want a little more than the quarter that one block takes", got)
	}
}

func TestCollectionTakesAShare(t *testing.T) {
	runtime.GC()
	clock := newClock()
	c := newCollector(t, saturation.Config{Root: &system{}, Now: clock.Now})
	if u := values(t, c, catalog.ResourceUtilization); hasKey(u, catalog.ResourceGC) {
		t.Errorf("before a cycle has ended since the start: %v", u[catalog.ResourceGC])
	}
	for range 5 {
		runtime.GC()
	}
	clock.pass(time.Second)
	first, ok := values(t, c, catalog.ResourceUtilization)[catalog.ResourceGC]
	if !ok || first <= 0 || first > 1 {
		t.Errorf("gc is used by %v, %v", first, ok)
	}
}
