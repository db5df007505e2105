package agent_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
)

// quietAgent sends nothing anywhere.
func quietAgent(t *testing.T, set func(*agent.Config)) (*agent.Agent, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	c := agent.Config{Service: "shop", Registry: registry, AdminAddr: agent.Off}
	c.Traces.Disabled, c.Logs.Disabled, c.Profiles.Disabled, c.Logs.Console = true, true, true, &console{}
	set(&c)
	a, err := agent.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, a) })
	return a, registry
}

func TestUtilizationIsExportedByDefault(t *testing.T) {
	t.Parallel()
	a, registry := quietAgent(t, func(*agent.Config) {})
	stop, err := a.ObserveUsage(catalog.ResourceWorkers, func() agent.Usage { return agent.Usage{Used: 3, Limit: 4, Waiting: 2} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	// A sample is taken at most every half second, and the first before the
	// workers were known.
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var used map[string]float64
	for used[string(catalog.ResourceWorkers)] == 0 {
		used = values(t, registry, catalog.ResourceUtilization.Desc().Name)
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("no utilization of the workers, only %v", used)
		}
	}
	if got := used[string(catalog.ResourceWorkers)]; got != 0.75 {
		t.Errorf("the workers are used by %v, want 0.75", got)
	}
	if got := values(t, registry, catalog.ResourceSaturation.Desc().Name)[string(catalog.ResourceWorkers)]; got != 0.5 {
		t.Errorf("the workers are saturated by %v, want 0.5", got)
	}
	if _, err := os.Stat("/proc/self/limits"); err == nil && used[string(catalog.ResourceFiles)] <= 0 {
		t.Errorf("no file descriptors among %v", used)
	}
}

func TestUtilizationCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	a, registry := quietAgent(t, func(c *agent.Config) { c.Saturation.Disabled = true })
	if used := values(t, registry, catalog.ResourceUtilization.Desc().Name); len(used) > 0 {
		t.Errorf("exported all the same: %v", used)
	}
	if a.Saturation() != nil {
		t.Error("there is a collector")
	}
	q, _ := a.StartRequest(httptest.NewRequest(http.MethodGet, "/", nil), "/") // works all the same
	q.End(agent.Response{})
}

// TestTheKneeOfARealService sends random requests to a service with four places
// of 20 ms, at about 70 % of the 200 per second that it can do, and turns some
// away, for ten seconds. How exact the estimate is, the simulations of
// agent/internal/knee tell; here a busy machine may make the service slower, so
// the truth is what its places could have done.
func TestTheKneeOfARealService(t *testing.T) {
	if testing.Short() {
		t.Skip("serves requests for 10 seconds")
	}
	t.Parallel()
	a, registry := quietAgent(t, func(c *agent.Config) { c.Saturation.KneeWindow = saturation.MinKneeWindow })
	const places, service, rate = 4, 20 * time.Millisecond, 140.0
	free := make(chan struct{}, places)
	var mu sync.Mutex
	var inside time.Duration
	var count int
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, _ := a.StartRequest(r, "/")
		if r.URL.Path == "/shed" {
			q.End(agent.Response{Status: http.StatusTooManyRequests})
			return
		}
		free <- struct{}{}
		start := time.Now()
		time.Sleep(service)
		took := time.Since(start)
		<-free
		q.End(agent.Response{Status: http.StatusOK})
		mu.Lock()
		defer mu.Unlock()
		inside, count = inside+took, count+1
	})
	random := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	start := time.Now()
	for at := time.Duration(0); at < saturation.MinKneeWindow; at += time.Duration(random.ExpFloat64() / rate * float64(time.Second)) {
		time.Sleep(time.Until(start.Add(at)))
		path := "/"
		if random.IntN(4) == 0 {
			path = "/shed" // in addition
			wg.Go(func() { handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
		}
		wg.Go(func() { handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)) })
	}
	wg.Wait()
	truth := float64(places*count) / inside.Seconds()
	knee, ok := values(t, registry, catalog.ServiceKneeRate.Desc().Name)[""]
	half := values(t, registry, catalog.ServiceKneeRateError.Desc().Name)[""]
	concurrency := values(t, registry, catalog.ServiceKneeConcurrency.Desc().Name)[""]
	t.Logf("knee %.1f ± %.1f requests per second, %v at a time; the places can do %.1f; %d requests", knee, half, concurrency, truth, count)
	if !ok || knee < truth*0.85 || knee > truth*1.15 {
		t.Errorf("knee %.1f, want %.1f within 15 %%", knee, truth)
	}
	if headroom := values(t, registry, catalog.ServiceHeadroom.Desc().Name)[""]; headroom < 0 || headroom > 1 { // how much depends on when the load ended
		t.Errorf("headroom %.2f", headroom)
	}
	if curve := values(t, registry, catalog.ServiceLatencyCurve.Desc().Name); len(curve) != 19 || curve["0.95"] <= curve["0.05"] {
		t.Errorf("curve %v", curve)
	}
}
