package metrics

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
)

// exemplarEvery is the least time between two exemplars of one bucket. A
// scrape sees only the newest exemplar of a bucket, so that more of them cost
// memory and processor time and show nothing.
const exemplarEvery = time.Second

// Observer is one series of a duration histogram with exemplars.
type Observer struct {
	histogram prometheus.Observer
	bounds    []float64
	next      []atomic.Int64 // per classic bucket: when it may have the next exemplar, in ns since the epoch
}

// NewObserver returns an observer for one series of h.
func NewObserver(h catalog.Histogram, series prometheus.Observer) *Observer {
	return &Observer{histogram: series, bounds: h.Buckets, next: make([]atomic.Int64, len(h.Buckets)+1)}
}

// Wants reports whether an observation of d at the given time should carry an
// exemplar, and claims it: at most one caller per bucket and second is told
// true.
func (o *Observer) Wants(d time.Duration, at time.Time) bool {
	slot := &o.next[sort.SearchFloat64s(o.bounds, d.Seconds())]
	now := at.UnixNano()
	due := slot.Load()
	return now >= due && slot.CompareAndSwap(due, now+int64(exemplarEvery))
}

// Observe records d, with the trace as exemplar when the ID is valid.
func (o *Observer) Observe(d time.Duration, id trace.TraceID) {
	if id.IsValid() {
		if e, ok := o.histogram.(prometheus.ExemplarObserver); ok {
			e.ObserveWithExemplar(d.Seconds(), prometheus.Labels{catalog.ExemplarTraceID: id.String()})
			return
		}
	}
	o.histogram.Observe(d.Seconds())
}
