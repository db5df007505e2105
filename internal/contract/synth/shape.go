package synth

import (
	"math"

	"github.com/prometheus/prometheus/model/histogram"
)

// The agent's native histograms: each power of two has 32 buckets.
const (
	schema    = 5
	perDouble = 1 << schema
)

// zeroWidth is client_golang's threshold of the zero bucket.
const zeroWidth = 2.938735877055719e-39

// shape is a distribution that observations follow.
type shape struct {
	spans   []histogram.Span
	weights []float64 // of the native buckets, ascending
	mean    float64
	below   func(bound float64) float64 // share of observations up to a bound
}

// Durations are lognormal: their logarithm strays by about a half, which puts
// P99 at three times the median. As many buckets fill up as that needs.
const (
	durationSigma   = 0.5
	durationBuckets = 120
)

// duration is a distribution of durations around a median in seconds.
func duration(median float64) *shape {
	below := func(bound float64) float64 {
		if bound <= 0 {
			return 0
		}
		return 0.5 * math.Erfc(-math.Log(bound/median)/durationSigma/math.Sqrt2)
	}
	first := int(math.Round(perDouble*math.Log2(median))) - durationBuckets/2
	s := &shape{
		spans: []histogram.Span{{Offset: int32(first), Length: durationBuckets}},
		mean:  median * math.Exp(durationSigma*durationSigma/2), below: below,
	}
	from := 0.0 // the ends hold what is beyond them, too
	for i := range durationBuckets {
		to := below(math.Exp2(float64(first+i) / perDouble))
		if i == durationBuckets-1 {
			to = 1
		}
		s.weights = append(s.weights, to-from)
		from = to
	}
	return s
}

// small is a distribution of the whole numbers from 1 to most, all as likely.
func small(most int) *shape {
	s := &shape{mean: float64(most+1) / 2, below: func(bound float64) float64 {
		return min(math.Floor(max(bound, 0))/float64(most), 1)
	}}
	next := 0
	for n := 1; n <= most; n++ {
		index := int(math.Ceil(perDouble * math.Log2(float64(n))))
		s.spans = append(s.spans, histogram.Span{Offset: int32(index - next), Length: 1})
		s.weights = append(s.weights, 1/float64(most))
		next = index + 1
	}
	return s
}

// histogram returns what a native histogram holds after so many observations.
func (s *shape) histogram(observed float64) *histogram.Histogram {
	h := &histogram.Histogram{
		Schema: schema, ZeroThreshold: zeroWidth, PositiveSpans: s.spans, PositiveBuckets: make([]int64, len(s.weights)),
	}
	before := int64(0)
	for i, w := range s.weights {
		count := int64(w * observed)
		h.PositiveBuckets[i] = count - before
		before = count
		h.Count += uint64(count)
	}
	h.Sum = math.Round(float64(h.Count)*s.mean*1e6) / 1e6
	return h
}
