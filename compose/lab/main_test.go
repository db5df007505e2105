package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// helperVariable makes the test binary behave like a component of a lab.
const helperVariable = "PLUMBLINE_LAB_TEST_HELPER"

// TestMain lets this binary be three things: the tests, the supervisor that
// they start, and the components that the supervisor starts.
func TestMain(m *testing.M) {
	if plan := os.Getenv(PlanVariable); plan != "" {
		if err := Supervise(plan, os.Stderr); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if mode := os.Getenv(helperVariable); mode != "" {
		os.Exit(helper(mode, os.Getenv("ADDRESS")))
	}
	os.Exit(m.Run())
}

// helper is the body of a component.
func helper(mode, address string) int {
	switch mode {
	case "once":
		fmt.Println("did it")
		return 0
	case "die":
		for i := range 30 {
			fmt.Printf("line %d\n", i+1)
		}
		return 3
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	ctx, stop := context.Background(), func() {}
	if mode != "stubborn" {
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	}
	defer stop()
	if address != "" {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		go func() {
			_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/exit" {
					os.Exit(7)
				}
			}))
		}()
	}
	fmt.Println(mode + " runs")
	<-ctx.Done()
	fmt.Println(mode + " was told to stop")
	return 0
}

// helperSpec is a component that serves HTTP at port and behaves as mode says.
func helperSpec(t *testing.T, name, mode string, needs ...string) spec {
	t.Helper()
	used := map[int]bool{}
	port, err := freePort(used)
	if err != nil {
		t.Fatal(err)
	}
	return spec{
		Name: name, Needs: needs, Args: []string{os.Args[0]},
		Env:     []string{helperVariable + "=" + mode, "ADDRESS=" + local(port)},
		Dir:     t.TempDir(),
		Address: httpURL(port, ""),
		Probe:   probe{Kind: probeHTTP, Target: httpURL(port, "/")},
	}
}

// onceSpec is a step that runs to its end.
func onceSpec(t *testing.T, name, mode string, needs ...string) spec {
	t.Helper()
	s := helperSpec(t, name, mode, needs...)
	s.Once, s.Probe, s.Address = true, probe{}, ""
	return s
}

// testConfig is a configuration whose supervisor is this binary.
func testConfig(t *testing.T) Config {
	t.Helper()
	ports, err := FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Root: root, Home: t.TempDir(), Cache: t.TempDir(), Mode: Native, Ports: ports,
		StopGrace: 10 * time.Second, ReadyTimeout: 20 * time.Second, Supervisor: []string{os.Args[0]},
	}.WithDefaults()
}

// testPlan writes the plan of these specs into the home, as makeReady does.
func testPlan(t *testing.T, c Config, specs ...spec) plan {
	t.Helper()
	at := paths{c.Home}
	for _, dir := range []string{at.run(), at.logs()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := plan{Home: c.Home, Specs: specs, StopGrace: c.StopGrace, ReadyTimeout: c.ReadyTimeout}
	if err := writeJSON(at.plan(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// bringUp starts a lab of these specs and takes it down when the test ends.
func bringUp(ctx context.Context, t *testing.T, c Config, specs ...spec) error {
	t.Helper()
	p := testPlan(t, c, specs...)
	lock, busy, err := lockDir(c.Home)
	if err != nil || busy {
		t.Fatalf("lock %s: busy %v, %v", c.Home, busy, err)
	}
	defer func() { _ = lock.Close() }()
	t.Cleanup(func() {
		if err := nativeDown(context.Background(), c, io.Discard); err != nil {
			t.Error(err)
		}
	})
	return startSupervised(ctx, c, p, lock, io.Discard)
}

// processOf returns the process that a running component of the lab has.
func processOf(t *testing.T, c Config, name string) identity {
	t.Helper()
	st, err := readState(paths{c.Home}.state())
	if err != nil || st == nil || st.find(name) == nil {
		t.Fatalf("no state of %s: %v", name, err)
	}
	return st.find(name).Process
}

// until waits for a condition that nothing can signal.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
