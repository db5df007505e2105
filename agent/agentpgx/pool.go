package agentpgx

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// ObservePool exports the statistics of a pool under a name of the caller's,
// unique within the agent: db_client_connections by state and what goes with
// them. They are read when metrics are gathered. The pool stays the caller's; a
// closed pool reads as empty. With a nil agent nothing happens.
func ObservePool(a *agent.Agent, name string, pool *pgxpool.Pool) error {
	if a == nil {
		return nil
	}
	labels := prometheus.Labels{string(catalog.Pool): name}
	err := prometheus.WrapRegistererWith(labels, a.Registerer()).Register(newPoolCollector(pool))
	if err != nil {
		return fmt.Errorf("observe pool %q: %w", name, err)
	}
	if _, err := a.ObserveUsage(catalog.ResourceDBPool, usage(pool)); err != nil {
		return fmt.Errorf("observe pool %q: %w", name, err)
	}
	return nil
}

// usage reads how full a pool is. A connection that is being opened has its
// place already.
func usage(pool *pgxpool.Pool) func() agent.Usage {
	return func() agent.Usage {
		s := pool.Stat()
		return agent.Usage{
			Used:  float64(s.AcquiredConns() + s.ConstructingConns()),
			Limit: float64(s.MaxConns()), Waiting: -1, Waited: s.EmptyAcquireWaitTime(),
		}
	}
}

// poolCollector reads one pool. Its metrics lack the pool label, which the
// wrapped registerer adds: so two pools are two collectors and not a clash.
type poolCollector struct {
	pool                               *pgxpool.Pool
	connections, limit, waiting, waits *prometheus.Desc
}

func newPoolCollector(pool *pgxpool.Pool) *poolCollector {
	return &poolCollector{
		pool:        pool,
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

// Collect implements [prometheus.Collector].
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.pool.Stat()
	for state, n := range map[string]int32{
		catalog.StateUsed: s.AcquiredConns(), "idle": s.IdleConns(), "opening": s.ConstructingConns(),
	} {
		ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(s.MaxConns()))
	ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.CounterValue, s.EmptyAcquireWaitTime().Seconds())
	ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(s.EmptyAcquireCount()))
}
