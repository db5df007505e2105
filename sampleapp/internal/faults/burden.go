package faults

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// burdenLimit is the memory limit while memory is a fault, in bytes: enough
	// for the service, and little for the machine.
	burdenLimit = 160 << 20
	// leakFrom is the share of it from which a leak grows, and leakPerSecond how
	// much it grows.
	leakFrom, leakPerSecond = 0.55, 0.01
	// noiseSize is the size of one piece of garbage in bytes, and noiseKept how
	// many of them are kept at a time, so that there is something to mark.
	noiseSize, noiseKept = 512, 20_000
)

// Burden uses memory up, or makes garbage, as far as that is on, until ctx ends.
// While memory is in use, the process has a memory limit of 160 MiB. A nil source
// returns at once.
func (s *Source) Burden(ctx context.Context) {
	if s == nil {
		return
	}
	for wait(ctx, poll) {
		switch on := s.Active(); {
		case on.MemoryShare > 0:
			s.fill(ctx, func(Active, float64) float64 { return s.Active().MemoryShare })
		case on.LeakShare > 0:
			s.fill(ctx, func(on Active, seconds float64) float64 { return min(leakFrom+leakPerSecond*seconds, on.LeakShare) })
		case on.Garbage:
			s.litter(ctx)
		}
	}
}

// fill keeps as much memory in use as share says, of the limit, by the seconds
// that have passed, and gives it back when that is over.
func (s *Source) fill(ctx context.Context, share func(on Active, seconds float64) float64) {
	before := debug.SetMemoryLimit(burdenLimit)
	var held [][]byte
	began := time.Now()
	for on := s.Active(); (on.MemoryShare > 0 || on.LeakShare > 0) && wait(ctx, poll); on = s.Active() {
		goal := share(on, time.Since(began).Seconds()) * burdenLimit
		for missing := goal - inUse(); missing >= 1<<20; missing -= 1 << 20 {
			block := make([]byte, 1<<20)
			for i := range block { // pages that nobody has written to are not in use
				block[i] = byte(i)
			}
			held = append(held, block)
		}
	}
	runtime.KeepAlive(held)
	held = nil
	debug.SetMemoryLimit(before)
	debug.FreeOSMemory()
}

// inUse is the memory that counts against the limit, in bytes.
func inUse() float64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	for _, sample := range samples {
		if sample.Value.Kind() != metrics.KindUint64 {
			return math.Inf(1) // nothing is added to what cannot be measured
		}
	}
	return float64(samples[0].Value.Uint64()) - float64(samples[1].Value.Uint64())
}

// litter makes garbage on two goroutines until that is over.
func (s *Source) litter(ctx context.Context) {
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			kept := make([]*[noiseSize / 8]*byte, noiseKept)
			for i := 0; ; i++ {
				if i%noiseKept == 0 && (ctx.Err() != nil || !s.Active().Garbage) {
					return
				}
				piece := new([noiseSize / 8]*byte)
				piece[0] = new(byte)
				kept[i%noiseKept] = piece
			}
		})
	}
	group.Wait()
}
