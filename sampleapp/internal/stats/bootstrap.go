package stats

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// draws is the bootstrap of one variant.
type draws struct {
	rounds     [][]int // each request as its rank among all values
	values     []float64
	estimate   statistics
	replicates []statistics
}

// statistics are the mean and the quantiles of levels.
type statistics [1 + len(levels)]float64

// replicates of a bootstrap: enough for the ends of a 95 % interval to move by
// little from seed to seed.
const replicates = 1000

// newDraws draws the bootstrap replicates of all statistics.
func newDraws(rounds [][]float64) *draws {
	rounds = present(rounds)
	d := &draws{}
	type request struct {
		value float64
		round int
	}
	var all []request
	for i, r := range rounds {
		for _, v := range r {
			all = append(all, request{v, i})
		}
	}
	slices.SortFunc(all, func(a, b request) int { return cmp.Compare(a.value, b.value) })
	d.rounds = make([][]int, len(rounds))
	for rank, r := range all {
		d.values = append(d.values, r.value)
		d.rounds[r.round] = append(d.rounds[r.round], rank)
	}
	if len(all) == 0 {
		return d
	}
	once := make([]int32, len(all))
	for i := range once {
		once[i] = 1
	}
	d.estimate = d.of(once, len(all))
	random := rand.New(rand.NewPCG(1, uint64(len(all))))
	counts := make([]int32, len(all))
	for range replicates {
		clear(counts)
		n := 0
		for range d.rounds {
			round := d.rounds[random.IntN(len(d.rounds))]
			for range round {
				counts[round[random.IntN(len(round))]]++
			}
			n += len(round)
		}
		d.replicates = append(d.replicates, d.of(counts, n))
	}
	return d
}

// of computes the statistics of a sample of n, given how often it holds each
// value.
func (d *draws) of(counts []int32, n int) statistics {
	var s statistics
	seen, sum, next := 0, 0.0, 0
	for rank, c := range counts {
		if c == 0 {
			continue
		}
		seen += int(c)
		sum += float64(c) * d.values[rank]
		// As in Quantile: the value at the index floor(q*n).
		for next < len(levels) && seen > min(int(levels[next]*float64(n)+1e-9), n-1) {
			s[1+next] = d.values[rank]
			next++
		}
	}
	s[0] = sum / float64(n)
	return s
}

// interval returns a statistic with its interval.
func (d *draws) interval(i int) Interval {
	low, high := spread(d.replicates, func(s statistics) float64 { return s[i] })
	return Interval{d.estimate[i], low, high}
}

// spread returns the middle 95 % of the replicates.
func spread(all []statistics, of func(statistics) float64) (low, high float64) {
	values := make([]float64, len(all))
	for i, s := range all {
		values[i] = of(s)
	}
	slices.Sort(values)
	return Quantile(values, 0.025), Quantile(values, 0.975)
}
