package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/internal/stats"
)

func TestQuantileNamesWhatOneInAHundredReaches(t *testing.T) {
	t.Parallel()
	seeds := slices.Repeat([]float64{0.05}, 990)
	seeds = append(seeds, slices.Repeat([]float64{5}, 10)...)
	for q, want := range map[float64]float64{0: 0.05, 0.5: 0.05, 0.98: 0.05, 0.99: 5, 0.999: 5, 1: 5} {
		if got := stats.Quantile(seeds, q); got != want {
			t.Errorf("the quantile %v of 990 fast and 10 slow is %v, want %v", q, got, want)
		}
	}
	if mean := stats.Mean(seeds); math.Abs(mean-0.0995) > 1e-9 {
		t.Errorf("the mean is %v, want 0.0995", mean)
	}
	if !math.IsNaN(stats.Quantile(nil, 0.5)) || !math.IsNaN(stats.Mean(nil)) {
		t.Error("nothing has a quantile")
	}
}

// service draws the latencies of one round: log-normal, with a shift of all
// that is common to the round.
type service struct {
	random *rand.Rand
	n      int
}

func (s service) round(slowTail float64) []float64 {
	common := 0.01 * s.random.NormFloat64() // rounds differ by 1 %
	values := make([]float64, s.n)
	for i := range values {
		values[i] = 0.02 * math.Exp(0.3*s.random.NormFloat64()+common)
	}
	slices.Sort(values)
	for i := s.n * 95 / 100; i < s.n; i++ {
		values[i] *= slowTail // what is among the slowest 5 % becomes slower
	}
	s.random.Shuffle(s.n, func(i, j int) { values[i], values[j] = values[j], values[i] })
	return values
}

func (s service) rounds(slowTail float64) (all [][]float64) {
	for range 5 {
		all = append(all, s.round(slowTail))
	}
	return all
}

func TestSameVariantTwiceIsNoDifference(t *testing.T) {
	t.Parallel()
	quiet := 0
	const trials = 100
	for i := range trials {
		s := service{rand.New(rand.NewPCG(11, uint64(i))), 1500}
		c := stats.Judge(s.rounds(1), s.rounds(1))
		if c.Location.Verdict == stats.NoDifference && c.Tail.Verdict == stats.NoDifference {
			quiet++
		}
	}
	t.Logf("no difference in %d of %d", quiet, trials)
	if quiet < trials*9/10 {
		t.Errorf("no difference in %d of %d trials, want at least 9 of 10", quiet, trials)
	}
}

func TestSlowerP99IsFoundAndTheRankTestIsBlindToIt(t *testing.T) {
	t.Parallel()
	found, blind := 0, 0
	const trials = 100
	for i := range trials {
		s := service{rand.New(rand.NewPCG(12, uint64(i))), 1500}
		c := stats.Judge(s.rounds(1), s.rounds(1.1))
		if c.Tail.Verdict == stats.Slower {
			found++
		}
		if c.Location.Verdict == stats.NoDifference {
			blind++
		}
	}
	t.Logf("found %d of %d; the rank test saw nothing in %d", found, trials, blind)
	if found < trials*9/10 {
		t.Errorf("a P99 that is 10 %% slower is found in %d of %d trials, want at least 9 of 10", found, trials)
	}
	if blind < trials*9/10 {
		t.Errorf("the rank test moved in %d trials: it is not what finds a slow tail", trials-blind)
	}
}

func TestShiftOfAllRequestsIsFoundByBoth(t *testing.T) {
	t.Parallel()
	s := service{rand.New(rand.NewPCG(13, 1)), 1500}
	first, second := s.rounds(1), s.rounds(1)
	for _, r := range second {
		for i := range r {
			r[i] *= 0.5
		}
	}
	c := stats.Compare(first, second)
	if c.Location.Verdict != stats.Faster || c.Tail.Verdict != stats.Faster || c.Superiority > 0.1 {
		t.Errorf("half the latency is judged %+v", c)
	}
	if r := c.P99Ratio; r.Value < 0.45 || r.Value > 0.55 || r.Low > 0.5 || r.High < 0.5 || r.Low >= r.Value || r.High <= r.Value {
		t.Errorf("the P99 ratio is %+v, want 0.5 inside the interval", r)
	}
	if c.Location.P != 2*2.0/252 {
		t.Errorf("p is %v, want 2 tests times 2/252", c.Location.P)
	}
}

// Superiority against the definition, pair by pair, with ties.
func TestSuperiorityCountsPairs(t *testing.T) {
	t.Parallel()
	first, second := [][]float64{{1, 2, 2, 5}, {3}}, [][]float64{{2, 2, 4}, {6, 1}}
	wins, pairs := 0.0, 0.0
	for _, a := range slices.Concat(first...) {
		for _, b := range slices.Concat(second...) {
			pairs++
			switch {
			case b > a:
				wins++
			case b == a:
				wins += 0.5
			}
		}
	}
	c := stats.Compare(first, second)
	if math.Abs(c.Superiority-wins/pairs) > 1e-12 {
		t.Errorf("got %v, want %v", c.Superiority, wins/pairs)
	}
	if c.Location.Verdict != stats.TooFew || c.Tail.Verdict != stats.TooFew {
		t.Errorf("two rounds are judged: %+v", c)
	}
}

func TestIntervalsCoverTheTruth(t *testing.T) {
	t.Parallel()
	median, covered := 0.02, 0
	const trials = 60
	for i := range trials {
		s := service{rand.New(rand.NewPCG(14, uint64(i))), 200}
		var rounds [][]float64
		for range 10 {
			rounds = append(rounds, s.round(1))
		}
		got := stats.Summarize(rounds)
		if got.P50.Low <= median && median <= got.P50.High {
			covered++
		}
		if got.N != 2000 || got.Rounds != 10 {
			t.Fatalf("counted %d requests in %d rounds", got.N, got.Rounds)
		}
	}
	t.Logf("the interval holds the true median in %d of %d", covered, trials)
	if covered < trials*88/100 {
		t.Errorf("the 95 %% interval holds the true median in %d of %d trials", covered, trials)
	}
}

func TestNoDataIsNoResult(t *testing.T) {
	t.Parallel()
	if got := stats.Summarize([][]float64{nil, {}}); got != (stats.Summary{}) {
		t.Errorf("got %+v", got)
	}
	if c := stats.Compare(nil, [][]float64{{1}}); c.Location.Verdict != stats.TooFew || !math.IsNaN(c.Superiority) {
		t.Errorf("got %+v", c)
	}
}

// Enough rounds that not all permutations can be tried.
func TestManyRoundsAreSampled(t *testing.T) {
	t.Parallel()
	s := service{rand.New(rand.NewPCG(15, 1)), 100}
	var first, second [][]float64
	for range 12 {
		first, second = append(first, s.round(1)), append(second, s.round(1.5))
	}
	if c := stats.Compare(first, second); c.Tail.Verdict != stats.Slower || c.Tail.P <= 0 {
		t.Errorf("got %+v", c.Tail)
	}
}
