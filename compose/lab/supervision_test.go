package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// conditions maps each component of a status to what it was found to be.
func conditions(s Status) map[string]Condition {
	found := map[string]Condition{}
	for _, c := range s.Components {
		found[c.Name] = c.Condition
	}
	return found
}

func TestLabComesUpIsAskedAndGoesDown(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	store := helperSpec(t, "store", "serve")
	step := onceSpec(t, "step", "once", "store")
	service := helperSpec(t, "service", "serve", "step")
	if err := bringUp(t.Context(), t, c, service, step, store); err != nil {
		t.Fatal(err)
	}

	status, err := CheckStatus(t.Context(), c)
	if err != nil || status.Err() != nil {
		t.Fatalf("status: %v, %v", err, status.Err())
	}
	want := map[string]Condition{"supervisor": ConditionUp, "store": ConditionUp, "step": ConditionDone, "service": ConditionUp}
	if got := conditions(status); len(got) != len(want) {
		t.Fatalf("components %v, want %v", got, want)
	}
	var sum uint64
	for _, component := range status.Components {
		if component.Condition != want[component.Name] {
			t.Errorf("%s is %s, want %s", component.Name, component.Condition, want[component.Name])
		}
		if hasMemory := component.ResidentBytes > 1<<20; hasMemory != (component.Condition == ConditionUp) {
			t.Errorf("%s (%s) has %d bytes resident", component.Name, component.Condition, component.ResidentBytes)
		}
		sum += component.ResidentBytes
	}
	if status.ResidentBytes != sum {
		t.Errorf("sum of memory is %d, want %d", status.ResidentBytes, sum)
	}

	processes := []identity{processOf(t, c, "store"), processOf(t, c, "service")}
	var out bytes.Buffer
	if err := Down(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "the lab is down") {
		t.Errorf("down says %q", out.String())
	}
	for _, id := range processes {
		if id.alive() {
			t.Errorf("process %d is still there", id.PID)
		}
	}
	if _, err := os.Stat(paths{c.Home}.run()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run directory is still there: %v", err)
	}
	stopOrder(t, c)
}

// stopOrder checks that what was started last was stopped first.
func stopOrder(t *testing.T, c Config) {
	t.Helper()
	log, err := os.ReadFile(paths{c.Home}.log("supervisor"))
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for line := range strings.Lines(string(log)) {
		words := strings.Fields(line)
		if len(words) > 2 && (words[2] == "started," || words[2] == "stopped") {
			events = append(events, words[1]+" "+strings.TrimSuffix(words[2], ","))
		}
	}
	want := []string{"store started", "step started", "service started", "service stopped", "store stopped"}
	if !slices.Equal(events, want) {
		t.Errorf("events %v, want %v\n%s", events, want, log)
	}
}

func TestSecondUpChangesNothing(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := bringUp(t.Context(), t, c, helperSpec(t, "store", "serve")); err != nil {
		t.Fatal(err)
	}
	before := processOf(t, c, "store")
	var out bytes.Buffer
	status, err := Up(t.Context(), c, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "up already") || conditions(status)["store"] != ConditionUp {
		t.Errorf("the second up says %q and finds %v", out.String(), conditions(status))
	}
	if after := processOf(t, c, "store"); after != before || !after.alive() {
		t.Errorf("store was process %v and is %v now", before, after)
	}
}

func TestDeathDuringStartUpStopsEverythingAndShowsTheLog(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	store := helperSpec(t, "store", "serve")
	err := bringUp(t.Context(), t, c, store, helperSpec(t, "broken", "die", "store"), helperSpec(t, "later", "serve", "broken"))
	if err == nil {
		t.Fatal("up succeeded")
	}
	for _, part := range []string{"broken ended while starting: exit status 3", "line 11\n", "line 30"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), "line 10\n") {
		t.Errorf("error holds more than the last %d lines:\n%v", failureLines, err)
	}
	if _, dialErr := http.Get(store.Address); dialErr == nil {
		t.Error("store still answers")
	}
	if len(tail(paths{c.Home}.log("later"), 1)) != 0 {
		t.Error("a component was started after the one that it needs had failed")
	}
	if status, err := CheckStatus(t.Context(), c); err != nil || status.Running {
		t.Errorf("status after the failure: running %v, %v", status.Running, err)
	}
}

func TestFailedStepStopsEverything(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	err := bringUp(t.Context(), t, c, helperSpec(t, "store", "serve"), onceSpec(t, "step", "die", "store"))
	if err == nil || !strings.Contains(err.Error(), "step ended while starting: exit status 3") {
		t.Errorf("up returns %v", err)
	}
}

func TestComponentThatIsNeverReadyFailsTheStart(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.ReadyTimeout = 300 * time.Millisecond
	mute := helperSpec(t, "mute", "serve")
	mute.Env = mute.Env[:1] // no address: it listens nowhere
	err := bringUp(t.Context(), t, c, mute)
	if err == nil || !strings.Contains(err.Error(), "mute is not ready after 300ms") {
		t.Errorf("up returns %v", err)
	}
}

func TestInterruptStopsWhatWasStarted(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	store := helperSpec(t, "store", "serve")
	mute := helperSpec(t, "mute", "serve", "store")
	mute.Env = mute.Env[:1]
	ctx, cancel := context.WithCancel(t.Context())
	var muted identity
	go func() {
		defer cancel()
		until(t, "mute has been started", func() bool {
			st, _ := readState(paths{c.Home}.state())
			if st == nil || st.find("mute").Condition != starting {
				return false
			}
			muted = st.find("mute").Process
			return true
		})
	}()
	err := bringUp(ctx, t, c, store, mute)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("up returns %v", err)
	}
	if muted.PID == 0 || muted.alive() {
		t.Errorf("process of mute: %v, alive %v", muted, muted.alive())
	}
	if _, err := http.Get(store.Address); err == nil {
		t.Error("store still answers")
	}
}

func TestComponentThatIgnoresTermIsKilled(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.StopGrace = 200 * time.Millisecond
	if err := bringUp(t.Context(), t, c, helperSpec(t, "mule", "stubborn")); err != nil {
		t.Fatal(err)
	}
	mule := processOf(t, c, "mule")
	if err := Down(t.Context(), c, io.Discard); err != nil {
		t.Fatal(err)
	}
	if mule.alive() {
		t.Error("mule is still alive")
	}
	log := strings.Join(tail(paths{c.Home}.log("supervisor"), 10), "\n")
	if !strings.Contains(log, "mule did not stop within 200ms and was killed") {
		t.Errorf("the supervisor does not say that it killed mule:\n%s", log)
	}
}

func TestDeadComponentIsNamedAndNotRestarted(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	store := helperSpec(t, "store", "serve")
	if err := bringUp(t.Context(), t, c, store, helperSpec(t, "other", "serve")); err != nil {
		t.Fatal(err)
	}
	_, _ = http.Get(store.Address + "/exit")
	until(t, "the supervisor has noticed", func() bool {
		st, _ := readState(paths{c.Home}.state())
		return st != nil && st.find("store").Condition == exited
	})
	status, err := CheckStatus(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := status.Err(); err == nil || !strings.Contains(err.Error(), "store is down: it ended: exit status 7") {
		t.Errorf("status says %v", err)
	}
	if conditions(status)["other"] != ConditionUp {
		t.Errorf("the other component is %s", conditions(status)["other"])
	}
	if _, err := Up(t.Context(), c, io.Discard); err == nil {
		t.Error("a second up calls a lab with a dead component well")
	}
}

func TestComponentThatRunsButDoesNotAnswerIsDown(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := bringUp(t.Context(), t, c, helperSpec(t, "store", "serve")); err != nil {
		t.Fatal(err)
	}
	// The process stays, only its answer is missing: the plan that status reads
	// now names a port where nothing listens.
	var p plan
	if _, err := readJSON(paths{c.Home}.plan(), &p); err != nil {
		t.Fatal(err)
	}
	p.Specs[0].Probe.Target = httpURL(1, "/")
	if err := writeJSON(paths{c.Home}.plan(), p); err != nil {
		t.Fatal(err)
	}
	status, err := CheckStatus(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if conditions(status)["store"] != ConditionDown || !processOf(t, c, "store").alive() {
		t.Errorf("store is %s", conditions(status)["store"])
	}
}

func TestDeadSupervisorIsNamedAndItsComponentsAreSwept(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := bringUp(t.Context(), t, c, helperSpec(t, "store", "serve")); err != nil {
		t.Fatal(err)
	}
	st, err := readState(paths{c.Home}.state())
	if err != nil {
		t.Fatal(err)
	}
	store := processOf(t, c, "store")
	if err := st.Supervisor.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the supervisor is dead", func() bool { return !st.Supervisor.alive() })
	status, err := CheckStatus(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := conditions(status); got["supervisor"] != ConditionDown || got["store"] != ConditionUp {
		t.Errorf("conditions %v", got)
	}
	// Other tests of this process start programs: between fork and exec those
	// hold a copy of every open file, this lock's among them.
	until(t, "the supervisor's lock is free", func() bool {
		lock, busy, err := lockDir(c.Home)
		if err != nil {
			t.Fatal(err)
		}
		if !busy {
			_ = lock.Close()
		}
		return !busy
	})
	var out bytes.Buffer
	if err := Down(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	if store.alive() || !strings.Contains(out.String(), "store (process") {
		t.Errorf("store alive %v; down says %q", store.alive(), out.String())
	}
}

func TestProcessWithARecycledPidIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	stranger, err := launch(helperSpec(t, "stranger", "serve"), t.TempDir()+"/log")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.stop(syscall.SIGKILL, time.Second)
	testPlan(t, c, helperSpec(t, "store", "serve"))
	recycled := identity{PID: stranger.PID, Start: stranger.Start - 1}
	old := state{Phase: phaseReady, Supervisor: recycled, Components: []componentState{
		{Name: "store", Process: recycled, Condition: running},
	}}
	if err := writeJSON(paths{c.Home}.state(), old); err != nil {
		t.Fatal(err)
	}
	if err := Down(t.Context(), c, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !stranger.alive() || stranger.gone() {
		t.Fatal("a process was stopped that only shares the pid")
	}
	if err := stopStranger(stranger.identity, 0, 10*time.Second); err != nil || !stranger.identityGone() {
		t.Errorf("the same process by its own identity: %v, gone %v", err, stranger.identityGone())
	}
}

// identityGone reports whether the process is gone, as other programs see it.
func (p *process) identityGone() bool { return !p.alive() }

func TestPurgeDeletesWhatTheLabMadeAndNothingElse(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := bringUp(t.Context(), t, c, helperSpec(t, "store", "serve")); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSecrets(paths{c.Home}.secrets()); err != nil {
		t.Fatal(err)
	}
	mine := c.Home + "/mine.txt"
	if err := os.WriteFile(mine, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Purge = true
	if err := Down(t.Context(), c, io.Discard); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(c.Home)
	if err != nil || len(entries) != 1 || entries[0].Name() != "mine.txt" {
		t.Errorf("left in the home: %v, %v", entries, err)
	}
}
