// Package e2e proves the lab on its real servers: every signal of every
// service arrives, and every link between them leads somewhere.
package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/internal/contract/stores"
)

// startTimeout bounds bringing the lab up, the first build of the servers
// included.
const startTimeout = 45 * time.Minute

// enable is the environment variable that makes these tests run: on the lab in
// containers where it says docker, else on the native one.
const enable = "PLUMBLINE_E2E"

// the is the one lab of this test program. It is started in TestMain and read
// by the tests.
var the struct {
	config     lab.Config
	status     lab.Status
	base       map[string]string // base URL by component
	prometheus stores.Prometheus
	jaeger     stores.Jaeger
	loki       stores.Loki
	pyroscope  stores.Pyroscope
	began      time.Time
	unnamed    int // volumes without a name before it was started, in Docker
}

func TestMain(m *testing.M) {
	if plan := os.Getenv(lab.PlanVariable); plan != "" { // this program as the lab's supervisor
		if err := lab.Supervise(plan, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(enable) == "" {
		fmt.Printf("not run: it builds and starts the whole lab; set %s=1, as `make test-e2e` does\n", enable)
		return
	}
	os.Exit(run(m))
}

// run brings a lab of its own up, on free ports and in a directory of its own,
// so that it stands beside any other.
func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	home, err := os.MkdirTemp("", "plumbline-e2e-")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := os.RemoveAll(home); err != nil {
			code = fail(err)
		}
	}()
	config, err := configure(home)
	if err != nil {
		return fail(err)
	}
	the.config, the.began = config, time.Now()
	if config.Mode == lab.Docker {
		if the.unnamed, err = unnamed(); err != nil {
			return fail(err)
		}
	}
	defer func() {
		purge := config
		purge.Purge = true
		if err := lab.Down(context.Background(), purge, os.Stderr); err != nil {
			code = fail(err)
		}
	}()
	if the.status, err = lab.Up(ctx, config, os.Stderr); err != nil {
		return fail(err)
	}
	connect()
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "end-to-end lab:", err)
	return 1
}

func configure(home string) (lab.Config, error) {
	if err := os.Chmod(home, 0o711); err != nil { // PostgreSQL's user must pass through
		return lab.Config{}, err
	}
	config, err := lab.ConfigFromEnv(os.Getenv)
	if err != nil {
		return config, err
	}
	if config.Root, err = lab.FindRoot("."); err != nil {
		return config, err
	}
	self, err := os.Executable()
	if err != nil {
		return config, err
	}
	config.Home = filepath.Join(home, "lab")
	config.Mode = lab.Native
	if os.Getenv(enable) == string(lab.Docker) {
		config.Mode = lab.Docker
		if err := os.Setenv("COMPOSE_PROJECT_NAME", dockerProject); err != nil {
			return config, err
		}
	}
	config.Supervisor = []string{self}
	config.Ports, err = lab.FreePorts()
	return config, err
}

func connect() {
	the.base = make(map[string]string)
	for _, c := range the.status.Components {
		the.base[c.Name] = c.Address
	}
	the.prometheus = stores.Prometheus{URL: the.base["prometheus"]}
	the.jaeger = stores.Jaeger{URL: the.base["jaeger"]}
	the.loki = stores.Loki{URL: the.base["loki"]}
	the.pyroscope = stores.Pyroscope{URL: the.base["pyroscope"]}
}

// step is one question to the running lab.
type step struct {
	name string
	run  func(*testing.T)
}

// TestLab asks the running lab, step by step; the last step takes it down.
func TestLab(t *testing.T) {
	before := []step{{"everything listens on loopback only", listensOnLoopbackOnly}}
	after := []step{
		{"a benchmark shows in metrics and traces", benchmarkShows},
		{"the console draws everything", consoleDrawsEverything},
		{"down leaves nothing", downLeavesNothing},
	}
	if the.config.Mode == lab.Docker {
		before, after = dockerBefore(), dockerAfter()
	}
	steps := append(before, []step{
		{"status probes every component and sums its memory", statusProbesAndSumsMemory},
		{"a second up changes nothing", secondUpChangesNothing},
		{"every signal of every service arrives", everySignalArrives},
		{"every exemplar leads to its trace and its logs", exemplarsLeadToTracesAndLogs},
		{"a span opens its own flame graph", spanOpensItsFlameGraph},
		{"rules are loaded, evaluate, and are quiet", rulesAreLoadedAndEvaluate},
		{"every panel of every dashboard has data, or a reason", everyPanelHasData},
	}...)
	for _, s := range append(steps, after...) {
		t.Run(s.name, s.run)
	}
}

// eventually calls check until it returns nil, and fails with its last error
// when the limit has passed. Telemetry arrives within an interval, not at once.
func eventually(t *testing.T, limit time.Duration, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %v", limit, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// call sends a request through the gateway in a trace of the test's own.
func call(t *testing.T, method, path, body, trace string) *http.Response {
	t.Helper()
	r, err := newRequest(t.Context(), method, the.base["gateway"]+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}
