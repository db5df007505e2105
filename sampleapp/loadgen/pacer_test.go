package loadgen_test

import (
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

func take(times iter.Seq[time.Duration], n int) []time.Duration {
	var got []time.Duration
	for at := range times {
		if len(got) == n {
			break
		}
		got = append(got, at)
	}
	return got
}

func TestConstantArrivalsDoNotDrift(t *testing.T) {
	t.Parallel()
	times := take(loadgen.Constant(3).Times(), 300_001)
	for _, n := range []int{0, 1, 2, 3, 300_000} {
		want := time.Duration(float64(n) / 3 * 1e9)
		if times[n] != want {
			t.Errorf("request %d is planned at %v, want %v", n, times[n], want)
		}
	}
}

func TestPoissonArrivalsAreExponentialAndRepeatable(t *testing.T) {
	t.Parallel()
	p := loadgen.Poisson{PerSecond: 200, Seed: 7}
	const n = 50_000
	times := take(p.Times(), n)
	if again := take(p.Times(), n); !slices.Equal(times, again) {
		t.Error("the second call plans other times")
	}
	if other := take(loadgen.Poisson{PerSecond: 200, Seed: 8}.Times(), n); slices.Equal(times, other) {
		t.Error("another seed plans the same times")
	}
	var sum, squares float64
	last := time.Duration(0)
	for _, at := range times {
		gap := (at - last).Seconds()
		last, sum, squares = at, sum+gap, squares+gap*gap
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	// Exponential: mean and standard deviation are both 1/rate. 50,000 gaps
	// have a standard error of 0.45 %.
	if math.Abs(mean*200-1) > 0.02 || math.Abs(deviation*200-1) > 0.03 {
		t.Errorf("gaps have the mean %v and the deviation %v, want 0.005 each", mean, deviation)
	}
}

func TestStepsFollowEachOther(t *testing.T) {
	t.Parallel()
	s := loadgen.Steps{{Pacer: loadgen.Constant(2), For: time.Second}, {Pacer: loadgen.Constant(4), For: time.Second}}
	got := slices.Collect(s.Times())
	want := []time.Duration{0, 500, 1000, 1250, 1500, 1750}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if !slices.Equal(got, want) {
		t.Errorf("planned %v, want %v", got, want)
	}
	for at, rate := range map[time.Duration]float64{0: 2, 999 * time.Millisecond: 2, time.Second: 4, 2 * time.Second: 0} {
		if s.Rate(at) != rate {
			t.Errorf("the rate at %v is %v, want %v", at, s.Rate(at), rate)
		}
	}
	if text := s.String(); text != "constant 2/s for 1s, then constant 4/s for 1s" {
		t.Errorf("it calls itself %q", text)
	}
}

func TestRatesOfNothingPlanNothing(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, -1, math.NaN()} {
		if n := len(take(loadgen.Constant(rate).Times(), 1)) + len(take(loadgen.Poisson{PerSecond: rate}.Times(), 1)); n != 0 {
			t.Errorf("a rate of %v plans requests", rate)
		}
		if _, err := loadgen.NewPacer("constant", rate, 1); err == nil {
			t.Errorf("a rate of %v is accepted", rate)
		}
	}
	if _, err := loadgen.NewPacer("uniform", 1, 1); err == nil || err.Error() != `arrivals "uniform" are unknown: use constant or poisson` {
		t.Errorf("got %v", err)
	}
}
