// Package opmetrics holds the instruments of server work that is no HTTP
// request, such as gRPC calls and jobs: duration, work under way, and time by
// component.
//
// Instruments are resolved once for each label combination, names past a limit
// are counted as "other", and everything is safe for concurrent use.
package opmetrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// maxName is the most bytes of a name.
const maxName = 128

// Kind names the metrics of one kind of work.
type Kind struct {
	// Duration has the name as its first label, and may have the outcome as
	// its second. Active has the name; Seconds and Calls have the name and the
	// component.
	Duration       catalog.Histogram
	Active         catalog.Gauge
	Seconds, Calls catalog.Counter
	// Limit is the most names.
	Limit int
}

// Set is the instruments of one kind.
type Set struct {
	names  *metrics.Cache[string, *Name]
	series *metrics.Cache[key, *Series]
}

type key struct{ name, outcome string }

// New registers a kind's metrics. The set works even with an error, which
// means that the service has another metric of such a name: then that one is
// not exported.
func New(r prometheus.Registerer, k Kind) (*Set, error) {
	duration, err1 := metrics.Histogram(r, k.Duration)
	active, err2 := metrics.Gauge(r, k.Active)
	seconds, err3 := metrics.Counter(r, k.Seconds)
	calls, err4 := metrics.Counter(r, k.Calls)
	s := &Set{names: metrics.NewCache(k.Limit, func(string) string { return catalog.Overflow },
		func(name string) *Name { return newName(name, active, seconds, calls) })}
	labels := len(k.Duration.Desc().Labels)
	// Outcomes are a closed set of at most some tens, and names are capped
	// already.
	s.series = metrics.NewCache(32*(k.Limit+1), func(k key) key { return key{catalog.Overflow, k.outcome} },
		func(id key) *Series {
			values := []string{id.name, id.outcome}[:labels]
			return &Series{
				Observer: metrics.NewObserver(k.Duration, duration.WithLabelValues(values...)), name: s.names.Get(id.name),
			}
		})
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// Name is the instruments of one name.
type Name struct {
	// Text is the name as it stands in labels.
	Text string
	// Active counts the work under way.
	Active         prometheus.Gauge
	recent         metrics.Rolling
	seconds, calls map[catalog.Component]prometheus.Counter
}

func newName(name string, active *prometheus.GaugeVec, seconds, calls *prometheus.CounterVec) *Name {
	n := &Name{
		Text: name, Active: active.WithLabelValues(name),
		seconds: make(map[catalog.Component]prometheus.Counter), calls: make(map[catalog.Component]prometheus.Counter),
	}
	for _, c := range catalog.Components() {
		n.seconds[c] = seconds.WithLabelValues(name, string(c))
		n.calls[c] = calls.WithLabelValues(name, string(c))
	}
	return n
}

// Name returns a name's instruments, those of "other" past the limit, and those
// of "unknown" for the empty name.
func (s *Set) Name(name string) *Name { return s.names.Get(Clean(name)) }

// Len returns the number of names.
func (s *Set) Len() int { return s.names.Len() }

// Series returns the series of a name, as [Set.Name] gave it, and an outcome of
// a closed set.
func (s *Set) Series(n *Name, outcome string) *Series { return s.series.Get(key{n.Text, outcome}) }

// Series is where one piece of work is booked. It is an agent.OperationSeries.
type Series struct {
	*metrics.Observer
	name *Name
}

// Slow books the duration and reports whether it is among the slowest of its
// name of late.
func (s *Series) Slow(d time.Duration) bool { return s.name.recent.Slow(d) }

// Charge books the time that passed in a component, and the calls into it.
func (s *Series) Charge(c catalog.Component, d time.Duration, calls int) {
	s.name.seconds[c].Add(d.Seconds())
	s.name.calls[c].Add(float64(calls))
}

// Clean bounds a label value and makes it valid UTF-8, which Prometheus
// requires. The empty value is "unknown".
func Clean(name string) string {
	if name == "" {
		return catalog.RouteUnknown
	}
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
