// Package metrics makes client_golang instruments from catalogue entries.
//
// Every constructor registers with the given registerer and returns the
// instrument that is already there when two adapters ask for the same one, so
// that agentpgx and agentredis share one histogram. Instruments are safe for
// concurrent use.
package metrics

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Native histogram settings. A growth factor of at most 1.025 makes a bucket
// 2.2 % wide, so that an interpolated percentile is within 2.2 % of the exact
// one even where all requests take equally long, which is the worst case. The
// bucket limit bounds memory and scrape size (client_golang's default is no
// limit); a histogram that passes it is reset, at most once an hour, and
// otherwise halves its resolution. It takes latencies spread over a factor of
// more than 32 to pass it, and in those interpolation errs least.
const (
	nativeFactor     = 1.025
	nativeMaxBuckets = 160
	nativeMinReset   = time.Hour
)

// Counter returns the counter's vector, registered with r.
func Counter(r prometheus.Registerer, c catalog.Counter) (*prometheus.CounterVec, error) {
	d := c.Desc()
	return register(r, d.Name, prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.LabelNames()))
}

// Gauge returns the gauge's vector, registered with r.
func Gauge(r prometheus.Registerer, g catalog.Gauge) (*prometheus.GaugeVec, error) {
	d := g.Desc()
	return register(r, d.Name, prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.LabelNames()))
}

// Histogram returns the histogram's vector, registered with r. It has both
// native and classic buckets.
func Histogram(r prometheus.Registerer, h catalog.Histogram) (*prometheus.HistogramVec, error) {
	d := h.Desc()
	return register(r, d.Name, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: d.Name, Help: d.Help, Buckets: h.Buckets,
		NativeHistogramBucketFactor:     nativeFactor,
		NativeHistogramMaxBucketNumber:  nativeMaxBuckets,
		NativeHistogramMinResetDuration: nativeMinReset,
	}, d.LabelNames()))
}

func register[C prometheus.Collector](r prometheus.Registerer, name string, c C) (C, error) {
	err := r.Register(c)
	if err == nil {
		return c, nil
	}
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		if existing, ok := there.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, fmt.Errorf("register metric %s: %w", name, err)
}

// Desc returns the description that a custom collector needs to emit m.
func Desc(m catalog.Metric) *prometheus.Desc {
	d := m.Desc()
	return prometheus.NewDesc(d.Name, d.Help, d.LabelNames(), nil)
}

// DescWithout is [Desc] without one label, for collectors whose registerer
// adds that label.
func DescWithout(m catalog.Metric, label catalog.Label) *prometheus.Desc {
	d := m.Desc()
	names := slices.DeleteFunc(d.LabelNames(), func(n string) bool { return n == string(label) })
	return prometheus.NewDesc(d.Name, d.Help, names, nil)
}
