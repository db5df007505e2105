package knee_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/internal/knee"
)

// within is how far an estimate may be from the truth.
const within = 0.15

// outcome is what many runs of one service came to.
type outcome struct {
	runs, present, close, covered int
	worst                         float64
}

func (o outcome) String() string {
	return fmt.Sprintf("%d of %d runs have an estimate, %d within 15 %%, the worst is off by %.1f %%, %d error bars hold the truth",
		o.present, o.runs, o.close, o.worst*100, o.covered)
}

// estimate runs a service many times.
func (s service) estimate(runs int, truth float64) outcome {
	o := outcome{runs: runs}
	for seed := range runs {
		r, now := s.run(uint64(seed))
		all, _ := r.Blocks(now, time.Hour)
		e, ok := knee.Fit(all)
		if !ok {
			continue
		}
		o.present++
		off := math.Abs(e.Knee-truth) / truth
		o.worst = max(o.worst, off)
		if off <= within {
			o.close++
		}
		if math.Abs(e.Knee-truth) <= e.Error {
			o.covered++
		}
	}
	return o
}

// TestKneeOfAKnownService is what the estimate has to reach: on a service with
// c workers and a fixed service time, at 50 to 80 % load, within 15 % of what
// it can do, with an error bar that holds the truth in at least 9 of 10 runs.
func TestKneeOfAKnownService(t *testing.T) {
	t.Parallel()
	const runs, s = 10, 0.020
	for _, servers := range []int{1, 2, 4, 8} {
		for _, load := range []float64{0.5, 0.6, 0.7, 0.8} {
			t.Run(fmt.Sprintf("%d workers at %.0f %%", servers, load*100), func(t *testing.T) {
				t.Parallel()
				truth := float64(servers) / s
				o := service{servers: servers, time: fixed(s), rate: steady(load * truth)}.estimate(runs, truth)
				t.Log(o)
				if o.present < runs || o.close < runs || o.covered < 9*runs/10 {
					t.Error("want an estimate in every run, all within 15 %, and 9 of 10 error bars right")
				}
			})
		}
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	origin := time.Unix(0, 0)
	for _, n := range []int{0, 1, 63, 64, 67, 68, 127, 128, 1000, 5000} {
		r := knee.NewRecorder(origin, time.Second, 2)
		for range n {
			r.Enter(origin)
		}
		e := r.Enter(origin)
		r.Leave(e, origin.Add(2*time.Second), true)
		all, _ := r.Blocks(origin.Add(2*time.Second), time.Hour)
		for _, c := range all[0].Cells {
			if c.Found > 0 && math.Abs(c.N-float64(n)) > 0.04*float64(n) {
				t.Errorf("%d in flight are counted as %v", n, c.N)
			}
		}
	}
}

// TestNothingIsLostUnderConcurrency has many goroutines enter and leave, and
// expects every request and all of the time in the blocks.
func TestNothingIsLostUnderConcurrency(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 5000
	origin := time.Now()
	r := knee.NewRecorder(origin, time.Millisecond, 1_000_000)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				e := r.Enter(time.Now())
				r.Leave(e, time.Now(), i%10 != 0)
			}
		})
	}
	wg.Wait()
	end := time.Now().Add(time.Hour)
	r.Leave(r.Enter(end), end.Add(time.Second), true) // closes the last block
	var requests, lasted, latency float64
	all, _ := r.Blocks(end, 2*time.Hour)
	for _, b := range all {
		requests += b.Requests
		for _, c := range b.Cells {
			lasted += c.Lasted
			latency += c.Latency
		}
	}
	if want := float64(workers*each*9/10 + 1); requests != want {
		t.Errorf("%v requests are counted, want %v", requests, want)
	}
	if want := end.Add(time.Second).Sub(origin).Seconds(); math.Abs(lasted-want) > 1e-6 {
		t.Errorf("%v s are counted, want %v", lasted, want)
	}
	if latency < 1 || latency > 1+workers*end.Sub(origin).Seconds() {
		t.Errorf("latency of %v s", latency)
	}
}

func TestBlocksAreForgotten(t *testing.T) {
	t.Parallel()
	origin := time.Unix(1000, 0)
	r := knee.NewRecorder(origin, time.Second, 3)
	at := func(s float64) time.Time { return origin.Add(time.Duration(s * 1e9)) }
	for i := range 100 { // ten a second
		r.Leave(r.Enter(at(float64(i)/10)), at(float64(i)/10+0.05), true)
	}
	all, ended := r.Blocks(at(10), time.Hour)
	if len(all) != 3 || ended != 9 {
		t.Fatalf("%d blocks of %d, want 3 of 9", len(all), ended)
	}
	if b := all[2]; b.Requests != 10 || math.Abs(b.Length-1) > 0.11 {
		t.Errorf("the last block has %v requests in %v s, want 10 in 1", b.Requests, b.Length)
	}
	if rate := r.Rate(at(10), 2*time.Second); math.Abs(rate-10) > 0.6 {
		t.Errorf("rate %v, want 10", rate)
	}
	if rate := r.Rate(at(1000), 2*time.Second); rate > 0.02 {
		t.Errorf("rate %v after a long silence", rate)
	}
	if all, _ := r.Blocks(at(1000), time.Minute); len(all) != 0 {
		t.Errorf("%d blocks are of the last minute, want none", len(all))
	}
}

func TestAnEntryOfNoneIsNothing(t *testing.T) {
	t.Parallel()
	origin := time.Unix(0, 0)
	r := knee.NewRecorder(origin, time.Second, 3)
	r.Leave(knee.Entry{}, origin.Add(time.Hour), true)
	if all, ended := r.Blocks(origin.Add(time.Hour), time.Hour); len(all) != 0 || ended != 0 {
		t.Errorf("%v", all)
	}
	if rate := r.Rate(origin.Add(time.Hour), time.Minute); rate != 0 {
		t.Errorf("rate %v", rate)
	}
}
