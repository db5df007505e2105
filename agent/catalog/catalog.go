package catalog

// Metric is what all kinds of metrics have in common. It is implemented by
// [Counter], [Gauge] and [Histogram] and by nothing else.
type Metric interface {
	// Desc returns the name, help text and labels of the metric.
	Desc() Desc
	// Kind returns "counter", "gauge" or "histogram", the words of the
	// Prometheus exposition format.
	Kind() string
}

// Desc describes one metric.
type Desc struct {
	// Name is the full name of the metric family, unit suffix included.
	Name string
	// Help is one sentence: what is counted, and in which unit.
	Help string
	// Labels are the variable labels, in the order in which instruments take
	// their values. Constant labels (see [ConstLabels]) are not among them.
	Labels []Label
	// External marks a metric that some other program emits (the Go client's
	// collectors, Prometheus itself). The catalogue declares it so that
	// dashboards and alerts can refer to it; the agent does not create it.
	External bool
}

// LabelNames returns the variable labels as strings.
func (d Desc) LabelNames() []string {
	names := make([]string, len(d.Labels))
	for i, l := range d.Labels {
		names[i] = string(l)
	}
	return names
}

// Counter is a metric that only grows, except when its process restarts.
type Counter struct{ desc Desc }

// Gauge is a metric that can go up and down.
type Gauge struct{ desc Desc }

// Histogram is a distribution. It is exposed both as a native histogram and
// with the classic buckets of Buckets.
type Histogram struct {
	desc Desc
	// Buckets are the inclusive upper bounds of the classic buckets, in the
	// metric's unit, ascending, without +Inf.
	Buckets []float64
}

// Desc returns the description of the counter.
func (c Counter) Desc() Desc { return c.desc }

// Kind returns "counter".
func (Counter) Kind() string { return "counter" }

// Desc returns the description of the gauge.
func (g Gauge) Desc() Desc { return g.desc }

// Kind returns "gauge".
func (Gauge) Kind() string { return "gauge" }

// Desc returns the description of the histogram.
func (h Histogram) Desc() Desc { return h.desc }

// Kind returns "histogram".
func (Histogram) Kind() string { return "histogram" }

// Label is the name of a metric label.
type Label string

func counter(name, help string, labels ...Label) Counter {
	return Counter{Desc{Name: name, Help: help, Labels: labels}}
}

func gauge(name, help string, labels ...Label) Gauge {
	return Gauge{Desc{Name: name, Help: help, Labels: labels}}
}

func histogram(name, help string, buckets []float64, labels ...Label) Histogram {
	return Histogram{Desc{Name: name, Help: help, Labels: labels}, buckets}
}

func externalCounter(name, help string, labels ...Label) Counter {
	return Counter{Desc{Name: name, Help: help, Labels: labels, External: true}}
}

func externalGauge(name, help string, labels ...Label) Gauge {
	return Gauge{Desc{Name: name, Help: help, Labels: labels, External: true}}
}

// LatencyBuckets are the classic bucket bounds of every duration histogram, in
// seconds: 100 µs to 30 s in about 1-2.5-5 steps, so that a 3 ms query and a 5 s
// outlier both get a percentile that means something. 0.3 is there because it
// is the default latency objective, and an objective that is not a bucket
// bound cannot be counted exactly from classic buckets.
var LatencyBuckets = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
	0.1, 0.25, 0.3, 0.5, 1, 2.5, 5, 10, 30,
}

// CountBuckets are the classic bucket bounds of histograms of small counts.
var CountBuckets = []float64{0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 100, 250}
