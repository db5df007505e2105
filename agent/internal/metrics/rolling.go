package metrics

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Rolling tells which durations are among the slowest of late. It counts them
// in buckets of a quarter of a power of two, halves all counts now and then so
// that old ones fade, and reads the percentile off the counts. It is an
// estimate with an error of up to one bucket, 25 %, which is enough to choose
// what to keep; it is not exported.
//
// The zero value is ready, takes 1 KiB, and is safe for concurrent use without
// a lock: a count that is lost while all are halved changes nothing.
type Rolling struct {
	counts    [rollingBuckets]atomic.Uint32
	seen      atomic.Uint32
	threshold atomic.Int64 // ns; 0 until there is an estimate
}

const (
	rollingBuckets = 256
	// rollingEvery is after how many observations the estimate is renewed,
	// and rollingWindow after how many the counts are halved.
	rollingEvery    = 64
	rollingWindow   = 2048
	rollingQuantile = 0.95
)

// Slow books a duration and reports whether it is above the percentile of
// those before it. Until there are enough to tell, nothing is slow.
func (r *Rolling) Slow(d time.Duration) bool {
	threshold := r.threshold.Load()
	r.counts[rollingBucket(d)].Add(1)
	n := r.seen.Add(1)
	if n%rollingEvery == 0 {
		r.renew()
	}
	if n%rollingWindow == 0 {
		for i := range r.counts {
			r.counts[i].Store(r.counts[i].Load() / 2)
		}
	}
	return threshold > 0 && int64(d) > threshold
}

func (r *Rolling) renew() {
	var total, sum uint64
	for i := range r.counts {
		total += uint64(r.counts[i].Load())
	}
	rank := uint64(float64(total) * rollingQuantile)
	for i := range r.counts {
		if sum += uint64(r.counts[i].Load()); sum > rank {
			r.threshold.Store(rollingBound(i))
			return
		}
	}
}

// rollingBucket numbers a duration by its highest bit and the two below it.
func rollingBucket(d time.Duration) int {
	n := uint64(max(4, d))
	exponent := bits.Len64(n) - 3
	return exponent<<2 | int(n>>exponent&3)
}

// rollingBound is the largest duration of a bucket.
func rollingBound(i int) int64 {
	exponent, quarter := i>>2, int64(i&3)
	return (4+quarter+1)<<exponent - 1
}
