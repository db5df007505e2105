package saturation_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/saturation"
)

// BenchmarkCollect is one scrape on this machine, with a new sample each time.
func BenchmarkCollect(b *testing.B) {
	clock := newClock()
	c, err := saturation.NewCollector(saturation.Config{Now: clock.Now})
	if err != nil {
		b.Fatal(err)
	}
	ch := make(chan prometheus.Metric, 100)
	b.ReportAllocs()
	for b.Loop() {
		clock.pass(15 * time.Second)
		c.Collect(ch)
		for len(ch) > 0 {
			<-ch
		}
	}
}

// BenchmarkLimiter is a request that is admitted at once.
func BenchmarkLimiter(b *testing.B) {
	collector, err := saturation.NewCollector(saturation.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]saturation.LimiterConfig{
		"concurrency": {Concurrency: 1000}, "utilization": {Collector: collector},
	} {
		l := newLimiter(b, c)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if l.Acquire(ctx) == nil {
						l.Release()
					}
				}
			})
		})
	}
}

// BenchmarkKnee is what a request pays for the estimate, and an estimate from a
// full window.
func BenchmarkKnee(b *testing.B) {
	b.Run("request", func(b *testing.B) {
		k, err := saturation.NewKnee(saturation.KneeConfig{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				now := time.Now()
				k.Leave(k.Enter(now), now, true)
			}
		})
	})
}
