package replication_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/replication"
)

// interval is how often the collector asks in the test of its truth, and
// tolerance what it may err beyond that.
const (
	interval  = time.Second
	tolerance = 200 * time.Millisecond
)

// lagTest compares what the collector says of one replica with what a query on
// that replica shows.
type lagTest struct {
	*cluster
	registry *prometheus.Registry
	replica  string
	seen     int64 // the newest write that the replica showed
	writer   *writer
	past     []pastTruth
}

// follow compares for a while. What is said must be true now, to one interval
// and the tolerance, or have been true when it was collected, which is up to
// one interval ago: a lag can end at once. A replica that does not answer stays
// where it was.
func (l *lagTest) follow(t *testing.T, phase string, d time.Duration) {
	t.Helper()
	bound := (interval + tolerance).Seconds()
	var worst, longest float64
	samples := 0
	end := time.After(d)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-end:
			running = false
		case <-tick.C:
		}
		now, truth := l.truth(t)
		said, ok := value(t, l.registry, catalog.DBReplicationLagSeconds, l.replica)
		if !ok {
			t.Errorf("%s: nothing is said of the lag, which is %.2f s", phase, truth)
			continue
		}
		samples++
		wrong := math.Abs(said - truth)
		if past := l.ofLate(now); wrong > bound && said >= slices.Min(past)-bound && said <= slices.Max(past)+bound {
			wrong = 0
		}
		worst, longest = max(worst, wrong), max(longest, truth)
	}
	t.Logf("%-22s %3d samples, lag up to %6.2f s, error at most %.2f s", phase, samples, longest, worst)
	if worst > bound {
		t.Errorf("%s: the lag is wrong by up to %.2f s, want at most %.2f s", phase, worst, bound)
	}
}

// truth reads what the replica shows, and returns how old that is, and when.
// What it showed the last time it may have shown until just now: a restart, or
// a replay that resumes, is over within one look.
func (l *lagTest) truth(t *testing.T) (time.Time, float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began, before := time.Now(), l.seen
	if at, err := newest(ctx, l.pools[l.replica]); err == nil {
		l.seen = at
	}
	now := time.Now()
	truth := l.writer.behind(l.seen, now)
	l.past = append(l.past, pastTruth{began, l.writer.behind(before, began)}, pastTruth{now, truth})
	return now, truth
}

// pastTruth is what was true at a time.
type pastTruth struct {
	at    time.Time
	truth float64
}

// ofLate returns what was true within the last interval and the tolerance.
func (l *lagTest) ofLate(now time.Time) []float64 {
	var truths []float64
	for _, p := range l.past {
		if now.Sub(p.at) <= interval+tolerance {
			truths = append(truths, p.truth)
		}
	}
	return truths
}

func (l *lagTest) wantConnected(t *testing.T, want float64) {
	t.Helper()
	eventually(t, "the replica is or is not connected", func() bool {
		got, ok := value(t, l.registry, catalog.DBReplicationConnected, l.replica)
		return ok && got == want
	})
}

// caughtUp waits until the replica shows the newest write, and the collector
// has had the time to see it.
func (l *lagTest) caughtUp(t *testing.T) {
	t.Helper()
	eventually(t, "the replica catches up", func() bool {
		_, truth := l.truth(t)
		return truth < tolerance.Seconds()
	})
}

// TestLagSecondsAreTrue takes a cluster through what can happen to it, and
// compares the lag in seconds with the truth all the time.
//
// It is not parallel, and neither are the router's: what is late is to be the
// replica, and not a test.
func TestLagSecondsAreTrue(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("compared with a clock: make test-lag runs it alone, and without the race detector")
	}
	const paused, down = 30 * time.Second, 8 * time.Second
	c := newCluster(t, 2)
	c.exec(t, "pg0", "create table truth (at bigint primary key, filler text)")
	_, registry := collect(t, replication.Config{Nodes: c.nodes(), Interval: interval})
	l := &lagTest{cluster: c, registry: registry, replica: "pg2", writer: write(c.pools["pg0"])}
	l.caughtUp(t)
	l.wantConnected(t, 1)
	l.follow(t, "steady writes", 5*time.Second)

	c.exec(t, "pg2", "select pg_wal_replay_pause()")
	l.follow(t, "replay paused", paused)
	if ship, _ := value(t, registry, catalog.DBReplicationLagBytes, "pg2", catalog.StageShip); ship > 64<<10 {
		t.Errorf("%v bytes to ship to a replica that receives everything", ship)
	}
	if apply, _ := value(t, registry, catalog.DBReplicationLagBytes, "pg2", catalog.StageApply); apply < 100<<10 {
		t.Errorf("%v bytes to apply on a replica that does not replay", apply)
	}
	if is, _ := value(t, registry, catalog.DBReplicationReplayPaused, "pg2"); is != 1 {
		t.Error("the pause is not told")
	}
	c.exec(t, "pg2", "select pg_wal_replay_resume()")
	l.caughtUp(t)
	l.follow(t, "replay resumed", 4*time.Second)

	if err := c.servers["pg2"].Crash(); err != nil {
		t.Fatal(err)
	}
	l.follow(t, "replica down", down)
	l.wantConnected(t, 0)
	if err := c.servers["pg2"].Restart(); err != nil {
		t.Fatal(err)
	}
	l.caughtUp(t)
	l.follow(t, "replica back", 4*time.Second)
	l.wantConnected(t, 1)

	l.failOver(t)
	l.follow(t, "after a failover", 5*time.Second)
	l.oldPrimaryReturns(t)

	l.writer.halt()
	for _, name := range []string{"pg0", "pg2"} {
		eventually(t, "nothing is left to ship or to apply", func() bool {
			ship, ok1 := value(t, registry, catalog.DBReplicationLagBytes, name, catalog.StageShip)
			apply, ok2 := value(t, registry, catalog.DBReplicationLagBytes, name, catalog.StageApply)
			return ok1 && ok2 && ship == 0 && apply == 0
		})
	}
	l.idle(t, 5*time.Second)
}

// failOver ends the primary, and makes pg1 the primary, which pg2 follows.
func (l *lagTest) failOver(t *testing.T) {
	t.Helper()
	if err := l.servers["pg0"].Crash(); err != nil {
		t.Fatal(err)
	}
	l.writer.halt()
	l.exec(t, "pg1", "select pg_promote()")
	// What the new primary has is what was written.
	l.writer, l.past = write(l.pools["pg1"]), nil
	l.exec(t, "pg2", "alter system set primary_conninfo = '"+l.servers["pg1"].ConnInfo()+"'")
	l.follow(t, "failover, unconnected", 3*time.Second)
	l.exec(t, "pg2", "select pg_reload_conf()")
	l.caughtUp(t)
	l.wantConnected(t, 1)
	for name, want := range map[string]float64{"pg1": 1, "pg2": 0} {
		if is, ok := value(t, l.registry, catalog.DBReplicationPrimary, name); !ok || is != want {
			t.Errorf("%s is primary: %v, %v, want %v", name, is, ok, want)
		}
	}
	if _, ok := value(t, l.registry, catalog.DBReplicationLagSeconds, "pg1"); ok {
		t.Error("the new primary has a lag")
	}
}

// oldPrimaryReturns makes the old primary a replica of the new one.
func (l *lagTest) oldPrimaryReturns(t *testing.T) {
	t.Helper()
	if err := l.servers["pg0"].Follow(l.servers["pg1"], "pg0"); err != nil {
		t.Fatal(err)
	}
	l.replica, l.past = "pg0", nil
	l.caughtUp(t)
	l.wantConnected(t, 1)
	l.follow(t, "old primary as replica", 4*time.Second)
}

// idle checks that the lag is 0, and never more than the bound: PostgreSQL
// writes a few bytes by itself now and then.
func (l *lagTest) idle(t *testing.T, d time.Duration) {
	t.Helper()
	samples, exact, worst := 0, 0, 0.0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(d); ; samples++ {
		select {
		case <-end:
			t.Logf("%-22s %3d samples, said at most %.2f s, exactly 0 in %d of %d", "idle primary", samples, worst, exact, 2*samples)
			if exact < samples {
				t.Errorf("an idle primary reads 0 in %d of %d samples only", exact, 2*samples)
			}
			return
		case <-tick.C:
		}
		for _, name := range []string{"pg0", "pg2"} {
			said, ok := value(t, l.registry, catalog.DBReplicationLagSeconds, name)
			worst = max(worst, said)
			if ok && said == 0 {
				exact++
			}
			if !ok || said > (interval+tolerance).Seconds() {
				t.Errorf("%s: the lag of an idle primary is %v (%v)", name, said, ok)
			}
			for _, stage := range []string{catalog.StageShip, catalog.StageApply} {
				// A snapshot of running transactions may be on its way.
				if bytes, _ := value(t, l.registry, catalog.DBReplicationLagBytes, name, stage); bytes > 1024 {
					t.Errorf("%s: %v bytes to %s from an idle primary", name, bytes, stage)
				}
			}
		}
	}
}
