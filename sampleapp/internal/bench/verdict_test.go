package bench_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// tailed answers most requests in 2 ms, and one in forty in the given time.
func tailed(b *testing.B, name string, tail time.Duration) bench.Target {
	b.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		d := 2 * time.Millisecond
		if n.Add(1)%40 == 0 {
			d = tail
		}
		<-time.After(d)
	}))
	b.Cleanup(s.Close)
	return bench.Target{Name: name, Base: s.URL}
}

// BenchmarkVerdicts asks how often whole runs against real servers are judged
// rightly: two servers that are the same, and two of which the second has a P99
// that is 10 % slower. On a machine that does nothing else:
//
//	go test -short -run '^$' -bench Verdicts -benchtime 10x ./internal/bench
//
// One iteration is one run of each kind, 12 seconds in all.
func BenchmarkVerdicts(b *testing.B) {
	load := scenario.Load{Rate: 500, Arrivals: "constant", Length: 500 * time.Millisecond, Rounds: 5}
	same, found := 0, 0
	for range b.N {
		for _, tail := range []time.Duration{20 * time.Millisecond, 22 * time.Millisecond} {
			result, err := bench.Run(b.Context(), bench.Config{
				Spec: plain(), Load: load,
				Targets: []bench.Target{tailed(b, "before", 20*time.Millisecond), tailed(b, "after", tail)},
			})
			if err != nil {
				b.Fatal(err)
			}
			c := result.Comparisons[0]
			b.Logf("tail %v: all requests %s, P99 %s, ratio %.3f", tail, c.Location.Verdict, c.Tail.Verdict, c.P99Ratio.Value)
			switch {
			case tail == 20*time.Millisecond && c.Location.Verdict == stats.NoDifference && c.Tail.Verdict == stats.NoDifference:
				same++
			case tail != 20*time.Millisecond && c.Tail.Verdict == stats.Slower:
				found++
			}
		}
	}
	b.ReportMetric(float64(same)/float64(b.N), "no-difference/run")
	b.ReportMetric(float64(found)/float64(b.N), "slower-found/run")
}
