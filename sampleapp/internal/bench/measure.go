package bench

import (
	"runtime"
	"slices"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/scrape"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// growth is what happened at a target between two readings.
type growth struct {
	from, to reading
	wall     time.Duration // of the load; telling facts may take longer
}

// over computes the growth of a number.
func (g growth) over(of func(scrape.Snapshot) float64) float64 {
	if g.from.metrics == nil || g.to.metrics == nil {
		return 0
	}
	return of(g.to.metrics) - of(g.from.metrics)
}

// routed restricts the match to a route. An empty one means all.
func routed(route string, match map[catalog.Label]string) scrape.Match {
	m := scrape.Match{}
	for l, v := range match {
		m[l] = v
	}
	if route != "" {
		m[catalog.HTTPRoute] = route
	}
	return m
}

// tally adds growths up.
type tally struct {
	requests, duration, queries, cpu, wall float64
	components                             map[string]float64
	symptoms                               []float64
	facts                                  map[string]float64
}

// add counts one round's growth.
func (t *tally) add(g growth, route string, symptoms []scenario.Symptom) {
	all := routed(route, nil)
	t.requests += g.over(func(s scrape.Snapshot) float64 { return s.Count(catalog.HTTPServerRequestDuration, all) })
	t.duration += g.over(func(s scrape.Snapshot) float64 { return s.Sum(catalog.HTTPServerRequestDuration, all) })
	t.queries += g.over(func(s scrape.Snapshot) float64 { return s.Sum(catalog.DBClientQueriesPerRequest, all) })
	if t.components == nil {
		t.components = map[string]float64{}
	}
	for _, c := range catalog.Components() {
		match := routed(route, map[catalog.Label]string{catalog.ComponentLabel: string(c)})
		t.components[string(c)] += g.over(func(s scrape.Snapshot) float64 { return s.Sum(catalog.HTTPServerComponentSeconds, match) })
	}
	if _, ok := g.to.facts[FactCPU]; ok {
		t.cpu += g.to.facts[FactCPU] - g.from.facts[FactCPU]
	} else {
		t.cpu += g.over(func(s scrape.Snapshot) float64 { return s.Sum(catalog.ProcessCPUSeconds, nil) })
	}
	t.wall += g.wall.Seconds()
	if t.symptoms == nil {
		t.symptoms = make([]float64, len(symptoms))
	}
	for i, s := range symptoms {
		t.symptoms[i] += grown(g, route, s)
	}
	t.facts = g.to.facts
}

// grown is the growth that a symptom counts.
func grown(g growth, route string, s scenario.Symptom) float64 {
	if s.Of == scenario.Fact {
		return 0 // facts are taken as they are, at the end
	}
	if !slices.Contains(s.Metric.Desc().LabelNames(), string(catalog.HTTPRoute)) {
		route = "" // of a pool, say
	}
	match := routed(route, s.Match)
	return g.over(func(x scrape.Snapshot) float64 {
		h, _ := s.Metric.(catalog.Histogram)
		switch s.Of {
		case scenario.Observations:
			return x.Count(h, match)
		case scenario.Slow:
			return x.CountAbove(h, s.Limit, match)
		default:
			return x.Sum(s.Metric, match)
		}
	})
}

// value is the number of a symptom.
func (t *tally) value(i int, s scenario.Symptom) float64 {
	if s.Of == scenario.Fact {
		return t.facts[s.Fact]
	}
	if t.requests == 0 || i >= len(t.symptoms) {
		return 0
	}
	return t.symptoms[i] / t.requests
}

// server returns what the target says about its requests, nil if it says
// nothing.
func (t *tally) server() *Server {
	if t.requests == 0 && t.cpu == 0 {
		return nil
	}
	per := func(v float64) float64 { return v / max(1, t.requests) }
	s := &Server{
		Requests: t.requests, Mean: per(t.duration), QueriesPerRequest: per(t.queries), Components: map[string]float64{},
		CPUPerRequest: per(t.cpu), Utilization: t.cpu / max(1e-9, t.wall) / float64(runtime.NumCPU()),
	}
	for c, v := range t.components {
		if v > 0 {
			s.Components[c] = per(v)
		}
	}
	return s
}
