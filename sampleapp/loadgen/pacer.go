package loadgen

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Pacer plans when requests are sent.
type Pacer interface {
	// Times yields the planned times since the start, ascending. The same
	// times come at every call. An endless pacer never stops by itself.
	Times() iter.Seq[time.Duration]
	// Rate returns the requests per second that are meant at a time since the
	// start.
	Rate(at time.Duration) float64
}

var (
	_ Pacer = Constant(0)
	_ Pacer = Poisson{}
	_ Pacer = Steps{}
)

// Constant plans requests at equal distances: the n-th at n/rate seconds, so
// that rounding errors do not add up. It is endless, and plans nothing at a
// rate of 0 or less.
type Constant float64

// Times implements [Pacer].
func (c Constant) Times() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		if !(c > 0) { // not the inverse: NaN is no rate
			return
		}
		for n := 0.0; yield(seconds(n / float64(c))); n++ {
		}
	}
}

// Rate implements [Pacer].
func (c Constant) Rate(time.Duration) float64 { return float64(c) }

// String describes the arrivals.
func (c Constant) String() string { return fmt.Sprintf("constant %g/s", float64(c)) }

// Poisson plans requests as independent users send them: with exponentially
// distributed distances. A constant rate never queues below capacity; this one
// does, as real traffic. It is endless, and plans nothing at a rate of 0 or
// less.
type Poisson struct {
	// PerSecond is the mean rate.
	PerSecond float64
	// Seed chooses the sequence of distances.
	Seed uint64
}

// Times implements [Pacer].
func (p Poisson) Times() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		if !(p.PerSecond > 0) {
			return
		}
		random := rand.New(rand.NewPCG(p.Seed, 0x9e3779b97f4a7c15))
		for at := 0.0; ; {
			at += random.ExpFloat64() / p.PerSecond
			if !yield(seconds(at)) {
				return
			}
		}
	}
}

// Rate implements [Pacer].
func (p Poisson) Rate(time.Duration) float64 { return p.PerSecond }

// String describes the arrivals.
func (p Poisson) String() string { return fmt.Sprintf("poisson %g/s", p.PerSecond) }

// Step is a stretch of a stepped load.
type Step struct {
	// Pacer plans the step; its times count from the beginning of the step.
	Pacer Pacer
	// For is how long the step lasts.
	For time.Duration
}

// Steps plans one step after the other and ends with the last.
type Steps []Step

// Times implements [Pacer].
func (s Steps) Times() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		var begin time.Duration
		for _, step := range s {
			for at := range step.Pacer.Times() {
				if at >= step.For {
					break
				}
				if !yield(begin + at) {
					return
				}
			}
			begin += step.For
		}
	}
}

// Rate implements [Pacer]. After the last step it is 0.
func (s Steps) Rate(at time.Duration) float64 {
	for _, step := range s {
		if at < step.For {
			return step.Pacer.Rate(at)
		}
		at -= step.For
	}
	return 0
}

// String describes the arrivals.
func (s Steps) String() string {
	parts := make([]string, len(s))
	for i, step := range s {
		parts[i] = fmt.Sprintf("%v for %v", step.Pacer, step.For)
	}
	return strings.Join(parts, ", then ")
}

// For ends another pacer after a while.
func For(p Pacer, d time.Duration) Steps { return Steps{{p, d}} }

// seconds converts without overflow: a time beyond all measure is the largest.
func seconds(s float64) time.Duration {
	if ns := s * float64(time.Second); ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}

// errNoRate says that a load without a rate was asked for.
var errNoRate = errors.New("the rate of a load must be above 0 requests per second")

// NewPacer returns the pacer of a name: "constant" or "poisson".
func NewPacer(arrivals string, rate float64, seed uint64) (Pacer, error) {
	if !(rate > 0) {
		return nil, errNoRate
	}
	switch arrivals {
	case "", "constant":
		return Constant(rate), nil
	case "poisson":
		return Poisson{PerSecond: rate, Seed: seed}, nil
	default:
		return nil, fmt.Errorf("arrivals %q are unknown: use constant or poisson", arrivals)
	}
}
