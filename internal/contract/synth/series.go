package synth

import (
	"math"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
)

// The labels that differ from target to target, by their place in Target.own.
const (
	ownJob = iota
	ownInstance
	ownService
	ownEnvironment
	ownLabels
)

// kind is how a series moves.
type kind int

const (
	counter kind = iota // grows, by any amount
	whole               // grows, by whole numbers
	gauge
	native // a histogram of its own
)

// Series is a series that each target of a kind has.
type Series struct {
	labels []labels.Label // sorted by name; values of the target's own are empty
	own    [ownLabels]int // places in labels, -1 where the series lacks one
	depth  Depth
	kind   kind
	seed   uint64
	// rate is a counter's growth, or a histogram's observations, per second.
	rate float64
	// share is which part of the observations a classic bucket counts.
	share float64
	// base and spread are where a gauge is, and how far from there it strays.
	base, spread float64
	shape        *shape
}

// AppendLabels appends the labels that the series of a target has, sorted by
// name, and that of its metric.
func (s *Series) AppendLabels(to []labels.Label, t *Target) []labels.Label {
	start := len(to)
	to = append(to, s.labels...)
	for which, at := range s.own {
		if at >= 0 {
			to[start+at].Value = t.own[which]
		}
	}
	return to
}

// Native reports whether the values of the series are histograms.
func (s *Series) Native() bool { return s.kind == native }

// Number returns the value of a series that is no histogram, after so many
// intervals.
func (s *Series) Number(t *Target, tick int64) float64 {
	switch s.kind {
	case gauge:
		if s.spread == 0 {
			return s.base
		}
		// A new value every minute, with as many digits as somebody would read.
		v := s.base + s.spread*(2*s.random(t, tick/4)-1)
		return math.Round(v*1e6) / 1e6
	case whole:
		return math.Floor(s.share * s.grown(t, tick))
	default:
		return math.Round(s.share*s.grown(t, tick)*1e6) / 1e6
	}
}

// Histogram returns the value of a series of histograms, which is the caller's.
func (s *Series) Histogram(t *Target, tick int64) *histogram.Histogram {
	return s.shape.histogram(s.grown(t, tick))
}

// grown is how far a counter has come. It grows in every interval, by another
// amount each time.
func (s *Series) grown(t *Target, tick int64) float64 {
	return s.rate * Interval.Seconds() * (float64(tick) + s.random(t, tick))
}

// random returns a number from 0 to 1 that depends on the series, its target
// and the time alone.
func (s *Series) random(t *Target, tick int64) float64 {
	return float64(mix(s.seed^t.seed^uint64(tick)*0xd1b54a32d192ed03)>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
