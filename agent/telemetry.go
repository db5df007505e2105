package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/cputime"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// telemetryCollector exports the account of each signal. It reads one
// snapshot per signal, so that produced = sent + dropped + queued holds in
// every scrape.
type telemetryCollector struct {
	agent *Agent

	produced, sent, dropped, queue, bytes, up *prometheus.Desc
	cpu, series, seriesMax                    *prometheus.Desc
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
		cpu:       metrics.Desc(catalog.AgentCPU),
		series:    metrics.Desc(catalog.LabelValues),
		seriesMax: metrics.Desc(catalog.LabelValuesMax),
	}
}

// Describe implements [prometheus.Collector].
func (t *telemetryCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{t.produced, t.sent, t.dropped, t.queue, t.bytes, t.up, t.cpu, t.series, t.seriesMax} {
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
	for signal, used := range t.cpuTimes() {
		ch <- prometheus.MustNewConstMetric(t.cpu, prometheus.CounterValue, used.Seconds(), string(signal))
	}
	for label, use := range a.caps() {
		t.gauge(ch, t.series, float64(use.values), string(label))
		t.gauge(ch, t.seriesMax, float64(use.most), string(label))
	}
}

// cpuTimes is the processor time that the agent can tell from the service's:
// what the goroutines that send a signal use, where threads have a clock.
// Profiles are missing: pyroscope-go collects them on goroutines of its own.
func (t *telemetryCollector) cpuTimes() map[catalog.Signal]time.Duration {
	if !cputime.Supported {
		return nil
	}
	used := t.agent.logs.CPU()
	if t.agent.traces != nil {
		used[catalog.Traces] = t.agent.traces.CPU()
	}
	return used
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
