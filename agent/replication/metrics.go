package replication

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// descs describe the collector's metrics.
type descs struct {
	seconds, bytes, connected, receiver, replay *prometheus.Desc
	retained, active, written, primary, errors  *prometheus.Desc
}

func newDescs() descs {
	return descs{
		seconds:   metrics.Desc(catalog.DBReplicationLagSeconds),
		bytes:     metrics.Desc(catalog.DBReplicationLagBytes),
		connected: metrics.Desc(catalog.DBReplicationConnected),
		receiver:  metrics.Desc(catalog.DBReplicationReceiver),
		replay:    metrics.Desc(catalog.DBReplicationReplayPaused),
		retained:  metrics.Desc(catalog.DBReplicationSlotRetained),
		active:    metrics.Desc(catalog.DBReplicationSlotActive),
		written:   metrics.Desc(catalog.DBReplicationWALPosition),
		primary:   metrics.Desc(catalog.DBReplicationPrimary),
		errors:    metrics.Desc(catalog.DBReplicationCollectErrors),
	}
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	d := c.descs
	for _, desc := range []*prometheus.Desc{
		d.seconds, d.bytes, d.connected, d.receiver, d.replay, d.retained, d.active, d.written, d.primary, d.errors,
	} {
		ch <- desc
	}
}

// Collect implements [prometheus.Collector]. It asks no server: it tells what
// the last answers were, and so takes microseconds.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, t := c.config.Now(), c.topology
	for _, r := range t.reports(now) {
		c.collectReplica(ch, r)
	}
	for _, n := range c.config.Nodes {
		emit(ch, c.descs.errors, prometheus.CounterValue, c.failures[n.Name], n.Name)
		if state := t.nodes[n.Name]; t.fresh(state.at, now) {
			emit(ch, c.descs.primary, prometheus.GaugeValue, one(t.primary == n.Name), n.Name)
		}
	}
	head, ok := t.log.last()
	if !ok {
		return
	}
	emit(ch, c.descs.written, prometheus.CounterValue, float64(t.written))
	if !t.answers(now) {
		return
	}
	for _, s := range t.slots {
		emit(ch, c.descs.active, prometheus.GaugeValue, one(s.active), s.name)
		if s.restart > 0 {
			emit(ch, c.descs.retained, prometheus.GaugeValue, float64(head.since(s.restart)), s.name)
		}
	}
}

func (c *Collector) collectReplica(ch chan<- prometheus.Metric, r report) {
	if r.connected != nil {
		emit(ch, c.descs.connected, prometheus.GaugeValue, one(*r.connected), r.replica)
	}
	if r.seconds != nil {
		emit(ch, c.descs.seconds, prometheus.GaugeValue, *r.seconds, r.replica)
	}
	if r.ship != nil {
		emit(ch, c.descs.bytes, prometheus.GaugeValue, float64(*r.ship), r.replica, catalog.StageShip)
		emit(ch, c.descs.bytes, prometheus.GaugeValue, float64(*r.apply), r.replica, catalog.StageApply)
	}
	if r.receiver != nil {
		emit(ch, c.descs.receiver, prometheus.GaugeValue, 1, r.replica, *r.receiver)
		emit(ch, c.descs.replay, prometheus.GaugeValue, one(*r.paused), r.replica)
	}
}

// emit sends one series. Names of replicas are the servers' own, and one that
// is not valid as a label is dropped rather than made up.
func emit(ch chan<- prometheus.Metric, d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
	if m, err := prometheus.NewConstMetric(d, t, v, labels...); err == nil {
		ch <- m
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
