package agentsql

import (
	"database/sql"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// ObserveDB exports the statistics of a pool under a name of the caller's,
// unique within the agent: db_client_connections by state and what goes with
// them. They are read when metrics are gathered. The pool stays the caller's; a
// closed one reads as empty. A pool without a limit, which is database/sql's
// default, has no db_client_connections_max. With a nil agent nothing happens.
func ObserveDB(a *agent.Agent, name string, db *sql.DB) error {
	if a == nil {
		return nil
	}
	labels := prometheus.Labels{string(catalog.Pool): name}
	err := prometheus.WrapRegistererWith(labels, a.Registerer()).Register(newPoolCollector(db))
	if err != nil {
		return fmt.Errorf("observe pool %q: %w", name, err)
	}
	if _, err := a.ObserveUsage(catalog.ResourceDBPool, usage(db)); err != nil {
		return fmt.Errorf("observe pool %q: %w", name, err)
	}
	return nil
}

// usage reads how full a pool is. One without a limit cannot be full.
func usage(db *sql.DB) func() agent.Usage {
	return func() agent.Usage {
		s := db.Stats()
		return agent.Usage{Used: float64(s.InUse), Limit: float64(s.MaxOpenConnections), Waiting: -1, Waited: s.WaitDuration}
	}
}

// poolCollector reads one pool. Its metrics lack the pool label, which the
// wrapped registerer adds: so two pools are two collectors and not a clash.
type poolCollector struct {
	db                                 *sql.DB
	connections, limit, waiting, waits *prometheus.Desc
}

func newPoolCollector(db *sql.DB) *poolCollector {
	return &poolCollector{
		db:          db,
		connections: metrics.DescWithout(catalog.DBClientConnections, catalog.Pool),
		limit:       metrics.DescWithout(catalog.DBClientConnectionsMax, catalog.Pool),
		waiting:     metrics.DescWithout(catalog.DBClientConnectionWait, catalog.Pool),
		waits:       metrics.DescWithout(catalog.DBClientConnectionWaits, catalog.Pool),
	}
}

// Describe implements [prometheus.Collector].
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.limit, c.waiting, c.waits} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. A connection that is being opened
// counts as used, because database/sql does not tell the two apart.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.db.Stats()
	ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(s.InUse), catalog.StateUsed)
	ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(s.Idle), "idle")
	if s.MaxOpenConnections > 0 {
		ch <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(s.MaxOpenConnections))
	}
	ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.CounterValue, s.WaitDuration.Seconds())
	ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(s.WaitCount))
}
