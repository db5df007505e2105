package cputime_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/internal/cputime"
)

// burn does work that takes some milliseconds of processor time.
func burn() {
	block := make([]byte, 1<<20)
	for range 16 {
		sum := sha256.Sum256(block)
		copy(block, sum[:])
	}
}

func TestItCountsOwnWorkAndNotThatOfOthers(t *testing.T) {
	t.Parallel()
	if !cputime.Supported {
		t.Skip("threads have no clock here")
	}
	begin, done := make(chan struct{}), make(chan time.Duration)
	go func() {
		<-begin
		watch := cputime.Start()
		burn()
		done <- watch.Stop()
	}()
	// The whole time of the other one's work passes within this measurement.
	watch := cputime.Start()
	close(begin)
	other := <-done
	own := watch.Stop()
	if other <= 0 || own < 0 || own >= other/2 {
		t.Errorf("the one that worked used %s, and the one that waited %s", other, own)
	}
}

func TestMeasurementsNest(t *testing.T) {
	t.Parallel()
	outer := cputime.Start()
	inner := cputime.Start()
	burn()
	in, out := inner.Stop(), outer.Stop()
	if out < in || cputime.Supported != (in > 0) {
		t.Errorf("inner %s, outer %s", in, out)
	}
}

func BenchmarkStopwatch(b *testing.B) {
	for b.Loop() {
		cputime.Start().Stop()
	}
}
