package replication_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/replication"
)

// fleet is a router of a primary and two replicas that do as they are told.
type fleet struct {
	*replication.Router[string]
	registry *prometheus.Registry
	primary  *fakeServer
	one, two *fakeServer
	replicas int
}

func newFleet(t testing.TB, change func(*replication.RouterConfig[string])) *fleet {
	t.Helper()
	f := &fleet{registry: prometheus.NewRegistry(), primary: &fakeServer{}, one: &fakeServer{replica: true}, two: &fakeServer{replica: true}}
	for _, s := range []*fakeServer{f.primary, f.one, f.two} {
		s.at.Store(1000)
	}
	c := replication.RouterConfig[string]{
		Primary:      fakeTarget("primary", f.primary),
		Replicas:     []replication.Target[string]{fakeTarget("one", f.one), fakeTarget("two", f.two)},
		Registerer:   f.registry,
		PollInterval: 5 * time.Millisecond,
	}
	if change != nil {
		change(&c)
	}
	router, err := replication.NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Shutdown(context.Background()) })
	f.Router, f.replicas = router, len(c.Replicas)
	f.inRotation(t, "one", true)
	f.inRotation(t, "two", true)
	return f
}

func (f *fleet) inRotation(t testing.TB, name string, want bool) {
	t.Helper()
	if f.replicas == 0 {
		return
	}
	eventually(t, fmt.Sprintf("%s in rotation: %v", name, want), func() bool {
		is, _ := value(t, f.registry, catalog.DBRouterInRotation, name)
		return (is == 1) == want
	})
}

// where reads in a context and returns which server it was.
func (f *fleet) where(t testing.TB, ctx context.Context) string {
	t.Helper()
	var got string
	if err := f.Read(ctx, func(_ context.Context, db string) error { got = db; return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

// reads returns the count of a target and reason.
func (f *fleet) reads(t testing.TB, target, reason string) float64 {
	t.Helper()
	n, _ := value(t, f.registry, catalog.DBRouterReads, target, reason)
	return n
}

// session returns what makes a session that has just written up to a position.
func session(at replication.LSN) func() context.Context {
	return func() context.Context {
		s := new(replication.Session)
		if at > 0 {
			s.Note(at)
		}
		return replication.WithSession(context.Background(), s)
	}
}

func TestReadsGoWhereTheyAreNotStale(t *testing.T) {
	t.Parallel()
	type config = replication.RouterConfig[string]
	unknown := replication.LSN(1<<64 - 1)
	for name, c := range map[string]struct {
		change         func(*config)
		one, two       uint64 // positions; the primary is at 2000
		session        func() context.Context
		target, reason string
		want           string // a server's name, or empty for any replica
		avoided        float64
	}{
		"no session":             {session: context.Background, target: "replica", reason: catalog.RouterFresh},
		"a session without one":  {session: session(0), target: "replica", reason: catalog.RouterFresh},
		"both have replayed it":  {one: 2000, two: 2000, session: session(1500), target: "replica", reason: catalog.RouterCaughtUp},
		"none has":               {one: 1000, two: 1000, session: session(1500), target: "primary", reason: catalog.RouterBehind, want: "primary", avoided: 1},
		"none has, not waiting":  {change: func(c *config) { c.Wait = replication.NoWait }, one: 1000, two: 1000, session: session(1500), target: "primary", reason: catalog.RouterBehind, want: "primary", avoided: 1},
		"wrote, nobody knows":    {one: 2000, two: 2000, session: session(unknown), target: "primary", reason: catalog.RouterUnknown, want: "primary"},
		"no replicas":            {change: func(c *config) { c.Replicas = nil }, session: session(0), target: "primary", reason: catalog.RouterNoReplica, want: "primary"},
		"eventual":               {change: func(c *config) { c.Strategy = replication.Eventual }, one: 1000, two: 1000, session: session(1500), target: "replica", reason: catalog.RouterEventual},
		"own writes, just now":   {change: func(c *config) { c.Strategy = replication.CacheOwnWrites }, one: 2000, two: 2000, session: session(1500), target: "primary", reason: catalog.RouterOwnWrite, want: "primary"},
		"own writes, long ago":   {change: func(c *config) { c.Strategy, c.OwnWrites = replication.CacheOwnWrites, 1 }, session: session(1500), target: "replica", reason: catalog.RouterFresh},
		"own writes, none":       {change: func(c *config) { c.Strategy = replication.CacheOwnWrites }, session: session(0), target: "replica", reason: catalog.RouterFresh},
		"behind, but it may be":  {change: func(c *config) { c.MaxLag = time.Hour }, one: 1000, two: 1000, session: session(0), target: "replica", reason: catalog.RouterFresh},
		"too far behind for all": {change: func(c *config) { c.MaxLag = 50 * time.Millisecond }, one: 1000, two: 1000, session: session(0), target: "primary", reason: catalog.RouterLagging, want: "primary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, c.change)
			f.one.at.Store(max(c.one, 1))
			f.two.at.Store(max(c.two, 1))
			if c.one == 0 { // up to date
				f.one.at.Store(2000)
				f.two.at.Store(2000)
			}
			f.primary.at.Store(2000)
			switch {
			case f.replicas == 0:
			case c.reason == catalog.RouterLagging:
				eventually(t, "the lag is seen", func() bool { return f.where(t, c.session()) == "primary" })
			default:
				asked := f.one.asked.Load() + 2
				eventually(t, "positions are known", func() bool { return f.one.asked.Load() > asked && f.two.asked.Load() > asked })
			}
			before := f.reads(t, c.target, c.reason)
			got := f.where(t, c.session())
			if c.want != "" && got != c.want || c.want == "" && got != "one" && got != "two" {
				t.Errorf("read from %s, want %s", got, c.want)
			}
			if n := f.reads(t, c.target, c.reason) - before; n != 1 {
				t.Errorf("%v reads of %s because %s are counted, want 1", n, c.target, c.reason)
			}
			if n, _ := value(t, f.registry, catalog.DBRouterStaleAvoided); n != c.avoided {
				t.Errorf("%v stale reads avoided, want %v", n, c.avoided)
			}
		})
	}
}

func TestTheReplicaThatHasReplayedItIsFound(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil)
	f.two.at.Store(2000)
	eventually(t, "the other one is always found", func() bool { return f.where(t, session(1500)()) == "two" })
	for range 10 {
		if got := f.where(t, session(1500)()); got != "two" {
			t.Errorf("read from %s", got)
		}
	}
	if n, _ := value(t, f.registry, catalog.DBRouterStaleAvoided); n < 5 {
		t.Errorf("%v stale reads avoided, want every second", n)
	}
}

func TestAReadWaitsForAReplicaThatIsAboutToCatchUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t, func(c *replication.RouterConfig[string]) {
		c.Wait, c.PollInterval = 20*time.Second, time.Hour // only the waiting reader has it asked
	})
	done := make(chan string)
	go func() { done <- f.where(t, session(1500)()) }()
	eventually(t, "the replicas are asked again and again", func() bool { return f.two.asked.Load() > 5 })
	select {
	case got := <-done:
		t.Fatalf("read from %s, which has not replayed it", got)
	default:
	}
	f.two.at.Store(1500)
	if got := <-done; got != "two" {
		t.Errorf("read from %s", got)
	}
	if n := f.reads(t, catalog.RouterReplica, catalog.RouterWaited); n != 1 {
		t.Errorf("%v reads waited, want 1", n)
	}
	if n, _ := value(t, f.registry, catalog.DBRouterWait, "replica"); n != 1 {
		t.Errorf("%v times of waiting, want 1", n)
	}
}

func TestACallerWhoLeavesDoesNotGoOnWaiting(t *testing.T) {
	t.Parallel()
	f := newFleet(t, func(c *replication.RouterConfig[string]) { c.Wait = time.Hour })
	ctx, cancel := context.WithCancel(session(1500)())
	done := make(chan error)
	go func() { done <- f.Read(ctx, func(ctx context.Context, _ string) error { return ctx.Err() }) }()
	eventually(t, "it waits", func() bool { return f.one.asked.Load() > 5 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWritesNoteHowFarTheLogReaches(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil)
	f.primary.at.Store(5000)
	ctx := session(0)()
	failed := errors.New("the answer to the commit got lost")
	for _, want := range []error{nil, failed} {
		f.primary.at.Add(1000)
		err := f.Write(ctx, func(_ context.Context, db string) error {
			if db != "primary" {
				t.Errorf("wrote to %s", db)
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Errorf("Write = %v, want %v", err, want)
		}
		if got := replication.SessionFrom(ctx).Position(); uint64(got) != f.primary.at.Load() {
			t.Errorf("position %v, want %v", got, f.primary.at.Load())
		}
	}
	f.primary.fail(errors.New("gone"))
	_ = f.Write(ctx, func(context.Context, string) error { return nil })
	f.one.at.Store(1 << 62)
	if got := f.where(t, ctx); got != "primary" {
		t.Errorf("read from %s after a write to nobody knows where", got)
	}
	asked := f.primary.asked.Load()
	f.primary.fail(nil)
	eventually(t, "the router asks for itself", func() bool { return f.primary.asked.Load() > asked })
	if err := f.Write(context.Background(), func(context.Context, string) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestBrokenServersAreLeftAlone tries every kind of error.
func TestBrokenServersAreLeftAlone(t *testing.T) {
	t.Parallel()
	own := errors.New("no rows, say")
	for name, c := range map[string]struct {
		err     error
		retried bool
		leaves  bool
	}{
		"the caller's own":         {own, false, false},
		"a syntax error":           {stateError("42601"), false, false},
		"a statement time-out":     {stateError("57014"), false, false},
		"a patience that ended":    {context.DeadlineExceeded, false, false},
		"a conflict with replay":   {stateError("40001"), true, false},
		"the server shuts down":    {stateError("57P01"), true, true},
		"the server starts":        {stateError("57P03"), true, true},
		"too many connections":     {stateError("53300"), true, true},
		"the connection is broken": {io.ErrUnexpectedEOF, true, true},
		"a bad connection":         {driver.ErrBadConn, true, true},
		"wrapped by the caller":    {fmt.Errorf("read user 7: %w", io.ErrUnexpectedEOF), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, func(c *replication.RouterConfig[string]) { c.PollInterval = time.Hour })
			// Both replicas are as broken for questions as for reads.
			f.one.fail(errors.New("broken"))
			f.two.fail(errors.New("broken"))
			var tried []string
			err := f.Read(context.Background(), func(_ context.Context, db string) error {
				tried = append(tried, db)
				if db == "primary" {
					return nil
				}
				return c.err
			})
			if c.retried && (err != nil || len(tried) != 3 || tried[2] != "primary" || tried[0] == tried[1]) {
				t.Errorf("tried %v: %v, want both replicas and then the primary", tried, err)
			}
			if !c.retried && (!errors.Is(err, c.err) || len(tried) != 1) {
				t.Errorf("tried %v: %v, want the error at once", tried, err)
			}
			if n := f.reads(t, catalog.RouterPrimary, catalog.RouterRetry); (n == 1) != c.retried {
				t.Errorf("%v reads of the primary after failures", n)
			}
			if c.leaves {
				f.inRotation(t, "one", false)
				f.inRotation(t, "two", false)
				f.one.fail(nil)
				f.one.asked.Store(0)
				eventually(t, "reads go to the primary", func() bool { return f.where(t, context.Background()) == "primary" })
				return
			}
			if got := f.where(t, context.Background()); got == "primary" {
				t.Error("the replicas left the rotation")
			}
		})
	}
}

func TestAReplicaThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t, func(c *replication.RouterConfig[string]) { c.ReplicaTimeout = 20 * time.Millisecond })
	var tried []string
	err := f.Read(context.Background(), func(ctx context.Context, db string) error {
		tried = append(tried, db)
		if db == "primary" {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil || len(tried) != 3 {
		t.Errorf("tried %v: %v", tried, err)
	}
}

func TestAServerThatIsNoReplicaGetsNoReads(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil)
	f.Router.Shutdown(context.Background())
	promoted := &fakeServer{}
	promoted.at.Store(9000)
	router, err := replication.NewRouter(replication.RouterConfig[string]{
		Primary: fakeTarget("primary", f.primary), Replicas: []replication.Target[string]{fakeTarget("promoted", promoted)}, PollInterval: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = router.Shutdown(context.Background()) }()
	eventually(t, "it is known", func() bool { return promoted.asked.Load() > 3 })
	_ = router.Read(context.Background(), func(_ context.Context, db string) error {
		if db != "primary" {
			t.Errorf("read from %s", db)
		}
		return nil
	})
}

func TestRouterConfigReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := replication.NewRouter(replication.RouterConfig[string]{Strategy: 9, Wait: -2, MaxLag: -1, PollTimeout: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Nodes[0].Name is empty", "Strategy is strategy 9", "Wait is -2ns", "MaxLag is -1ns", "PollTimeout is -1ns"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func TestRouterEndsItsGoroutines(t *testing.T) {
	leaktest.Run(t, func() {
		f := newFleet(t, nil)
		for range 2 {
			if err := f.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if got := f.where(t, context.Background()); got != "primary" {
			t.Errorf("after the end it reads from %s", got)
		}
	})
}

// TestRoutingAllocatesNothing: the bound is two allocations.
func TestRoutingAllocatesNothing(t *testing.T) {
	f := newFleet(t, nil)
	read := func(context.Context, string) error { return nil }
	for name, ctx := range map[string]context.Context{"no session": context.Background(), "a session that wrote": session(500)()} {
		n := testing.AllocsPerRun(1000, func() { _ = f.Read(ctx, read) })
		t.Logf("%s: %v allocations per routed read", name, n)
		if n > 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	f := newFleet(b, func(c *replication.RouterConfig[string]) { c.PollInterval = time.Second })
	read := func(context.Context, string) error { return nil }
	for name, ctx := range map[string]context.Context{"no_session": context.Background(), "session_that_wrote": session(500)()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = f.Read(ctx, read)
			}
		})
	}
}
