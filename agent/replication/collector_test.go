package replication_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/internal/testpg"
)

const fast = 50 * time.Millisecond

// TestCollector shares one cluster among what leaves it as it is.
func TestCollector(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.exec(t, "pg0", "create table truth (at bigint primary key, filler text)")
	t.Run("the primary alone knows its replicas and slots", func(t *testing.T) { theTriple(t, c, c.nodes()[:1]) })
	t.Run("with the replica's own word", func(t *testing.T) { theTriple(t, c, c.nodes()) })
	t.Run("through database/sql", func(t *testing.T) {
		nodes := c.nodes()
		for i, n := range nodes {
			db, err := sql.Open("pgx", c.servers[n.Name].URL("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			nodes[i].DB = replication.SQL(db)
		}
		theTriple(t, c, nodes)
	})
	t.Run("a role without pg_monitor is told the GRANT", func(t *testing.T) { lacksPermission(t, c) })
	t.Run("a clock one hour off changes nothing", func(t *testing.T) { clockOff(t, c) })
	t.Run("a new replica appears by itself and is forgotten", func(t *testing.T) { comesAndGoes(t, c) })
	t.Run("the heartbeat table", func(t *testing.T) { heartbeat(t, c) })
}

// theTriple checks every series of a replica that is connected and up to date.
func theTriple(t *testing.T, c *cluster, nodes []replication.Node) {
	collector, registry := collect(t, replication.Config{Nodes: nodes, Interval: fast})
	eventually(t, "the replica is connected and up to date", func() bool {
		connected, ok1 := value(t, registry, catalog.DBReplicationConnected, "pg1")
		lag, ok2 := value(t, registry, catalog.DBReplicationLagSeconds, "pg1")
		apply, ok3 := value(t, registry, catalog.DBReplicationLagBytes, "pg1", catalog.StageApply)
		ship, ok4 := value(t, registry, catalog.DBReplicationLagBytes, "pg1", catalog.StageShip)
		active, ok5 := value(t, registry, catalog.DBReplicationSlotActive, "slot_of_pg1")
		retained, ok6 := value(t, registry, catalog.DBReplicationSlotRetained, "slot_of_pg1")
		primary, ok7 := value(t, registry, catalog.DBReplicationPrimary, "pg0")
		return ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7 && primary == 1 &&
			connected == 1 && lag == 0 && apply == 0 && ship == 0 && active == 1 && retained < 64<<20
	})
	before, _ := value(t, registry, catalog.DBReplicationWALPosition)
	c.exec(t, "pg0", "insert into truth select $1::bigint + i, repeat('x', 1000) from generate_series(1, 1000) i", time.Now().UnixNano())
	eventually(t, "the log that is written is counted", func() bool {
		after, _ := value(t, registry, catalog.DBReplicationWALPosition)
		return after-before > 1e6
	})
	eventually(t, "the state of the WAL receiver is known to those who ask the replica", func() bool {
		_, ok := value(t, registry, catalog.DBReplicationReceiver, "pg1", "streaming")
		return ok == (len(nodes) > 1)
	})
	if n, _ := value(t, registry, catalog.DBReplicationCollectErrors, "pg0"); n != 0 {
		t.Errorf("%v errors: %v", n, collector.Err())
	}
}

func lacksPermission(t *testing.T, c *cluster) {
	c.exec(t, "pg0", `create role "not a monitor" login`)
	db := open(t, strings.Replace(c.servers["pg0"].URL("postgres"), "postgres@", "not%20a%20monitor@", 1))
	var log lockedBuffer
	collector, registry := collect(t, replication.Config{
		Nodes: []replication.Node{{Name: "pg0", DB: replication.Pgx(db)}}, Interval: fast, Logger: kitlog.NewLogfmtLogger(&log),
	})
	const grant = `run GRANT pg_monitor TO "not a monitor"`
	eventually(t, "three failures are counted", func() bool {
		n, _ := value(t, registry, catalog.DBReplicationCollectErrors, "pg0")
		return n >= 3
	})
	if err := collector.Err(); err == nil || !strings.Contains(err.Error(), grant) {
		t.Errorf("Err() = %v, want %q in it", err, grant)
	}
	if got := strings.Count(log.String(), "GRANT pg_monitor"); got != 1 {
		t.Errorf("the GRANT is logged %d times, want once: %s", got, log.String())
	}
	if _, ok := value(t, registry, catalog.DBReplicationConnected, "pg1"); ok {
		t.Error("something is said of a replica that cannot be seen")
	}
	if _, ok := value(t, registry, catalog.DBReplicationSlotRetained, "slot_of_pg1"); !ok {
		t.Error("nothing is said of the slots, which everybody may see")
	}
	c.exec(t, "pg0", `grant pg_monitor to "not a monitor"`)
	eventually(t, "all is well after the GRANT", func() bool {
		connected, _ := value(t, registry, catalog.DBReplicationConnected, "pg1")
		return connected == 1 && collector.Err() == nil
	})
	if !strings.Contains(log.String(), "can be read again") {
		t.Errorf("the end of the trouble is not logged: %s", log.String())
	}
}

// clockOff moves the collector's clock: only the difference to the servers'
// clocks could matter.
func clockOff(t *testing.T, c *cluster) {
	c.exec(t, "pg1", "select pg_wal_replay_pause()")
	defer c.exec(t, "pg1", "select pg_wal_replay_resume()")
	w := write(c.pools["pg0"])
	defer w.halt()
	began := time.Now()
	lags := map[time.Duration]float64{}
	registries := map[time.Duration]func() (float64, bool){}
	for _, off := range []time.Duration{0, time.Hour, -time.Hour} {
		_, registry := collect(t, replication.Config{
			Nodes: c.nodes(), Interval: fast, Now: func() time.Time { return time.Now().Add(off) },
		})
		registries[off] = func() (float64, bool) { return value(t, registry, catalog.DBReplicationLagSeconds, "pg1") }
	}
	eventually(t, "each sees the lag grow past a second", func() bool {
		for off, lag := range registries {
			lags[off], _ = lag()
		}
		return min(lags[0], lags[time.Hour], lags[-time.Hour]) > 1
	})
	elapsed := time.Since(began).Seconds()
	for off, lag := range lags {
		if lag > elapsed+0.2 {
			t.Errorf("with the clock off by %v the lag is %.2f s after %.2f s", off, lag, elapsed)
		}
	}
	for _, q := range replication.Queries(15_00_00) {
		if clock := regexp.MustCompile(`now\(\)|timestamp|clock|_time|_lag\b`).FindString(q); clock != "" {
			t.Errorf("a query asks a server's clock (%s): %s", clock, q)
		}
	}
}

func comesAndGoes(t *testing.T, c *cluster) {
	_, registry := collect(t, replication.Config{Nodes: c.nodes()[:1], Interval: fast, Forget: 2 * time.Second})
	eventually(t, "the first replica is there", func() bool {
		_, ok := value(t, registry, catalog.DBReplicationConnected, "pg1")
		return ok
	})
	second, err := c.servers["pg0"].Replica("newcomer", "")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the newcomer appears", func() bool {
		connected, _ := value(t, registry, catalog.DBReplicationConnected, "newcomer")
		return connected == 1
	})
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is disconnected", func() bool {
		connected, ok := value(t, registry, catalog.DBReplicationConnected, "newcomer")
		return ok && connected == 0
	})
	eventually(t, "it is forgotten", func() bool {
		_, ok := value(t, registry, catalog.DBReplicationConnected, "newcomer")
		return !ok
	})
}

func heartbeat(t *testing.T, c *cluster) {
	collector, registry := collect(t, replication.Config{Nodes: c.nodes(), Interval: fast, Heartbeat: `public.heart "beat"`})
	eventually(t, "the replica shows beats", func() bool {
		var n int
		err := c.pools["pg1"].QueryRow(t.Context(), `select beat from public."heart ""beat"""`).Scan(&n)
		lag, ok := value(t, registry, catalog.DBReplicationLagSeconds, "pg1")
		return err == nil && n > 2 && ok && lag < 1
	})
	c.exec(t, "pg1", "select pg_wal_replay_pause()")
	began := time.Now()
	eventually(t, "the lag grows without any other write", func() bool {
		lag, _ := value(t, registry, catalog.DBReplicationLagSeconds, "pg1")
		return lag > 1
	})
	if elapsed := time.Since(began).Seconds(); elapsed < 0.9 {
		t.Errorf("the lag is a second after %.2f s", elapsed)
	}
	c.exec(t, "pg1", "select pg_wal_replay_resume()")
	eventually(t, "the lag is gone", func() bool {
		lag, ok := value(t, registry, catalog.DBReplicationLagSeconds, "pg1")
		return ok && lag < 0.5
	})
	if err := collector.Err(); err != nil {
		t.Error(err)
	}
}

// slowServer accepts connections and never says anything.
func slowServer(t *testing.T) (addr string, accepted *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	accepted = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return listener.Addr().String(), accepted
}

// TestServersThatDoNotAnswerAreCountedAndNeverPileUp also shows that they do
// not hold up the others, nor the end.
func TestServersThatDoNotAnswerAreCountedAndNeverPileUp(t *testing.T) {
	t.Parallel()
	primary, err := testpg.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = primary.Stop() }()
	addr, accepted := slowServer(t)
	slow := open(t, "postgres://postgres@"+addr+"/postgres?sslmode=disable&connect_timeout=60")
	port, err := testpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	refuses := open(t, "postgres://postgres@127.0.0.1:"+port+"/postgres?sslmode=disable")
	stuck, asksSlow := &stuckQuerier{release: make(chan struct{})}, &countingQuerier{Querier: replication.Pgx(slow)}
	collector, registry := collect(t, replication.Config{Interval: fast, Timeout: 200 * time.Millisecond, Nodes: []replication.Node{
		{Name: "well", DB: replication.Pgx(open(t, primary.URL("postgres")))},
		{Name: "slow", DB: asksSlow},
		{Name: "refuses", DB: replication.Pgx(refuses)},
		{Name: "stuck", DB: stuck},
		{Name: "panics", DB: panicQuerier{}},
	}})
	for _, name := range []string{"slow", "refuses", "panics"} {
		eventually(t, name+" fails three times", func() bool {
			n, _ := value(t, registry, catalog.DBReplicationCollectErrors, name)
			return n >= 3
		})
		if err := collector.Err(); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("Err() = %v, want %s in it", err, name)
		}
	}
	if is, _ := value(t, registry, catalog.DBReplicationPrimary, "well"); is != 1 {
		t.Error("the server that answers is not seen")
	}
	if n := stuck.calls.Load(); n != 1 {
		t.Errorf("a server that never returns is asked %d times, want once", n)
	}
	if n := asksSlow.most.Load(); n != 1 {
		t.Errorf("up to %d questions to the slow server at a time, want 1", n)
	}
	if accepted.Load() == 0 {
		t.Error("the slow server was never reached")
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := collector.Shutdown(short); err == nil {
		t.Error("Shutdown does not tell that a server does not let go")
	}
	close(stuck.release)
}

func TestShutdownEndsEveryGoroutineAndTakesTheMetricsAway(t *testing.T) {
	leaktest.Run(t, func() {
		collector, registry := collect(t, replication.Config{Interval: fast, Nodes: []replication.Node{{Name: "a", DB: panicQuerier{}}}})
		for range 2 {
			if err := collector.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if families, err := registry.Gather(); err != nil || len(families) != 0 {
			t.Errorf("%v, %v are left", families, err)
		}
	})
	var none *replication.Collector
	if err := errors.Join(none.Shutdown(context.Background()), none.Err()); err != nil {
		t.Error(err)
	}
}

func TestConfigReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := replication.NewCollector(replication.Config{
		Nodes: []replication.Node{{}, {Name: "a", DB: panicQuerier{}}, {Name: "a", DB: panicQuerier{}}}, Interval: -1, Timeout: 1, Heartbeat: "a.b.c",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"Nodes[0].Name is empty", "Nodes[0].DB is nil", `Nodes[2].Name is "a"`, "Interval is -1ns", "Timeout is 1ns", `"a.b.c" is no name of a table`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if _, err := replication.NewCollector(replication.Config{}); err == nil || !strings.Contains(err.Error(), "want at least the primary") {
		t.Errorf("without nodes: %v", err)
	}
}

func TestOtherVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{
		10_00_23: "pg_is_wal_replay_paused()", 13_00_14: "pg_is_wal_replay_paused()",
		14_00_00: "pg_get_wal_replay_pause_state()", 18_00_01: "pg_get_wal_replay_pause_state()",
	} {
		if q := replication.ReceiverQuery(version); !strings.Contains(q, want) {
			t.Errorf("version %d is asked %s, want %s in it", version, q, want)
		}
	}
	collector, _ := collect(t, replication.Config{Interval: fast, Nodes: []replication.Node{
		{Name: "old", DB: rowQuerier{9_06_24, false, true, "monitor", nil, "", int64(16 << 20)}},
		{Name: "older", DB: errorQuerier{stateError("42883")}},
	}})
	eventually(t, "both are refused", func() bool {
		err := collector.Err()
		return err != nil && strings.Contains(err.Error(), "old: read the position: version 90624 is not supported, want PostgreSQL 10 or later") &&
			strings.Contains(err.Error(), "older: read the position: it is older than PostgreSQL 10")
	})
}

// lockedBuffer is a log that two goroutines may use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
