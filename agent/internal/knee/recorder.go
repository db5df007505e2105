package knee

import (
	"sync"
	"sync/atomic"
	"time"
)

// Recorder counts requests. Make one with [NewRecorder].
type Recorder struct {
	origin time.Time
	block  time.Duration
	blocks int

	inFlight atomic.Int64
	last     atomic.Int64 // when something happened last, in ns since origin
	next     atomic.Int64 // when the block of now ends
	cells    [cellCount]counters

	mu     sync.Mutex
	closed [cellCount]sums // what the cells said at the end of the last block
	ring   []Block         // oldest first
	ended  int             // blocks that have ended, ever
}

// counters are what is known of one cell, from the beginning.
type counters struct {
	lasted  atomic.Int64 // ns in which so many were in flight
	found   atomic.Int64 // requests that found so many on arrival, and have ended
	latency atomic.Int64 // ns that they took, added up
}

type sums struct{ lasted, found, latency int64 }

// Block is what happened within a few seconds.
type Block struct {
	// End is when it ended, since the recorder's origin.
	End time.Duration
	// Length is how long it was, in seconds.
	Length float64
	// Requests is how many ended in it.
	Requests float64
	// Cells are those in which something happened.
	Cells []Cell
}

// Cell is what happened in a block with one number of requests in flight.
type Cell struct {
	// N is the number in flight, the mean of a few neighbours where it is large.
	N float64
	// Lasted is for how long so many were in flight, in seconds.
	Lasted float64
	// Found is how many requests found so many others when they arrived, and
	// Latency how long those took, added up, in seconds.
	Found, Latency float64
}

// Entry is a request in flight. The zero value belongs to none.
type Entry struct {
	began int64 // ns since the origin
	cell  int32
	in    bool
}

// NewRecorder returns a recorder that keeps so many blocks of such a length.
func NewRecorder(origin time.Time, block time.Duration, blocks int) *Recorder {
	r := &Recorder{origin: origin, block: block, blocks: blocks, ring: make([]Block, 0, blocks+1)}
	r.next.Store(int64(block))
	return r
}

// Enter notes that a request begins.
func (r *Recorder) Enter(now time.Time) Entry {
	at := int64(now.Sub(r.origin))
	others := r.inFlight.Add(1) - 1
	cell := cellOf(others)
	// What passed since anything happened is charged to the number that was in
	// flight then. Under concurrent calls two neighbours may be mixed up, by
	// the time between the calls; nothing is counted twice or lost.
	r.cells[cell].lasted.Add(at - r.last.Swap(at))
	return Entry{began: at, cell: int32(cell), in: true}
}

// Leave notes that the request ends. Unless it was served, for example because
// it was turned away, it says nothing about how long serving takes.
func (r *Recorder) Leave(e Entry, now time.Time, served bool) {
	if !e.in {
		return
	}
	at := int64(now.Sub(r.origin))
	before := r.inFlight.Add(-1) + 1
	r.cells[cellOf(before)].lasted.Add(at - r.last.Swap(at))
	if served {
		found := &r.cells[e.cell]
		found.found.Add(1)
		found.latency.Add(max(0, at-e.began))
	}
	if next := r.next.Load(); at >= next && r.next.CompareAndSwap(next, at+int64(r.block)) {
		r.close(at)
	}
}

// close ends the block of now.
func (r *Recorder) close(at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	block := Block{End: time.Duration(at)}
	if len(r.ring) == r.blocks { // reuse the memory of the oldest
		block.Cells = r.ring[0].Cells[:0]
		copy(r.ring, r.ring[1:])
		r.ring = r.ring[:len(r.ring)-1]
	}
	for i := range r.cells {
		now := sums{r.cells[i].lasted.Load(), r.cells[i].found.Load(), r.cells[i].latency.Load()}
		was := r.closed[i]
		if now == was {
			continue
		}
		r.closed[i] = now
		cell := Cell{
			N: middleOf(i), Lasted: float64(now.lasted-was.lasted) / 1e9,
			Found: float64(now.found - was.found), Latency: float64(now.latency-was.latency) / 1e9,
		}
		block.Length += cell.Lasted
		block.Requests += cell.Found
		block.Cells = append(block.Cells, cell)
	}
	r.ring = append(r.ring, block)
	r.ended++
}

// Blocks returns a copy of the blocks that ended within the time before now,
// oldest first, and how many blocks have ended ever, by which the caller sees
// whether there is anything new.
func (r *Recorder) Blocks(now time.Time, within time.Duration) (blocks []Block, ended int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := now.Sub(r.origin) - within
	for _, b := range r.ring {
		if b.End > since {
			b.Cells = append([]Cell(nil), b.Cells...)
			blocks = append(blocks, b)
		}
	}
	return blocks, r.ended
}

// Rate returns how many requests per second were served of late: since the
// oldest end of a block within the given time, or the last one.
func (r *Recorder) Rate(now time.Time, within time.Duration) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := now.Sub(r.origin)
	since, requests := time.Duration(0), 0.0
	for i := range r.cells {
		requests += float64(r.cells[i].found.Load() - r.closed[i].found)
	}
	for i := len(r.ring) - 1; i >= 0; i-- {
		since = r.ring[i].End
		if at-since >= within {
			break
		}
		if i == 0 {
			since -= time.Duration(r.ring[i].Length * 1e9)
		}
		requests += r.ring[i].Requests
	}
	if at <= since {
		return 0
	}
	return requests / (at - since).Seconds()
}
