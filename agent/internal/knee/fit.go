package knee

import (
	"math"
	"math/rand/v2"
)

// What a fit must reach to be worth anything. A number that is not there makes
// people look; a wrong one makes them sure.
const (
	// minRequests is the least number of requests, and minQueued that of
	// requests which found the bottleneck full: without those, nobody has seen
	// latency bend.
	minRequests = 200
	minQueued   = 30
	// minBlocks is the least number of blocks, because the error is found by
	// comparing them.
	minBlocks = 8
	// minExplained is the least share of what latency varies by with the
	// number in flight that the fit must explain.
	minExplained = 0.8
	// maxError is the largest relative half width of the interval.
	maxError = 0.3
	// minError is the least: the shapes are idealized.
	minError = 0.01
	// resamples is the size of the bootstrap.
	resamples = 60
	// maxServers is the largest bottleneck that is looked for.
	maxServers = 1 << 12
)

// Estimate is a fit.
type Estimate struct {
	// Knee is the capacity in requests per second, and Error the half width of
	// its 95 % interval.
	Knee, Error float64
	// Servers is how many requests are served at a time, and Service how long
	// each takes without waiting, in seconds.
	Servers, Service float64
	// Spread scales the curve of [Estimate.Latency] so that it passes through
	// what was measured: about 1 for random arrivals and service times, half
	// of that for fixed ones.
	Spread float64
	// Explained is the share of the variation that the fit explains.
	Explained float64
}

// Fit estimates the knee, and returns false while it cannot be told.
func Fit(blocks []Block) (Estimate, bool) {
	if len(blocks) < minBlocks {
		return Estimate{}, false
	}
	one := table{}
	one.fill(blocks)
	if one.requests < minRequests {
		return Estimate{}, false
	}
	best := one.search(1, maxServers)
	if !best.ok || one.queued(best.c) < minQueued || best.explained < minExplained {
		return Estimate{}, false
	}
	e := Estimate{Knee: best.c / best.s, Servers: best.c, Service: best.s, Explained: best.explained}
	spread, ok := bootstrap(blocks, best.c)
	if !ok {
		return Estimate{}, false
	}
	e.Error = max(1.96*spread, minError*e.Knee)
	if !(e.Error <= maxError*e.Knee) {
		return Estimate{}, false
	}
	e.Spread = 1
	if curve := e.queueing(one.rate() / e.Knee); curve > 0 {
		e.Spread = max(0, (one.latency/one.requests-e.Service)/(e.Service*curve))
	}
	return e, true
}

// Latency returns the mean latency in seconds that is to be expected at a share
// of the knee below 1, by Sakasegawa's approximation (1977).
func (e Estimate) Latency(load float64) float64 {
	return e.Service * (1 + e.Spread*e.queueing(load))
}

// queueing is the mean wait in units of the service time for random arrivals
// and service times.
func (e Estimate) queueing(load float64) float64 {
	if !(load > 0 && load < 1) {
		return 0
	}
	return math.Pow(load, math.Sqrt(2*(e.Servers+1))-1) / (e.Servers * (1 - load))
}

// bootstrap returns the standard deviation of the knee over random choices of
// blocks. It fails where too many of them allow no fit.
func bootstrap(blocks []Block, c float64) (deviation float64, ok bool) {
	random := rand.New(rand.NewPCG(uint64(len(blocks)), math.Float64bits(c))) // the same each time
	chosen := make([]Block, len(blocks))
	one := table{}
	var n, sum, squares float64
	for range resamples {
		for i := range chosen {
			chosen[i] = blocks[random.IntN(len(blocks))]
		}
		one.fill(chosen)
		fit := one.search(math.Floor(c/2), math.Ceil(2*c)+2)
		if !fit.ok {
			continue
		}
		knee := fit.c / fit.s
		n++
		sum += knee
		squares += knee * knee
	}
	if n < resamples*0.9 {
		return 0, false
	}
	mean := sum / n
	return math.Sqrt(max(0, squares/n-mean*mean) * n / (n - 1)), true
}

// table is the sum of blocks, by the number in flight.
type table struct {
	total                      [cellCount]Cell
	ns, lasted, found, mean    []float64
	seconds, requests, latency float64
	predicted                  []float64
}

func (t *table) fill(blocks []Block) {
	t.total = [cellCount]Cell{}
	t.seconds, t.requests, t.latency = 0, 0, 0
	for _, b := range blocks {
		for _, c := range b.Cells {
			sum := &t.total[cellOf(int64(c.N))]
			sum.N = c.N
			sum.Lasted += c.Lasted
			sum.Found += c.Found
			sum.Latency += c.Latency
		}
	}
	t.ns, t.lasted, t.found, t.mean = t.ns[:0], t.lasted[:0], t.found[:0], t.mean[:0]
	for _, c := range t.total {
		if c.Lasted <= 0 && c.Found <= 0 {
			continue
		}
		mean := 0.0
		if c.Found > 0 {
			mean = c.Latency / c.Found
		}
		t.ns, t.lasted = append(t.ns, c.N), append(t.lasted, c.Lasted)
		t.found, t.mean = append(t.found, c.Found), append(t.mean, mean)
		t.seconds += c.Lasted
		t.requests += c.Found
		t.latency += c.Latency
	}
	t.predicted = append(t.predicted[:0], t.ns...)
}

func (t *table) rate() float64 { return t.requests / t.seconds }

// inside is the mean number of requests within a bottleneck with c places.
func (t *table) inside(c float64) float64 {
	sum := 0.0
	for i, n := range t.ns {
		sum += t.lasted[i] * min(n, c)
	}
	return sum / t.seconds
}

// queued counts the requests that found c places taken.
func (t *table) queued(c float64) float64 {
	sum := 0.0
	for i, n := range t.ns {
		if n >= c {
			sum += t.found[i]
		}
	}
	return sum
}

// candidate is one number of places, with the service time that goes with it.
type candidate struct {
	c, s, explained float64
	ok              bool
}

// search tries the numbers of places from low to high, all shapes with each,
// and returns the one that leaves the smallest sum of squares.
func (t *table) search(low, high float64) candidate {
	if !(t.seconds > 0 && t.requests > 0) {
		return candidate{}
	}
	flat := t.squares(t.latency/t.requests, nil)
	best, least := candidate{}, math.Inf(1)
	for c := max(1, low); c <= high; c = following(c) {
		queued := t.queued(c)
		if queued == 0 {
			break
		}
		inside := t.inside(c)
		s := inside / t.rate()
		if !(s > 0) {
			continue
		}
		for i := range shapeCount {
			shapeOf(i)(c, inside/c, t.ns, t.predicted)
			if left := t.squares(s, t.predicted); left < least {
				least = left
				best = candidate{c: c, s: s, ok: true}
			}
		}
	}
	if flat > 0 {
		best.explained = 1 - least/flat
	}
	return best
}

// following is the next number of places to try: each one up to 64, then in
// steps of 3 %.
func following(c float64) float64 { return c + max(1, math.Floor(c*0.03)) }

// squares is the weighted sum of squares between the measured mean latencies
// and s, times the factors where there are any.
func (t *table) squares(s float64, factors []float64) float64 {
	sum := 0.0
	for i, n := range t.found {
		if n == 0 {
			continue
		}
		expected := s
		if factors != nil {
			expected *= factors[i]
		}
		sum += n * (t.mean[i] - expected) * (t.mean[i] - expected)
	}
	return sum
}
