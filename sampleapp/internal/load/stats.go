package load

import (
	"math"
	"net/http"
	"sync"
	"time"
)

// Latencies are counted in buckets that grow by 5 %, from 0.1 ms to over a
// minute: enough to name a percentile within 5 %, in a fixed amount of memory.
const (
	firstBucket  = 100 * time.Microsecond
	bucketGrowth = 1.05
	buckets      = 280
)

// stats counts what happened. It is safe for concurrent use.
type stats struct {
	mu  sync.Mutex
	now summary
}

// summary is the counts of one period. Every request that was planned is in
// exactly one of ok, refused, serverErrors, failed and skipped.
type summary struct {
	sent, skipped                     int
	ok, refused, serverErrors, failed int
	lastError                         string
	max                               time.Duration
	latency                           [buckets]int
}

func newStats() *stats { return &stats{} }

// skip counts requests that were not sent.
func (s *stats) skip(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.skipped += n
}

// add counts a request that was sent. A status of 0 means that there was no
// answer.
func (s *stats) add(route string, status int, err error, latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.sent++
	s.now.max = max(s.now.max, latency)
	s.now.latency[bucketOf(latency)]++
	switch {
	case err != nil:
		s.now.failed++
		s.now.lastError = route + ": " + err.Error()
	case status >= http.StatusInternalServerError:
		s.now.serverErrors++
		s.now.lastError = route + ": " + http.StatusText(status)
	case status >= http.StatusBadRequest:
		s.now.refused++
		s.now.lastError = route + ": " + http.StatusText(status)
	default:
		s.now.ok++
	}
}

// take returns the counts since the last call.
func (s *stats) take() summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.now
	s.now = summary{}
	return taken
}

// quantile returns a percentile of the latency in seconds, 0 when nothing was
// sent: the upper bound of the bucket that holds it.
func (s summary) quantile(q float64) float64 {
	rank := int(math.Ceil(q * float64(s.sent)))
	for i, n := range s.latency {
		if rank -= n; rank <= 0 && s.sent > 0 {
			upper := firstBucket.Seconds() * math.Pow(bucketGrowth, float64(i))
			return math.Min(upper, s.max.Seconds())
		}
	}
	return 0
}

func bucketOf(d time.Duration) int {
	if d <= firstBucket {
		return 0
	}
	i := int(math.Ceil(math.Log(d.Seconds()/firstBucket.Seconds()) / math.Log(bucketGrowth)))
	return min(i, buckets-1)
}
