package replication_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/internal/testpg"
)

// cluster is a primary and its replicas, real servers of one test.
type cluster struct {
	names   []string // the first is the primary
	servers map[string]*testpg.Server
	pools   map[string]*pgxpool.Pool
}

// newCluster starts a primary called pg0 and replicas called pg1 and so on. The
// first of these has a slot.
func newCluster(t *testing.T, replicas int) *cluster {
	t.Helper()
	c := &cluster{servers: map[string]*testpg.Server{}, pools: map[string]*pgxpool.Pool{}}
	primary, err := testpg.Start("cluster_name=pg0", "wal_keep_size=128MB", "synchronous_commit=local")
	c.add(t, "pg0", primary, err)
	for i := range replicas {
		name := "pg" + string(rune('1'+i))
		slot := ""
		if i == 0 {
			slot = "slot_of_pg1"
		}
		// The delay counts from the receipt of the WAL, so a replica that lags on
		// purpose would cancel reads at once. No read here is long enough to hold up
		// replay.
		replica, err := primary.Replica(name, slot, "wal_keep_size=128MB", "max_standby_streaming_delay=-1")
		c.add(t, name, replica, err)
	}
	return c
}

func (c *cluster) add(t *testing.T, name string, s *testpg.Server, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.names, c.servers[name] = append(c.names, name), s
	c.pools[name] = open(t, s.URL("postgres"))
}

// open returns a pool that the test closes.
func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (c *cluster) exec(t *testing.T, name, sql string, args ...any) {
	t.Helper()
	if _, err := c.pools[name].Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %s: %v", name, sql, err)
	}
}

// lagBy makes a replica apply nothing before it is so old.
func (c *cluster) lagBy(t *testing.T, name string, d time.Duration) {
	t.Helper()
	c.exec(t, name, "alter system set recovery_min_apply_delay = "+quoteMillis(d))
	c.exec(t, name, "select pg_reload_conf()")
}

func quoteMillis(d time.Duration) string { return "'" + d.Round(time.Millisecond).String() + "'" }

// nodes returns the servers as the collector wants them.
func (c *cluster) nodes() []replication.Node {
	var nodes []replication.Node
	for _, name := range c.names {
		nodes = append(nodes, replication.Node{Name: name, DB: replication.Pgx(c.pools[name])})
	}
	return nodes
}

// collect starts a collector, with its metrics in a registry.
func collect(t *testing.T, config replication.Config) (*replication.Collector, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	config.Registerer = registry
	collector, err := replication.NewCollector(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := collector.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return collector, registry
}

// value returns the value of the series of a metric with the label values, in
// the order of its labels, and whether there is one.
func value(t testing.TB, g prometheus.Gatherer, m catalog.Metric, labels ...string) (float64, bool) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for i, l := range m.Desc().LabelNames() {
		want[l] = labels[i]
	}
	for _, f := range families {
		if f.GetName() != m.Desc().Name {
			continue
		}
		for _, s := range f.GetMetric() {
			if !slices.ContainsFunc(s.GetLabel(), func(l *dto.LabelPair) bool { return want[l.GetName()] != l.GetValue() }) {
				switch {
				case s.Counter != nil:
					return s.GetCounter().GetValue(), true
				case s.Histogram != nil:
					return float64(s.GetHistogram().GetSampleCount()), true
				}
				return s.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

// writer writes the time into a table, again and again, and remembers when each
// write was committed.
type writer struct {
	pool   *pgxpool.Pool
	stop   context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	writes []int64 // committed, in nanoseconds since 1970, ascending
}

const writePause = 10 * time.Millisecond

// write starts a writer. The table truth must be there.
func write(pool *pgxpool.Pool) *writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &writer{pool: pool, stop: stop}
	w.done.Go(func() {
		tick := time.NewTicker(writePause)
		defer tick.Stop()
		for {
			w.once(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return w
}

func (w *writer) once(ctx context.Context) {
	now := time.Now().UnixNano()
	if _, err := w.pool.Exec(ctx, "insert into truth values ($1, repeat('x', 500))", now); err != nil {
		return // the server is gone, or the writer is to end
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, now)
}

// halt ends the writer and returns what it wrote.
func (w *writer) halt() []int64 {
	w.stop()
	w.done.Wait()
	return w.writes
}

// behind is the truth: how long ago the first write was committed that a
// reader does not see who sees those up to seen. It is 0 if there is none.
func (w *writer) behind(seen int64, now time.Time) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, _ := slices.BinarySearch(w.writes, seen+1)
	if i == len(w.writes) {
		return 0
	}
	return now.Sub(time.Unix(0, w.writes[i])).Seconds()
}

// newest reads the newest write that a server shows.
func newest(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	var at int64
	err := pool.QueryRow(ctx, "select coalesce(max(at), 0) from truth").Scan(&at)
	return at, err
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	leaktest.Eventually(t, what, done)
}
