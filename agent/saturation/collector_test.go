package saturation_test

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// system is a machine whose files tests write.
type system struct {
	mu    sync.Mutex
	files fstest.MapFS
}

func (s *system) Open(name string) (fs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files.Open(name)
}

// write sets files: names and contents by turns. An empty content removes one.
func (s *system) write(pairs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = fstest.MapFS{}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			delete(s.files, pairs[i])
			continue
		}
		s.files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
}

// group is the folder of the only group of a container.
const group = "sys/fs/cgroup/"

// container is a system with a quota of half a core.
func container() *system {
	s := &system{}
	s.write("proc/self/cgroup", "0::/\n",
		"proc/self/mountinfo", "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		group+"cpu.max", "50000 100000\n")
	return s
}

func stat(used time.Duration, periods, throttled int) string {
	return fmt.Sprintf("usage_usec %d\nnr_periods %d\nnr_throttled %d\n", used.Microseconds(), periods, throttled)
}

func pressure(total time.Duration) string {
	return fmt.Sprintf("some avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n", total.Microseconds())
}

// values gathers one family by the label resource.
func values(t *testing.T, c prometheus.Collector, m catalog.Metric) map[catalog.ResourceName]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[catalog.ResourceName]float64{}
	for _, f := range families {
		if f.GetName() != m.Desc().Name {
			continue
		}
		for _, one := range f.GetMetric() {
			found[catalog.ResourceName(one.GetLabel()[0].GetValue())] = one.GetGauge().GetValue()
		}
	}
	return found
}

func newCollector(t *testing.T, c saturation.Config) *saturation.Collector {
	t.Helper()
	collector, err := saturation.NewCollector(c)
	if err != nil {
		t.Fatal(err)
	}
	return collector
}

func near(got, want float64) bool { return math.Abs(got-want) < 1e-9 }

func TestSharesOfTimeAreThoseBetweenTwoSamples(t *testing.T) {
	t.Parallel()
	clock, s := newClock(), container()
	s.write(group+"cpu.stat", stat(100*time.Second, 1000, 500), group+"cpu.pressure", pressure(time.Minute),
		group+"io.pressure", pressure(0), group+"memory.pressure", pressure(time.Hour))
	c := newCollector(t, saturation.Config{Root: s, Now: clock.Now})
	if u := values(t, c, catalog.ResourceUtilization); hasKey(u, catalog.ResourceCPU) {
		t.Errorf("after one sample %v", u)
	}
	clock.pass(15 * time.Second)
	// 4.5 s of 15 s with half a core is 60 %; 30 of 120 periods ran out.
	s.write(group+"cpu.stat", stat(100*time.Second+4500*time.Millisecond, 1120, 530),
		group+"cpu.pressure", pressure(time.Minute+3*time.Second), group+"io.pressure", pressure(1500*time.Millisecond),
		group+"memory.pressure", "")
	if got := values(t, c, catalog.ResourceUtilization)[catalog.ResourceCPU]; !near(got, 0.6) {
		t.Errorf("cpu is used by %v, want 0.6", got)
	}
	got := values(t, c, catalog.ResourceSaturation)
	for name, want := range map[catalog.ResourceName]float64{
		catalog.ResourceCPU: 0.2, catalog.ResourceCPUQuota: 0.25, catalog.ResourceIO: 0.1,
	} {
		if !near(got[name], want) {
			t.Errorf("%s is saturated by %v, want %v", name, got[name], want)
		}
	}
	if hasKey(got, catalog.ResourceMemory) {
		t.Error("memory has a saturation though its file has gone")
	}
}

func hasKey(m map[catalog.ResourceName]float64, name catalog.ResourceName) bool {
	_, ok := m[name]
	return ok
}

func TestWindow(t *testing.T) {
	t.Parallel()
	clock, s := newClock(), container()
	used := time.Duration(0)
	work := func(d time.Duration, share float64) {
		clock.pass(d)
		used += time.Duration(share * 0.5 * float64(d))
		s.write(group+"cpu.stat", stat(used, 1, 1))
	}
	work(0, 0)
	c := newCollector(t, saturation.Config{Root: s, Now: clock.Now, Window: 10 * time.Second})
	cpu := func() float64 { return values(t, c, catalog.ResourceUtilization)[catalog.ResourceCPU] }

	work(2*time.Second, 1)
	if got := cpu(); !near(got, 1) {
		t.Errorf("2 s after the start %v, want what there is: 1", got)
	}
	work(8*time.Second, 0.5)
	if got := cpu(); !near(got, 0.6) {
		t.Errorf("after 10 s %v, want 0.6", got)
	}
	work(2*time.Second, 0.5)
	if got := cpu(); !near(got, 0.5) {
		t.Errorf("after 12 s %v, want 0.5 of the last 10", got)
	}
	// Somebody else collects a moment later: the same figures, not those of
	// an instant.
	work(time.Millisecond, 1)
	if got := cpu(); !near(got, 0.5) {
		t.Errorf("a moment later %v, want 0.5 still", got)
	}
	work(time.Minute-time.Millisecond, 0.25)
	if got := cpu(); math.Abs(got-0.25) > 1e-4 {
		t.Errorf("after a pause of a minute %v, want 0.25 of that minute", got)
	}
	// The limiter looks at the last second only.
	work(time.Second, 0.75)
	if got, ok := c.Utilization(catalog.ResourceCPU); !ok || !near(got, 0.75) {
		t.Errorf("over the last second %v, want 0.75", got)
	}
	// A clock that is set back costs one reading and no nonsense.
	work(-time.Hour, 0)
	if u := values(t, c, catalog.ResourceUtilization); hasKey(u, catalog.ResourceCPU) {
		t.Errorf("after the clock was set back %v", u[catalog.ResourceCPU])
	}
}

func TestTheTightestGroupCounts(t *testing.T) {
	t.Parallel()
	clock, s := newClock(), &system{}
	s.write("proc/self/cgroup", "0::/pod/app\n",
		"proc/self/mountinfo", "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		group+"pod/cpu.max", "200000 100000\n", group+"pod/app/cpu.max", "100000 100000\n",
		group+"pod/cpu.stat", stat(0, 0, 0), group+"pod/app/cpu.stat", stat(0, 0, 0),
		group+"pod/memory.max", "1000\n", group+"pod/memory.current", "900\n",
		group+"pod/app/memory.max", "2000\n", group+"pod/app/memory.current", "400\n")
	c := newCollector(t, saturation.Config{Root: s, Now: clock.Now})
	clock.pass(10 * time.Second)
	// The process itself uses a tenth of its quota, and its neighbours in the
	// pod nearly all of the rest.
	s.write(group+"pod/cpu.stat", stat(18*time.Second, 100, 60), group+"pod/app/cpu.stat", stat(time.Second, 100, 0))
	u := values(t, c, catalog.ResourceUtilization)
	if !near(u[catalog.ResourceCPU], 0.9) || !near(u[catalog.ResourceMemory], 0.9) {
		t.Errorf("%v, want 0.9 of the pod in both", u)
	}
	if got := values(t, c, catalog.ResourceSaturation)[catalog.ResourceCPUQuota]; !near(got, 0.6) {
		t.Errorf("the quota is saturated by %v, want 0.6", got)
	}
}

func TestBadFilesHaveNoSeriesAndNoPanic(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"missing": "", "max": "max 100000\n", "garbage": "\x00\xff garbage 12 -7\n", "negative": "-1 -1\n",
		"too large": "99999999999999999999 1\n", "a period of zero": "50000 0\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, s := newClock(), container()
			for _, file := range []string{"cpu.max", "memory.max", "cpu.pressure", "memory.pressure", "io.pressure"} {
				s.write(group+file, content)
			}
			s.write(group+"memory.current", "5\n", "proc/self/limits", content, "proc/meminfo", content)
			c := newCollector(t, saturation.Config{Root: s, Now: clock.Now})
			clock.pass(time.Minute)
			u, sat := values(t, c, catalog.ResourceUtilization), values(t, c, catalog.ResourceSaturation)
			for _, r := range []catalog.ResourceName{catalog.ResourceFiles, catalog.ResourceMemory} {
				if hasKey(u, r) {
					t.Errorf("%s has a utilization: %v", r, u[r])
				}
			}
			for _, r := range []catalog.ResourceName{catalog.ResourceCPU, catalog.ResourceCPUQuota, catalog.ResourceMemory, catalog.ResourceIO} {
				if hasKey(sat, r) {
					t.Errorf("%s has a saturation: %v", r, sat[r])
				}
			}
			// The process's own time over the cores is always known.
			if got, ok := u[catalog.ResourceCPU]; !ok || got < 0 || got > 1 {
				t.Errorf("cpu is used by %v, %v", got, ok)
			}
		})
	}
}

func TestCountersThatGoBackHaveNoSeries(t *testing.T) {
	t.Parallel()
	clock, s := newClock(), container()
	s.write(group+"cpu.stat", stat(time.Hour, 1000, 1000), group+"cpu.pressure", pressure(time.Hour))
	c := newCollector(t, saturation.Config{Root: s, Now: clock.Now})
	clock.pass(10 * time.Second)
	s.write(group+"cpu.stat", stat(time.Second, 10, 10), group+"cpu.pressure", pressure(time.Second))
	sat := values(t, c, catalog.ResourceSaturation)
	if hasKey(sat, catalog.ResourceCPU) || hasKey(sat, catalog.ResourceCPUQuota) {
		t.Errorf("saturation %v", sat)
	}
}

func TestPoolsAndWorkers(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := newCollector(t, saturation.Config{Root: &system{}, Now: clock.Now})
	observe := func(r catalog.ResourceName, read func() saturation.Usage) func() {
		stop, err := c.Observe(r, read)
		if err != nil {
			t.Fatal(err)
		}
		return stop
	}
	waited := time.Minute
	observe(catalog.ResourceDBPool, func() saturation.Usage { return saturation.Usage{Used: 2, Limit: 10, Waited: waited} })
	stopFull := observe(catalog.ResourceDBPool, func() saturation.Usage { return saturation.Usage{Used: 4, Limit: 4} })
	observe(catalog.ResourceDBPool, func() saturation.Usage { return saturation.Usage{Used: 99} }) // without a limit
	observe(catalog.ResourceWorkers, func() saturation.Usage { return saturation.Usage{Used: 3, Limit: 4, Waiting: 10} })
	observe(catalog.ResourceHTTP, func() saturation.Usage { panic("the host's") })
	clock.pass(10 * time.Second)
	c.Utilization(catalog.ResourceDBPool) // a sample
	clock.pass(10 * time.Second)
	waited += 50 * time.Second // 5 waited on average, for 10 places

	u, sat := values(t, c, catalog.ResourceUtilization), values(t, c, catalog.ResourceSaturation)
	if !near(u[catalog.ResourceDBPool], 1) || !near(sat[catalog.ResourceDBPool], 0.5) {
		t.Errorf("the pools are used by %v and saturated by %v, want those of the worst: 1 and 0.5", u[catalog.ResourceDBPool], sat[catalog.ResourceDBPool])
	}
	if !near(u[catalog.ResourceWorkers], 0.75) || !near(sat[catalog.ResourceWorkers], 2.5) {
		t.Errorf("the workers are used by %v and saturated by %v, want 0.75 and 2.5", u[catalog.ResourceWorkers], sat[catalog.ResourceWorkers])
	}
	if hasKey(u, catalog.ResourceHTTP) {
		t.Error("what panics has a utilization")
	}
	stopFull()
	stopFull()
	clock.pass(10 * time.Second)
	if got := values(t, c, catalog.ResourceUtilization)[catalog.ResourceDBPool]; !near(got, 0.2) {
		t.Errorf("without the full pool %v, want 0.2", got)
	}
}

func TestObserveSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := newCollector(t, saturation.Config{})
	some := func() saturation.Usage { return saturation.Usage{} }
	if _, err := c.Observe(catalog.ResourceCPU, some); err == nil || !strings.Contains(err.Error(), "use db_pool, workers or http_concurrency") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Observe(catalog.ResourceDBPool, nil); err == nil || !strings.Contains(err.Error(), "no function") {
		t.Errorf("got %v", err)
	}
	for range 100 {
		if _, err := c.Observe(catalog.ResourceDBPool, some); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Observe(catalog.ResourceDBPool, some); err == nil || !strings.Contains(err.Error(), "100 are observed already") {
		t.Errorf("got %v", err)
	}
}

func TestConfigOutOfBounds(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{-1, time.Millisecond, time.Hour} {
		if _, err := saturation.NewCollector(saturation.Config{Window: window}); err == nil || !strings.Contains(err.Error(), "use 1s to 5m0s") {
			t.Errorf("%s: %v", window, err)
		}
	}
}

func TestANilCollectorWorks(t *testing.T) {
	t.Parallel()
	var c *saturation.Collector
	stop, err := c.Observe(catalog.ResourceDBPool, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, ok := c.Utilization(catalog.ResourceCPU); ok {
		t.Error("it knows something")
	}
	c.Describe(nil) // a channel that is nil blocks whoever sends to it
	c.Collect(nil)
}
