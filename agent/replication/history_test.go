package replication_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/replication"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func second(n float64) time.Time { return epoch.Add(time.Duration(n * float64(time.Second))) }

func TestHistoryTellsWhenThePrimaryLeftAPosition(t *testing.T) {
	t.Parallel()
	type sample struct {
		second float64
		at     replication.LSN
	}
	for name, c := range map[string]struct {
		samples []sample
		at      replication.LSN
		want    float64 // second; negative: not left
	}{
		"nothing is known":                               {nil, 5, -1},
		"it stands there":                                {[]sample{{0, 100}, {1, 200}}, 200, -1},
		"it has not come so far":                         {[]sample{{0, 100}, {1, 200}}, 300, -1},
		"half way between two samples":                   {[]sample{{0, 100}, {1, 200}, {2, 400}}, 300, 1.5},
		"a tenth of the way":                             {[]sample{{0, 100}, {10, 200}}, 110, 1},
		"it was idle there for a while":                  {[]sample{{0, 100}, {1, 100}, {60, 100}, {61, 200}}, 100, 61},
		"in the middle of a burst after an idle hour":    {[]sample{{0, 100}, {3600, 100}, {3601, 200}}, 150, 3600.5},
		"before all that is remembered":                  {[]sample{{7, 100}, {8, 200}}, 50, 7},
		"beyond what its successor had not received":     {[]sample{{0, 100}, {1, 200}, {2, 300}, {5, 150}, {6, 250}}, 200, 5.5},
		"the successor stands where the old one was":     {[]sample{{0, 100}, {1, 200}, {5, 100}, {6, 300}}, 100, 6},
		"a sample that is older than the one before":     {[]sample{{5, 100}, {4, 200}, {6, 300}}, 250, 5.5},
		"positions that no 32 bits, no float32 can hold": {[]sample{{0, 1 << 60}, {2, 1<<60 + 4}}, 1<<60 + 2, 1},
	} {
		var h replication.History
		for _, s := range c.samples {
			h.Add(second(s.second), s.at)
		}
		got, left := h.Left(c.at)
		if left != (c.want >= 0) || left && got.Sub(second(c.want)).Abs() > time.Millisecond {
			t.Errorf("%s: left %v after %v, want %v s", name, left, got.Sub(epoch), c.want)
		}
	}
}

// TestHistoryIsBoundedAndStaysTrue writes for days, and asks for every time
// that was sampled.
func TestHistoryIsBoundedAndStaysTrue(t *testing.T) {
	t.Parallel()
	var h replication.History
	random := rand.New(rand.NewPCG(1, 2))
	var at replication.LSN
	positions := make([]replication.LSN, 200_000)
	for i := range positions {
		at += replication.LSN(1 + random.IntN(1<<20))
		positions[i] = at
		h.Add(second(float64(i)), at)
		if h.Len() > replication.HistoryLimit {
			t.Fatalf("%d stands after %d samples", h.Len(), i+1)
		}
	}
	last := len(positions) - 1
	for i := 0; i < last; i++ {
		got, left := h.Left(positions[i])
		if !left {
			t.Fatalf("position %d of %d was not left", i, last)
		}
		age := float64(last - i)
		// One second exactly is what it stays ahead by when it was seen there.
		wrong := got.Sub(second(float64(i + 1))).Abs().Seconds()
		if limit := 1 + age/100; wrong > limit {
			t.Fatalf("%v s ago: wrong by %v s, want at most %v s", age, wrong, limit)
		}
	}
	if newest, _ := h.Left(positions[last-100]); !newest.Equal(second(float64(last - 99))) {
		t.Errorf("a new time is not exact: %v", newest.Sub(epoch))
	}
}
