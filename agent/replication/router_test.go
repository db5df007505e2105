package replication_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/replication"
)

const clients = 8

// route returns a router over the cluster's servers.
func (c *cluster) route(t testing.TB, change func(*replication.RouterConfig[*pgxpool.Pool])) (*replication.Router[*pgxpool.Pool], *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	config := replication.RouterConfig[*pgxpool.Pool]{
		Primary: replication.PgxTarget(c.names[0], c.pools[c.names[0]]), Registerer: registry,
	}
	for _, name := range c.names[1:] {
		config.Replicas = append(config.Replicas, replication.PgxTarget(name, c.pools[name]))
	}
	if change != nil {
		change(&config)
	}
	router, err := replication.NewRouter(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := router.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, name := range c.names[1:] {
		eventually(t, name+" is in rotation", func() bool {
			is, _ := value(t, registry, catalog.DBRouterInRotation, name)
			return is == 1
		})
	}
	return router, registry
}

// profile is the row that one client writes and reads.
const (
	writeProfile = "insert into profiles values ($1, $2) on conflict (id) do update set version = $2"
	readProfile  = "select coalesce(max(version), 0) from profiles where id = $1"
)

// pairs writes and reads n times for each client, and returns how many reads
// were stale.
func pairs(t *testing.T, n int, base int, router *replication.Router[*pgxpool.Pool], read func(context.Context, func(context.Context, *pgxpool.Pool) error) error) int64 {
	t.Helper()
	var stale atomic.Int64
	var group sync.WaitGroup
	for id := range clients {
		group.Go(func() {
			ctx := replication.WithSession(t.Context(), new(replication.Session))
			for i := range n {
				version, seen := base+i+1, 0
				err := router.Write(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
					_, err := db.Exec(ctx, writeProfile, id, version)
					return err
				})
				err = errors.Join(err, read(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
					return db.QueryRow(ctx, readProfile, id).Scan(&seen)
				}))
				if err != nil {
					t.Error(err)
					return
				}
				if seen < version {
					stale.Add(1)
				}
			}
		})
	}
	group.Wait()
	return stale.Load()
}

// share returns the share of reads that went to replicas.
func share(t *testing.T, registry *prometheus.Registry) (onReplicas, all float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != catalog.DBRouterReads.Desc().Name {
			continue
		}
		for _, s := range f.GetMetric() {
			n := s.GetCounter().GetValue()
			all += n
			if label(s, catalog.Target) == catalog.RouterReplica {
				onReplicas += n
			}
		}
	}
	return onReplicas, all
}

func label(m *dto.Metric, name catalog.Label) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == string(name) {
			return l.GetValue()
		}
	}
	return ""
}

// TestNobodyMissesTheirOwnWrites is the seed's example: a user changes their
// profile, and the next page must show it.
func TestNobodyMissesTheirOwnWrites(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	c := newCluster(t, 2)
	c.exec(t, "pg0", "create table profiles (id int primary key, version int not null)")

	t.Run("fresh replicas", func(t *testing.T) {
		router, registry := c.route(t, nil)
		stale := mix(t, n, router)
		on, all := share(t, registry)
		t.Logf("90 %% reads, fresh replicas: %d stale, %.1f %% of %.0f reads on replicas", stale, 100*on/all, all)
		if stale > 0 || on/all < 0.8 {
			t.Errorf("%d stale reads, %.1f %% on replicas, want 0 and at least 80 %%", stale, 100*on/all)
		}
	})

	for _, name := range c.names[1:] {
		c.lagBy(t, name, 2*time.Second)
	}
	t.Run("two seconds of lag", func(t *testing.T) {
		// A short wait, because here it is always in vain.
		router, registry := c.route(t, func(c *replication.RouterConfig[*pgxpool.Pool]) { c.Wait = 2 * time.Millisecond })
		stale := pairs(t, n, 1_000_000, router, router.Read)
		avoided, _ := value(t, registry, catalog.DBRouterStaleAvoided)
		t.Logf("2 s of lag, with the router: %d of %d reads stale, %.0f stale reads avoided", stale, n*clients, avoided)
		if stale != 0 {
			t.Errorf("%d stale reads, want none", stale)
		}
		if avoided == 0 {
			t.Error("no stale read was avoided: nothing lagged")
		}
		few := max(20, n/20)
		stale = pairs(t, few, 2_000_000, router, func(ctx context.Context, f func(context.Context, *pgxpool.Pool) error) error {
			return f(ctx, c.pools["pg1"])
		})
		t.Logf("2 s of lag, without it: %d of %d reads stale", stale, few*clients)
		if stale == 0 {
			t.Error("no read of a lagging replica is stale: this test shows nothing")
		}
	})
}

// mix reads nine times for each write, and returns how many reads were stale.
func mix(t *testing.T, n int, router *replication.Router[*pgxpool.Pool]) int64 {
	t.Helper()
	var stale atomic.Int64
	var group sync.WaitGroup
	for id := range clients {
		group.Go(func() {
			ctx := replication.WithSession(t.Context(), new(replication.Session))
			for i := range n {
				if i%10 == 0 {
					err := router.Write(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
						_, err := db.Exec(ctx, writeProfile, id, i+1)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					continue
				}
				seen := 0
				err := router.Read(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
					return db.QueryRow(ctx, readProfile, id).Scan(&seen)
				})
				if err != nil {
					t.Error(err)
					return
				}
				if seen < i/10*10+1 {
					stale.Add(1)
				}
			}
		})
	}
	group.Wait()
	return stale.Load()
}

// TestAReplicaIsKilledUnderLoad: no read fails, and the replica gets reads
// again soon after its return. Through pgx and through database/sql.
func TestAReplicaIsKilledUnderLoad(t *testing.T) {
	c := newCluster(t, 2)
	c.exec(t, "pg0", "create table profiles (id int primary key, version int not null)")
	c.exec(t, "pg0", "insert into profiles select i, i from generate_series(0, 99) i")
	for _, name := range c.names[1:] {
		eventually(t, name+" has the table", func() bool {
			var n int
			return c.pools[name].QueryRow(t.Context(), "select count(*) from profiles").Scan(&n) == nil && n == 100
		})
	}
	t.Run("pgx", func(t *testing.T) {
		router, registry := c.route(t, nil)
		killed(t, c, registry, func(ctx context.Context, id int) error {
			return router.Read(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
				return db.QueryRow(ctx, readProfile, id).Scan(&id)
			})
		})
	})
	t.Run("database/sql", func(t *testing.T) {
		router, registry := c.routeSQL(t)
		killed(t, c, registry, func(ctx context.Context, id int) error {
			return router.Read(ctx, func(ctx context.Context, db *sql.DB) error {
				return db.QueryRowContext(ctx, readProfile, id).Scan(&id)
			})
		})
	})
}

func (c *cluster) routeSQL(t *testing.T) (*replication.Router[*sql.DB], *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	targets := make([]replication.Target[*sql.DB], len(c.names))
	for i, name := range c.names {
		db, err := sql.Open("pgx", c.servers[name].URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		targets[i] = replication.SQLTarget(name, db)
	}
	router, err := replication.NewRouter(replication.RouterConfig[*sql.DB]{Primary: targets[0], Replicas: targets[1:], Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Shutdown(context.Background()) })
	return router, registry
}

// killed kills and restarts pg1 while clients read.
func killed(t *testing.T, c *cluster, registry *prometheus.Registry, read func(context.Context, int) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var reads, failed atomic.Int64
	var group sync.WaitGroup
	for id := range clients {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := read(context.Background(), id); err != nil {
					failed.Add(1)
					t.Errorf("a read failed: %v", err)
				}
				reads.Add(1)
			}
		})
	}
	serves := func(want bool) func() bool {
		return func() bool {
			is, _ := value(t, registry, catalog.DBRouterInRotation, "pg1")
			return (is == 1) == want
		}
	}
	more := func() { // so many reads, whatever happens
		goal := reads.Load() + 2000
		eventually(t, "the clients go on reading", func() bool { return reads.Load() > goal })
	}
	eventually(t, "pg1 serves", serves(true))
	more()
	if err := c.servers["pg1"].Crash(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "pg1 is out of rotation", serves(false))
	more()
	if err := c.servers["pg1"].Restart(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	eventually(t, "pg1 is in rotation", serves(true))
	took := time.Since(back)
	more()
	stop()
	group.Wait()
	retried, _ := value(t, registry, catalog.DBRouterReads, catalog.RouterReplica, catalog.RouterRetry)
	t.Logf("%d reads while a replica was killed and came back: %d failed, %.0f were repeated on another replica; in rotation %v after it answered",
		reads.Load(), failed.Load(), retried, took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("in rotation %v after its return, want at most 5 s", took)
	}
}
