package synth

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// builder collects the series of a kind of target.
type builder struct {
	config Config
	agent  bool // the target has the agent, and its constant labels
	series []*Series
}

func (c Config) builder(agent bool) *builder { return &builder{config: c, agent: agent} }

// Each of the functions below adds a series for every combination of the values
// of the metric's labels, which are given in the order of the catalogue.

// seconds adds counters of time, and of whatever else is no whole number.
func (b *builder) seconds(m catalog.Counter, d Depth, rate float64, values ...[]string) {
	b.add(m, d, "", Series{kind: counter, rate: rate, share: 1}, values)
}

// count adds counters of things.
func (b *builder) count(m catalog.Counter, d Depth, rate float64, values ...[]string) {
	b.add(m, d, "", Series{kind: whole, rate: rate, share: 1}, values)
}

func (b *builder) gauge(m catalog.Gauge, d Depth, base, spread float64, values ...[]string) {
	b.add(m, d, "", Series{kind: gauge, base: base, spread: spread}, values)
}

// histogram adds histograms in the form that is configured.
func (b *builder) histogram(m catalog.Histogram, d Depth, rate float64, s *shape, values ...[]string) {
	if b.config.Flavor == promql.Native {
		b.add(m, d, "", Series{kind: native, rate: rate, shape: s}, values)
		return
	}
	for _, combined := range combinations(values) {
		single := make([][]string, len(combined))
		for i, v := range combined {
			single[i] = []string{v}
		}
		seed := uint64(len(b.series)) + 1 // one for all, or buckets would not add up
		for _, bound := range append(slices.Clone(m.Buckets), math.Inf(1)) {
			share := 1.0
			if !math.IsInf(bound, 1) {
				share = s.below(bound)
			}
			b.add(m, d, "_bucket", Series{kind: whole, rate: rate, share: share, seed: seed}, single,
				labels.Label{Name: string(catalog.Le), Value: strconv.FormatFloat(bound, 'g', -1, 64)})
		}
		b.add(m, d, "_count", Series{kind: whole, rate: rate, share: 1, seed: seed}, single)
		b.add(m, d, "_sum", Series{kind: counter, rate: rate, share: s.mean, seed: seed}, single)
	}
}

func (b *builder) add(m catalog.Metric, d Depth, suffix string, like Series, values [][]string, more ...labels.Label) {
	if !b.config.wanted(m) {
		return
	}
	desc := m.Desc()
	for _, combined := range combinations(values) {
		s := like
		s.depth = d
		if s.seed == 0 {
			s.seed = uint64(len(b.series)) + 1
		}
		s.seed = mix(s.seed)
		s.labels = append(slices.Clone(more), labels.Label{Name: labels.MetricName, Value: desc.Name + suffix},
			labels.Label{Name: string(catalog.Job)}, labels.Label{Name: string(catalog.Instance)})
		if b.agent && !bare(m) {
			s.labels = append(s.labels, labels.Label{Name: string(catalog.ServiceName)}, labels.Label{Name: string(catalog.DeploymentEnvironment)})
		}
		for i, v := range combined {
			s.labels = append(s.labels, labels.Label{Name: string(desc.Labels[i]), Value: v})
		}
		slices.SortFunc(s.labels, func(x, y labels.Label) int { return strings.Compare(x.Name, y.Name) })
		for which, name := range []catalog.Label{catalog.Job, catalog.Instance, catalog.ServiceName, catalog.DeploymentEnvironment} {
			s.own[which] = slices.IndexFunc(s.labels, func(l labels.Label) bool { return l.Name == string(name) })
		}
		b.series = append(b.series, &s)
	}
}

// bare reports whether Prometheus makes the series itself, and knows no labels
// but those of the target.
func bare(m catalog.Metric) bool {
	name := m.Desc().Name
	return name == catalog.Up.Desc().Name || name == catalog.ScrapeDuration.Desc().Name
}

// combinations returns every way to take one value of each list.
func combinations(lists [][]string) [][]string {
	all := [][]string{nil}
	for _, list := range lists {
		var longer [][]string
		for _, head := range all {
			for _, v := range list {
				longer = append(longer, append(slices.Clone(head), v))
			}
		}
		all = longer
	}
	return all
}
