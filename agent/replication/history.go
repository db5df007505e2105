package replication

import (
	"slices"
	"sort"
	"time"
)

// historyLimit is the most stands that a history holds, about 250 KiB.
const historyLimit = 4096

// historyGrain is the share of its age by which a time that is remembered may
// be wrong, as 1 in so many: at one sample a second the last two minutes stay as
// they were sampled, and what happened an hour ago is known to half a minute. A
// year fits into the limit.
const historyGrain = 128

// history remembers when the primary stood where. From it follows how far in
// the past a replica lives, without a clock of any server and without writing
// anything: the replica's position, looked up. The zero value is empty. It is
// not safe for concurrent use.
type history struct {
	stands []stand // ascending in position and time
}

// stand is a position at which the primary was seen, and the first and the last
// time that it was seen there.
type stand struct {
	at           LSN
	since, until time.Time
}

// add notes that the primary stood at a position at a time. Times before the
// last one count as that one. A position before the last one is a primary that
// has lost what its predecessor had written: what lies beyond is forgotten.
func (h *history) add(now time.Time, at LSN) {
	if n := len(h.stands); n > 0 && now.Before(h.stands[n-1].until) {
		now = h.stands[n-1].until
	}
	for len(h.stands) > 0 && h.stands[len(h.stands)-1].at > at {
		h.stands = h.stands[:len(h.stands)-1]
	}
	if n := len(h.stands); n > 0 && h.stands[n-1].at == at {
		h.stands[n-1].until = now
		return
	}
	if len(h.stands) >= historyLimit {
		h.thin()
	}
	h.stands = append(h.stands, stand{at, now, now})
}

// thin drops every stand between two that are close together for their age.
func (h *history) thin() {
	now := h.stands[len(h.stands)-1].until
	kept := h.stands[:1]
	for i := 1; i < len(h.stands)-1; i++ {
		s, gap := h.stands[i], h.stands[i+1].since.Sub(kept[len(kept)-1].until)
		if gap > now.Sub(s.until)/historyGrain {
			kept = append(kept, s)
		}
	}
	kept = append(kept, h.stands[len(h.stands)-1])
	if most := historyLimit * 7 / 8; len(kept) > most {
		kept = kept[len(kept)-most:]
	}
	h.stands = slices.Clip(kept)
}

// last returns the newest position.
func (h *history) last() (at LSN, ok bool) {
	if len(h.stands) == 0 {
		return 0, false
	}
	return h.stands[len(h.stands)-1].at, true
}

// left returns when the primary left a position: between the samples around
// that time, in proportion. It reports false while the primary is not known to
// have left it. A position before all that is remembered was left before the
// time that is returned.
func (h *history) left(at LSN) (time.Time, bool) {
	next := sort.Search(len(h.stands), func(i int) bool { return h.stands[i].at > at })
	switch {
	case next == len(h.stands):
		return time.Time{}, false
	case next == 0:
		return h.stands[0].since, true
	}
	before, after := h.stands[next-1], h.stands[next]
	if before.at == at {
		// It stood exactly there, idle perhaps, and was first seen to have moved
		// on now: what it wrote since is at most one interval older.
		return after.since, true
	}
	gap := after.since.Sub(before.until)
	share := float64(at-before.at) / float64(after.at-before.at)
	return before.until.Add(time.Duration(share * float64(gap))), true
}
