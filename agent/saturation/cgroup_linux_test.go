package saturation_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
)

// burnFor is how long a child burns. The quota is enforced in periods of 100 ms.
const burnFor = 3 * time.Second

// childCores tells a copy of the test program that it is the child, and how
// many cores it is to burn.
const childCores = "PLUMBLINE_TEST_BURN_CORES"

// tolerance is by how much the collector may differ from the kernel: 3 points.
const tolerance = 0.03

// TestAgainstTheKernel starts a child in a control group with a quota, has it
// burn a share of that quota, and compares what its collector says with what
// the kernel has booked for the group. No speed is measured: whatever the child
// gets on a busy machine, both must say the same.
func TestAgainstTheKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("burns processors for 20 seconds")
	}
	for _, quota := range []float64{0.5, 1.5} {
		for _, share := range []float64{0.3, 0.6, 0.9, 2} {
			t.Run(fmt.Sprintf("%.0f %% of %.1f cores", share*100, quota), func(t *testing.T) {
				g := newGroup(t, quota)
				before, after, said := g.burn(t, quota*share)
				elapsed := after.at.Sub(before.at)
				used := float64(after.used-before.used) / float64(elapsed) / quota
				throttled := 0.0
				if periods := after.periods - before.periods; periods > 0 {
					throttled = float64(after.throttled-before.throttled) / float64(periods)
				}
				t.Logf("cpu: kernel %.3f, collector %.3f; quota ran out: kernel %.3f, collector %.3f",
					used, said.cpu, throttled, said.quota)
				if d := said.cpu - min(1, used); d < -tolerance || d > tolerance {
					t.Errorf("the collector says %.3f, the kernel %.3f", said.cpu, used)
				}
				if d := said.quota - throttled; d < -2*tolerance || d > 2*tolerance {
					t.Errorf("the quota ran out in %.3f of the periods by the collector, in %.3f by the kernel", said.quota, throttled)
				}
				if used < share/4 && used < 0.2 {
					t.Errorf("the child used %.3f of the quota, so that nothing was compared", used)
				}
			})
		}
	}
}

// account is what the kernel has booked for a group.
type account struct {
	at                 time.Time
	used               time.Duration
	periods, throttled int
}

type said struct{ cpu, quota float64 }

// controlGroup is a group of this test's own, in version 1 or 2.
type controlGroup struct {
	dirs    []string // where the child has to be
	account func() (account, error)
}

// newGroup makes a group with a quota, and skips the test with the reason where
// the machine allows none.
func newGroup(t *testing.T, cores float64) controlGroup {
	t.Helper()
	points := controllers()
	name := fmt.Sprintf("plumbline-test-%d-%.0f", os.Getpid(), cores*10)
	quota, period := strconv.Itoa(int(cores*100_000)), "100000"
	if top, ok := points["v2"]; ok {
		return newGroupV2(t, filepath.Join(top, name), quota+" "+period)
	}
	if points["cpu"] == "" || points["cpuacct"] == "" {
		t.Skip("no control group for processors is mounted; the parsers have golden files")
	}
	cpu, accounts := filepath.Join(points["cpu"], name), filepath.Join(points["cpuacct"], name)
	g := controlGroup{dirs: []string{cpu}}
	if accounts != cpu {
		g.dirs = append(g.dirs, accounts)
	}
	g.account = func() (account, error) {
		a, err := readAccount(filepath.Join(cpu, "cpu.stat"))
		text, err2 := os.ReadFile(filepath.Join(accounts, "cpuacct.usage"))
		ns, err3 := strconv.Atoi(strings.TrimSpace(string(text)))
		a.used = time.Duration(ns)
		return a, errors.Join(err, err2, err3)
	}
	g.create(t, map[string]string{filepath.Join(cpu, "cpu.cfs_period_us"): period, filepath.Join(cpu, "cpu.cfs_quota_us"): quota})
	return g
}

func newGroupV2(t *testing.T, dir, quota string) controlGroup {
	t.Helper()
	g := controlGroup{dirs: []string{dir}, account: func() (account, error) { return readAccount(filepath.Join(dir, "cpu.stat")) }}
	g.create(t, map[string]string{filepath.Join(dir, "cpu.max"): quota})
	return g
}

func (g controlGroup) create(t *testing.T, settings map[string]string) {
	t.Helper()
	for _, dir := range g.dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("no control group can be made here: %v; the parsers have golden files", err)
		}
		t.Cleanup(func() {
			for range 100 { // the kernel takes a moment to forget a process
				if err := syscall.Rmdir(dir); err == nil || errors.Is(err, os.ErrNotExist) {
					return
				}
				runtime.Gosched()
			}
			t.Errorf("%s cannot be removed", dir)
		})
	}
	for file, value := range settings {
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			t.Skipf("no quota can be set here: %v; the parsers have golden files", err)
		}
	}
}

// controllers returns the mount points of version 1 by controller, and that of
// version 2 as "v2" if it has the controller of processors.
func controllers() map[string]string {
	points := map[string]string{}
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, " - ")
		words, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(words) < 5 || len(kind) < 3 {
			continue
		}
		switch kind[0] {
		case "cgroup":
			for controller := range strings.SplitSeq(kind[2], ",") {
				points[controller] = words[4]
			}
		case "cgroup2":
			enabled, _ := os.ReadFile(filepath.Join(words[4], "cgroup.subtree_control"))
			if strings.Contains(" "+strings.TrimSpace(string(enabled))+" ", " cpu ") {
				points["v2"] = words[4]
			}
		}
	}
	return points
}

func readAccount(file string) (account, error) {
	text, err := os.ReadFile(file)
	a := account{at: time.Now()}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 2 {
			continue
		}
		n, _ := strconv.Atoi(words[1])
		switch words[0] {
		case "usage_usec":
			a.used = time.Duration(n) * time.Microsecond
		case "nr_periods":
			a.periods = n
		case "nr_throttled":
			a.throttled = n
		}
	}
	return a, err
}

// burn runs a child in the group. The child waits until it is there, and says
// when its collector takes its samples.
func (g controlGroup) burn(t *testing.T, cores float64) (before, after account, s said) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program, "-test.run=^TestBurn$", "-test.v")
	child.Env = append(os.Environ(), childCores+"="+strconv.FormatFloat(cores, 'f', -1, 64))
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := child.Wait(); err != nil {
			t.Errorf("the child: %v", err)
		}
	}()
	for _, dir := range g.dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(child.Process.Pid)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(in, "go")
	lines := bufio.NewScanner(out)
	wait := func(word string) string {
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), word); ok {
				return rest
			}
		}
		t.Fatalf("the child ended without saying %q", word)
		return ""
	}
	wait("started")
	if before, err = g.account(); err != nil {
		t.Fatal(err)
	}
	text := wait("said")
	if after, err = g.account(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(text, &s.cpu, &s.quota); err != nil {
		t.Fatal(err)
	}
	return before, after, s
}

// TestBurn is the child of TestAgainstTheKernel, and nothing by itself.
func TestBurn(t *testing.T) {
	cores, err := strconv.ParseFloat(os.Getenv(childCores), 64)
	if err != nil {
		t.Skip("this is the child of another test")
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	c, err := saturation.NewCollector(saturation.Config{Window: saturation.MinWindow})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nstarted")
	threads := 1 + int(cores)
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() { burn(cores/float64(threads), burnFor) })
	}
	wg.Wait()
	cpu := values(t, c, catalog.ResourceUtilization)[catalog.ResourceCPU]
	quota := values(t, c, catalog.ResourceSaturation)[catalog.ResourceCPUQuota]
	fmt.Println("\nsaid", cpu, quota)
}

// burn uses a share of one processor: it spins whenever its thread has used less
// than that.
func burn(share float64, d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	start := time.Now()
	began := threadTime()
	for elapsed := time.Duration(0); elapsed < d; elapsed = time.Since(start) {
		if threadTime()-began < time.Duration(share*float64(elapsed)) {
			continue
		}
		<-tick.C
	}
}

func threadTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(1 /* RUSAGE_THREAD */, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
