package stats

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Alpha is the chance of a false alarm that a comparison as a whole accepts.
const Alpha = 0.05

// minRounds is the least number of rounds of each variant with which a p-value
// below Alpha is possible: C(10,5) = 252 ways, two sides, two tests.
const minRounds = 5

// Verdict is what a comparison says.
type Verdict string

// The verdicts.
const (
	NoDifference Verdict = "no difference"
	Slower       Verdict = "slower"
	Faster       Verdict = "faster"
	TooFew       Verdict = "too few rounds to tell"
)

// Test is one of the two questions that are asked.
type Test struct {
	// P is the two-sided p-value, doubled because there are two tests.
	P float64 `json:"p"`
	// Verdict is about the second variant.
	Verdict Verdict `json:"verdict"`
}

// Comparison is what a second variant differs by from a first.
type Comparison struct {
	// Location is the rank-sum test of Mann and Whitney: whether requests as a
	// whole moved.
	Location Test `json:"location"`
	// Superiority is the probability that a request of the second variant took
	// longer than one of the first: 0.5 when there is no difference.
	Superiority float64 `json:"superiority"`
	// Tail is the test of the P99.
	Tail Test `json:"tail"`
	// MeanRatio, P50Ratio and P99Ratio are second over first, with 95 %
	// bootstrap intervals.
	MeanRatio Interval `json:"mean_ratio"`
	P50Ratio  Interval `json:"p50_ratio"`
	P99Ratio  Interval `json:"p99_ratio"`
}

// Compare compares the rounds of two variants. All values must be above 0.
func Compare(first, second [][]float64) Comparison {
	c := Judge(first, second)
	first, second = present(first), present(second)
	if len(first) > 0 && len(second) > 0 {
		a, b := newDraws(first), newDraws(second)
		c.MeanRatio, c.P50Ratio, c.P99Ratio = ratio(a, b, 0), ratio(a, b, 1), ratio(a, b, 4)
	}
	return c
}

// Judge is Compare without the ratios and their intervals, which cost most.
func Judge(first, second [][]float64) Comparison {
	first, second = present(first), present(second)
	c := Comparison{Location: Test{1, TooFew}, Tail: Test{1, TooFew}, Superiority: math.NaN()}
	if len(first) == 0 || len(second) == 0 {
		return c
	}
	all := append(slices.Clone(first), second...)
	ranks := meanRanks(all)
	var n, m, sum float64 // sizes, and the ranks of the second variant added up
	for _, r := range first {
		n += float64(len(r))
	}
	for i, r := range second {
		m += float64(len(r))
		sum += ranks[len(first)+i] * float64(len(r))
	}
	c.Superiority = (sum - m*(m+1)/2) / (n * m)
	if len(first) < minRounds || len(second) < minRounds {
		return c
	}
	c.Location = test(ranks, len(second))
	var tails []float64
	for _, r := range all {
		tails = append(tails, math.Log(Quantile(slices.Sorted(slices.Values(r)), 0.99)))
	}
	c.Tail = test(tails, len(second))
	return c
}

func ratio(a, b *draws, i int) Interval {
	values := make([]float64, replicates)
	for k := range values {
		values[k] = b.replicates[k][i] / a.replicates[k][i]
	}
	slices.Sort(values)
	return Interval{b.estimate[i] / a.estimate[i], Quantile(values, 0.025), Quantile(values, 0.975)}
}

// meanRanks returns the mean rank of each round's requests among all, from 1
// on. Equal values share the mean of their ranks.
func meanRanks(rounds [][]float64) []float64 {
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
	sums := make([]float64, len(rounds))
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].value == all[i].value {
			end++
		}
		for _, r := range all[i:end] {
			sums[r.round] += float64(i+1+end) / 2
		}
		i = end
	}
	for i := range sums {
		sums[i] /= float64(len(rounds[i]))
	}
	return sums
}

// test asks how often the last k scores would differ from the others as much
// as they do, or more, if it made no difference which are the last.
func test(scores []float64, k int) Test {
	observed := difference(scores, func(i int) bool { return i >= len(scores)-k })
	p := min(1, 2*permute(scores, k, math.Abs(observed)))
	switch {
	case p > Alpha:
		return Test{p, NoDifference}
	case observed > 0:
		return Test{p, Slower}
	default:
		return Test{p, Faster}
	}
}

// difference returns the mean of the chosen scores minus that of the others.
func difference(scores []float64, chosen func(int) bool) float64 {
	var sums, counts [2]float64
	for i, s := range scores {
		side := 0
		if chosen(i) {
			side = 1
		}
		sums[side] += s
		counts[side]++
	}
	return sums[1]/counts[1] - sums[0]/counts[0]
}

// Bounds of the permutation: all ways where there are few, else a sample.
const (
	maxExact = 20_000
	sampled  = 20_000
)

// permute returns the share of the ways to choose k scores whose difference is
// at least as large as the limit.
func permute(scores []float64, k int, limit float64) float64 {
	limit -= 1e-12 * math.Max(1, limit) // the observed way itself must count
	hits, ways := 0, 0
	check := func(chosen func(int) bool) {
		ways++
		if math.Abs(difference(scores, chosen)) >= limit {
			hits++
		}
	}
	n := len(scores)
	if n < 20 && choose(n, k) <= maxExact {
		for mask := uint32(0); mask < 1<<n; mask++ {
			if popcount(mask) == k {
				check(func(i int) bool { return mask>>i&1 == 1 })
			}
		}
		return float64(hits) / float64(ways)
	}
	random := rand.New(rand.NewPCG(2, uint64(n)))
	for range sampled {
		order := random.Perm(n)
		check(func(i int) bool { return order[i] < k })
	}
	return float64(hits+1) / float64(ways+1)
}

func popcount(x uint32) (n int) {
	for ; x != 0; x &= x - 1 {
		n++
	}
	return n
}

// choose returns n over k.
func choose(n, k int) float64 {
	ways := 1.0
	for i := range k {
		ways *= float64(n-i) / float64(i+1)
	}
	return ways
}
