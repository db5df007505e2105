package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// telemetryCollector exports the account of each signal. It reads one
// snapshot per signal, so that produced = sent + dropped + queued holds in
// every scrape.
type telemetryCollector struct {
	agent *Agent

	produced, sent, dropped, queue, bytes, up *prometheus.Desc
	series, seriesMax                         *prometheus.Desc
}

func newTelemetryCollector(a *Agent) *telemetryCollector {
	return &telemetryCollector{
		agent:     a,
		produced:  metrics.Desc(catalog.TelemetryProduced),
		sent:      metrics.Desc(catalog.TelemetrySent),
		dropped:   metrics.Desc(catalog.TelemetryDropped),
		queue:     metrics.Desc(catalog.TelemetryQueue),
		bytes:     metrics.Desc(catalog.TelemetryBytes),
		up:        metrics.Desc(catalog.ExporterUp),
		series:    metrics.Desc(catalog.LabelValues),
		seriesMax: metrics.Desc(catalog.LabelValuesMax),
	}
}

// Describe implements [prometheus.Collector].
func (t *telemetryCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{t.produced, t.sent, t.dropped, t.queue, t.bytes, t.up, t.series, t.seriesMax} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (t *telemetryCollector) Collect(ch chan<- prometheus.Metric) {
	a := t.agent
	for signal, stats := range a.logs.Stats() {
		t.signal(ch, signal, stats)
	}
	t.counter(ch, t.bytes, a.logs.BytesSent(), string(catalog.Logs))
	if a.traces != nil {
		t.signal(ch, catalog.Traces, a.traces.Stats())
		t.counter(ch, t.bytes, a.traces.BytesSent(), string(catalog.Traces))
	}
	if a.profiles != nil {
		t.signal(ch, catalog.Profiles, a.profiles.Stats())
		t.counter(ch, t.bytes, a.profiles.BytesSent(), string(catalog.Profiles))
	}
	route := string(catalog.HTTPRoute)
	t.gauge(ch, t.series, float64(a.http.series.Len()), route)
	t.gauge(ch, t.seriesMax, float64(a.config.Metrics.MaxSeries), route)
}

func (t *telemetryCollector) signal(ch chan<- prometheus.Metric, s catalog.Signal, stats batch.Stats) {
	signal := string(s)
	t.counter(ch, t.produced, stats.Produced, signal)
	t.counter(ch, t.sent, stats.Sent, signal)
	for _, reason := range []string{catalog.ReasonQueueFull, catalog.ReasonExport, catalog.ReasonShutdown, catalog.ReasonEvicted} {
		t.counter(ch, t.dropped, stats.Dropped[reason], signal, reason)
	}
	t.gauge(ch, t.queue, float64(stats.Queued), signal)
	up := 0.0
	if stats.Up {
		up = 1
	}
	t.gauge(ch, t.up, up, signal)
}

func (*telemetryCollector) counter(ch chan<- prometheus.Metric, d *prometheus.Desc, v uint64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (*telemetryCollector) gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
