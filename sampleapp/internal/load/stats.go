package load

import (
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/cacheu/plumbline/sampleapp/loadgen"
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

// add counts a result.
func (s *stats) add(r loadgen.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome := r.Outcome()
	if outcome == loadgen.Skipped {
		s.now.skipped++
		return
	}
	s.now.sent++
	s.now.max = max(s.now.max, r.Corrected())
	s.now.latency[bucketOf(r.Corrected())]++
	switch outcome {
	case loadgen.Failed:
		s.now.failed++
		s.now.lastError = r.Route + ": " + r.Err.Error()
	case loadgen.ServerError:
		s.now.serverErrors++
		s.now.lastError = r.Route + ": " + http.StatusText(r.Status)
	case loadgen.Refused:
		s.now.refused++
		s.now.lastError = r.Route + ": " + http.StatusText(r.Status)
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
