package knee_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"

	"github.com/cacheu/plumbline/agent/internal/knee"
)

// The services of these tests are simulated event by event, with a clock of
// their own, so that minutes of traffic take milliseconds and every run is the
// same.

// service is what is simulated.
type service struct {
	// servers is how many requests are served at a time; 0 means all.
	servers int
	// time draws a service time in seconds.
	time func(*rand.Rand) float64
	// shared divides the servers among all that are there, as processors are;
	// else requests wait in line.
	shared bool
	// rate is how many requests arrive per second at a time, at random.
	rate func(at float64) float64
}

func fixed(s float64) func(*rand.Rand) float64 { return func(*rand.Rand) float64 { return s } }

func exponential(mean float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return r.ExpFloat64() * mean }
}

// mixed is short and long requests by turns of a coin.
func mixed(short, long float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		if r.IntN(2) == 0 {
			return long
		}
		return short
	}
}

func steady(rate float64) func(float64) float64 { return func(float64) float64 { return rate } }

const (
	block  = 5 * time.Second
	blocks = 24
)

// run simulates as many seconds as the recorder remembers and returns it, with
// the time at the end.
func (s service) run(seed uint64) (*knee.Recorder, time.Time) {
	origin := time.Unix(1_000_000, 0)
	r := knee.NewRecorder(origin, block, blocks)
	random := rand.New(rand.NewPCG(seed, 7))
	end := (time.Duration(blocks) * block).Seconds() + 1
	at := func(t float64) time.Time { return origin.Add(time.Duration(t * 1e9)) }
	if s.shared {
		s.runShared(r, random, end, at)
	} else {
		s.runInLine(r, random, end, at)
	}
	return r, at(end)
}

// runInLine gives each arrival the server that is free first: so no queue has
// to be kept, only when each request ends.
func (s service) runInLine(r *knee.Recorder, random *rand.Rand, end float64, at func(float64) time.Time) {
	free, ends := &floats{}, &departures{}
	for range s.servers {
		heap.Push(free, 0.0)
	}
	for t := random.ExpFloat64() / s.rate(0); t < end; t += random.ExpFloat64() / s.rate(t) {
		for ends.Len() > 0 && (*ends)[0].at <= t {
			d := heap.Pop(ends).(departure)
			r.Leave(d.entry, at(d.at), true)
		}
		begin := t
		if s.servers > 0 {
			begin = max(t, heap.Pop(free).(float64))
		}
		done := begin + s.time(random)
		if s.servers > 0 {
			heap.Push(free, done)
		}
		heap.Push(ends, departure{done, r.Enter(at(t))})
	}
}

// runShared serves all at once, each at the same speed.
func (s service) runShared(r *knee.Recorder, random *rand.Rand, end float64, at func(float64) time.Time) {
	type job struct {
		left  float64
		entry knee.Entry
	}
	var jobs []job
	t, arrival := 0.0, random.ExpFloat64()/s.rate(0)
	for t < end {
		speed := min(1, float64(s.servers)/float64(len(jobs)))
		first, shortest := -1, math.Inf(1)
		for i, j := range jobs {
			if j.left < shortest {
				first, shortest = i, j.left
			}
		}
		next := t + shortest/speed
		step := min(next, arrival) - t
		for i := range jobs {
			jobs[i].left -= step * speed
		}
		t += step
		if next <= arrival {
			r.Leave(jobs[first].entry, at(t), true)
			jobs = append(jobs[:first], jobs[first+1:]...)
			continue
		}
		jobs = append(jobs, job{s.time(random), r.Enter(at(t))})
		arrival = t + random.ExpFloat64()/s.rate(t)
	}
}

type floats []float64

func (h floats) Len() int           { return len(h) }
func (h floats) Less(i, j int) bool { return h[i] < h[j] }
func (h floats) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *floats) Push(x any)        { *h = append(*h, x.(float64)) }
func (h *floats) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

type departure struct {
	at    float64
	entry knee.Entry
}

type departures []departure

func (h departures) Len() int           { return len(h) }
func (h departures) Less(i, j int) bool { return h[i].at < h[j].at }
func (h departures) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *departures) Push(x any)        { *h = append(*h, x.(departure)) }
func (h *departures) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
