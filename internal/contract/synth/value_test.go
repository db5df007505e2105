package synth_test

import (
	"math"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/synth"
	"github.com/cacheu/plumbline/internal/promql"
)

func TestCountersNeverFall(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{}
	for _, m := range catalog.All() {
		kinds[m.Desc().Name] = m.Kind()
	}
	for _, f := range promql.Flavors() {
		each(population(t, synth.Config{Services: 1, Instances: 1, Routes: 2, Flavor: f}), func(target *synth.Target, s *synth.Series, l labels.Labels) {
			if s.Native() || kinds[l.Get(labels.MetricName)] == "gauge" {
				return
			}
			for tick := int64(100); tick < 140; tick++ {
				before, after := s.Number(target, tick), s.Number(target, tick+1)
				if after < before {
					t.Fatalf("%s falls from %g to %g", l, before, after)
				}
			}
		})
	}
}

func TestNativeHistogramsAreValidAndNeverFall(t *testing.T) {
	t.Parallel()
	each(population(t, synth.Config{Services: 1, Instances: 1, Routes: 2}), func(target *synth.Target, s *synth.Series, l labels.Labels) {
		if !s.Native() {
			return
		}
		var before *histogram.FloatHistogram
		for tick := int64(5760); tick < 5780; tick++ {
			h := s.Histogram(target, tick)
			if err := h.Validate(); err != nil {
				t.Fatalf("%s: %v", l, err)
			}
			now := h.ToFloat(nil)
			if before != nil && now.DetectReset(before) {
				t.Fatalf("%s is reset", l)
			}
			before = now
		}
	})
}

// Both forms tell of the same requests, and no more of them are slow than the
// objective allows.
func TestBothFormsAgree(t *testing.T) {
	t.Parallel()
	const tick = 100000
	name := catalog.HTTPServerRequestDuration.Desc().Name
	native, classic := map[string]float64{}, map[string]float64{}
	each(population(t, synth.Config{Services: 1, Instances: 1, Routes: 5}), func(target *synth.Target, s *synth.Series, l labels.Labels) {
		if l.Get(labels.MetricName) != name {
			return
		}
		h := s.Histogram(target, tick).ToFloat(nil)
		route := l.Get(string(catalog.HTTPRoute))
		for buckets := h.PositiveBucketIterator(); buckets.Next(); {
			if b := buckets.At(); b.Upper <= 0.3 {
				native[route] += b.Count
			}
		}
		if l.Get(string(catalog.HTTPResponseStatusCode)) == "200" {
			if slow := 1 - native[route]/h.Count; slow > 0.005 {
				t.Errorf("%.2f %% of the requests to %s are slow", 100*slow, route)
			}
		}
	})
	each(population(t, synth.Config{Services: 1, Instances: 1, Routes: 5, Flavor: promql.Classic}), func(target *synth.Target, s *synth.Series, l labels.Labels) {
		if l.Get(labels.MetricName) == name+"_bucket" && l.Get(string(catalog.Le)) == "0.3" {
			classic[l.Get(string(catalog.HTTPRoute))] += s.Number(target, tick)
		}
	})
	if len(native) == 0 || len(native) != len(classic) {
		t.Fatalf("native histograms of %d routes, classic ones of %d", len(native), len(classic))
	}
	for route, n := range native {
		if math.Abs(n/classic[route]-1) > 0.01 {
			t.Errorf("%s: %g requests within the objective by native, %g by classic histograms", route, n, classic[route])
		}
	}
}
