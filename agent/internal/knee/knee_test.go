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

// TestKneeOfEveryKind is about services that the requirement does not speak of.
// There may be no estimate where next to none has to wait; where there is one,
// it has to be right nearly always. What it prints is in the decision record.
func TestKneeOfEveryKind(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("simulates some hundred services")
	}
	const runs, s = 10, 0.020
	for name, kind := range map[string]service{
		"a line, fixed service times":          {time: fixed(s)},
		"a line, exponential service times":    {time: exponential(s)},
		"shared processors, fixed times":       {time: fixed(s), shared: true},
		"shared processors, exponential times": {time: exponential(s), shared: true},
		"a line, short requests and long ones": {time: mixed(0.2*s, 1.8*s)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all outcome
			for _, servers := range []int{1, 2, 4, 8, 16} {
				for _, load := range []float64{0.5, 0.6, 0.7, 0.8} {
					truth := float64(servers) / s
					one := kind
					one.servers, one.rate = servers, steady(load*truth)
					all = all.plus(one.estimate(runs, truth))
				}
			}
			t.Log(all)
			if all.present < all.runs*2/3 || all.close < all.present*95/100 || all.covered < all.present*9/10 {
				t.Error("want an estimate in two thirds of the runs, 95 % of those within 15 %, and 9 of 10 error bars right")
			}
		})
	}
}

func (o outcome) plus(p outcome) outcome {
	return outcome{o.runs + p.runs, o.present + p.present, o.close + p.close, o.covered + p.covered, max(o.worst, p.worst)}
}

// TestNoEstimateWhereNoneCanBeMade: a number that is not there makes people
// look, a wrong one makes them sure.
func TestNoEstimateWhereNoneCanBeMade(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]service{
		"nobody ever waits, and times vary":       {time: exponential(0.05), rate: steady(200)},
		"nobody ever waits, and all take as long": {time: fixed(0.1), rate: steady(100)},
		"two kinds of requests that never wait":   {time: mixed(0.01, 0.2), rate: steady(100)},
		"next to no load":                         {servers: 4, time: fixed(0.02), rate: steady(4)},
		"few requests":                            {servers: 1, time: fixed(1), rate: steady(0.5)},
		"none":                                    {servers: 1, time: fixed(1), rate: steady(1e-9)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if o := s.estimate(10, 1); o.present > 0 {
				t.Errorf("%d of %d runs have an estimate", o.present, o.runs)
			}
		})
	}
}

// TestKneeWhileTheLoadChanges: the load doubles within the window.
func TestKneeWhileTheLoadChanges(t *testing.T) {
	t.Parallel()
	const s, servers = 0.020, 4
	half := (time.Duration(blocks) * block).Seconds() / 2
	o := service{servers: servers, time: fixed(s), rate: func(at float64) float64 {
		if at < half {
			return 0.4 * servers / s
		}
		return 0.8 * servers / s
	}}.estimate(10, servers/s)
	t.Log(o)
	if o.close < 10 || o.covered < 9 {
		t.Error("want all estimates within 15 %, and 9 of 10 error bars right")
	}
}

func TestTheCurveOfAnEstimate(t *testing.T) {
	t.Parallel()
	r, now := service{servers: 4, time: fixed(0.02), rate: steady(140)}.run(1)
	all, _ := r.Blocks(now, time.Hour)
	e, ok := knee.Fit(all)
	if !ok {
		t.Fatal("no estimate")
	}
	if e.Servers != 4 || math.Abs(e.Service-0.02) > 0.0005 {
		t.Errorf("%v places of %v s, want 4 of 0.02", e.Servers, e.Service)
	}
	var latency, requests float64
	for _, b := range all {
		for _, c := range b.Cells {
			latency, requests = latency+c.Latency, requests+c.Found
		}
	}
	load := requests / now.Sub(time.Unix(1_000_000, 0)).Seconds() / e.Knee
	if got, want := e.Latency(load), latency/requests; math.Abs(got-want) > 0.02*want {
		t.Errorf("at %.3f of the knee the curve says %v s, measured are %v", load, got, want)
	}
	for load := 0.1; load < 0.95; load += 0.1 {
		if e.Latency(load) >= e.Latency(load+0.05) {
			t.Errorf("the curve does not rise at %v", load)
		}
	}
	if e.Latency(0) != e.Service || e.Latency(1) != e.Service || e.Latency(math.NaN()) != e.Service {
		t.Error("outside of 0 to 1 the curve is not the service time")
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
