package load

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceKeepsThePlannedTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9999*time.Millisecond)
		defer cancel()
		start, n := time.Now(), 0
		pace(ctx, 8, func(planned time.Time) {
			want := start.Add(time.Duration(n) * 125 * time.Millisecond)
			if !planned.Equal(want) || !time.Now().Equal(want) {
				t.Errorf("request %d: planned %v, sent %v, want %v", n, planned.Sub(start), time.Since(start), want.Sub(start))
			}
			n++
		}, func(int) { t.Error("skipped") })
		if n != 80 {
			t.Errorf("sent %d requests in 10 s at 8 per second, want 80", n)
		}
	})
}

// A send that takes long (which it must not) delays what follows, and is then
// made up for: the number of requests stays what was offered.
func TestPaceMakesUpForAShortDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9999*time.Millisecond)
		defer cancel()
		n, late := 0, 0
		pace(ctx, 10, func(planned time.Time) {
			if n == 20 {
				time.Sleep(900 * time.Millisecond)
			}
			if time.Since(planned) > 0 {
				late++
			}
			n++
		}, func(int) { t.Error("skipped") })
		// The slow one is late, and the eight that were planned meanwhile.
		if n != 100 || late != 9 {
			t.Errorf("sent %d, %d of them late, want 100 and 9", n, late)
		}
	})
}

func TestPaceSkipsWhatALongStopMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 99_999*time.Millisecond)
		defer cancel()
		sent, skipped, latest := 0, 0, time.Duration(0)
		pace(ctx, 10, func(planned time.Time) {
			if sent == 50 {
				time.Sleep(40 * time.Second) // the machine was suspended
			} else {
				latest = max(latest, time.Since(planned))
			}
			sent++
		}, func(n int) { skipped += n })
		if sent+skipped != 1000 {
			t.Errorf("sent %d and skipped %d, want 1000 together", sent, skipped)
		}
		if skipped < 385 || skipped > 395 {
			t.Errorf("skipped %d, want the 390 or so of 39 s", skipped)
		}
		if latest > maxLate {
			t.Errorf("one was sent %v late, want at most %v", latest, maxLate)
		}
	})
}
