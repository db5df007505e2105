package loadgen

import (
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Settings of the native histograms, those of the agent's own: buckets 2.2 %
// wide.
const (
	nativeFactor     = 1.025
	nativeMaxBuckets = 160
	nativeMinReset   = time.Hour
	exemplarEvery    = time.Second // per classic bucket; a scrape sees one
)

// The clocks of a benchmark's latencies, values of [catalog.Clock].
const (
	ClockCorrected = "corrected"
	ClockRaw       = "raw"
)

// RunLabels name a run in metrics and traces.
type RunLabels struct {
	RunID, Scenario, Variant string
}

// Tags returns the labels for [Config.Tags].
func (l RunLabels) Tags() map[string]string {
	return map[string]string{catalog.AttrBenchRunID: l.RunID, catalog.AttrBenchScenario: l.Scenario, catalog.AttrBenchVariant: l.Variant}
}

// Metrics are the metrics of benchmarks. They are safe for concurrent use.
type Metrics struct {
	duration *prometheus.HistogramVec
	requests *prometheus.CounterVec
	offered  *prometheus.GaugeVec
	info     *prometheus.GaugeVec
}

// NewMetrics registers the metrics of benchmarks. It fails if they are there
// already.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	duration := catalog.BenchRequestDuration.Desc()
	requests, offered, info := catalog.BenchRequests.Desc(), catalog.BenchOfferedRate.Desc(), catalog.BenchRunInfo.Desc()
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: duration.Name, Help: duration.Help, Buckets: catalog.BenchRequestDuration.Buckets,
			NativeHistogramBucketFactor:     nativeFactor,
			NativeHistogramMaxBucketNumber:  nativeMaxBuckets,
			NativeHistogramMinResetDuration: nativeMinReset,
		}, duration.LabelNames()),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: requests.Name, Help: requests.Help}, requests.LabelNames()),
		offered:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: offered.Name, Help: offered.Help}, offered.LabelNames()),
		info:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: info.Name, Help: info.Help}, info.LabelNames()),
	}
	for _, c := range []prometheus.Collector{m.duration, m.requests, m.offered, m.info} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of benchmarks: %w", err)
		}
	}
	return m, nil
}

// Series are the metrics of one run and variant.
type Series struct {
	corrected, raw *observer
	requests       map[Outcome]prometheus.Counter
	offered, info  prometheus.Gauge
}

// Of returns the series of a run. They begin at 0, outcomes that never come
// included.
func (m *Metrics) Of(l RunLabels) *Series {
	s := &Series{
		corrected: newObserver(m.duration.WithLabelValues(l.Scenario, l.Variant, ClockCorrected, l.RunID)),
		raw:       newObserver(m.duration.WithLabelValues(l.Scenario, l.Variant, ClockRaw, l.RunID)),
		requests:  map[Outcome]prometheus.Counter{},
		offered:   m.offered.WithLabelValues(l.Scenario, l.Variant, l.RunID),
		info:      m.info.WithLabelValues(l.Scenario, l.Variant, l.RunID),
	}
	for _, o := range Outcomes() {
		s.requests[o] = m.requests.WithLabelValues(l.Scenario, l.Variant, l.RunID, string(o))
	}
	return s
}

// Begin says that an attack of the given rate, in requests per second, runs.
func (s *Series) Begin(rate float64) { s.offered.Set(rate); s.info.Set(1) }

// End says that it does not run any more.
func (s *Series) End() { s.offered.Set(0); s.info.Set(0) }

// Observe counts a result. Latencies are those of successes: what fails fast
// must not make a target look fast.
func (s *Series) Observe(r Result) {
	s.requests[r.Outcome()].Inc()
	if r.Outcome() == OK {
		now := time.Now()
		s.corrected.observe(r.Corrected(), r.TraceID, now)
		s.raw.observe(r.Raw(), r.TraceID, now)
	}
}

// observer is a histogram with an exemplar per bucket and second.
type observer struct {
	histogram prometheus.ExemplarObserver
	plain     prometheus.Observer
	mu        sync.Mutex
	next      []time.Time // per classic bucket
}

func newObserver(o prometheus.Observer) *observer {
	e, _ := o.(prometheus.ExemplarObserver) // histograms are
	return &observer{histogram: e, plain: o, next: make([]time.Time, len(catalog.BenchRequestDuration.Buckets)+1)}
}

func (o *observer) observe(d time.Duration, traceID string, now time.Time) {
	if traceID != "" && o.histogram != nil && o.claim(d, now) {
		o.histogram.ObserveWithExemplar(d.Seconds(), prometheus.Labels{catalog.ExemplarTraceID: traceID})
		return
	}
	o.plain.Observe(d.Seconds())
}

// claim reports whether the bucket of d is due for an exemplar.
func (o *observer) claim(d time.Duration, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := &o.next[sort.SearchFloat64s(catalog.BenchRequestDuration.Buckets, d.Seconds())]
	if now.Before(*next) {
		return false
	}
	*next = now.Add(exemplarEvery)
	return true
}
