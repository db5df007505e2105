package lab

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestFaultIsBroughtAboutAndCleared(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := bringUp(t.Context(), t, c, helperSpec(t, faultyReplica, "serve"), helperSpec(t, "other", "serve")); err != nil {
		t.Fatal(err)
	}
	if err := SetFault(t.Context(), c, "errors=10%", io.Discard); err == nil || !strings.Contains(err.Error(), "this lab has no api") {
		t.Errorf("errors of what is not there: %v", err)
	}
	other := processOf(t, c, "other")
	if stops := (faultFile{[]string{"stop=other"}}).cuts("other"); !stops || !other.alive() {
		t.Errorf("a component that is to be stopped: %v; one that is not lives: %v", stops, other.alive())
	}
	first := processOf(t, c, faultyReplica)
	if err := SetFault(t.Context(), c, faultDown, io.Discard); err != nil {
		t.Fatal(err)
	}
	if first.alive() {
		t.Error("the replica still runs")
	}
	status, err := CheckStatus(t.Context(), c)
	if err != nil || status.Err() != nil {
		t.Errorf("status: %v, %v, want what a fault has cut off to be no trouble", err, status.Err())
	}
	if got := conditions(status); got[faultyReplica] != ConditionCut || got["other"] != ConditionUp {
		t.Errorf("conditions %v", got)
	}
	var out bytes.Buffer
	if err := ListFaults(t.Context(), c, &out); err != nil || !strings.Contains(out.String(), "on now: "+faultDown) {
		t.Errorf("the list is %q, %v", out.String(), err)
	}
	if err := SetFault(t.Context(), c, faultPause, io.Discard); err == nil || !strings.Contains(err.Error(), "is down") {
		t.Errorf("pausing what is down: %v", err)
	}
	if err := SetFault(t.Context(), c, faultClear, io.Discard); err != nil {
		t.Fatal(err)
	}
	second := processOf(t, c, faultyReplica)
	if second == first || !second.alive() {
		t.Errorf("the replica was process %v and is %v", first, second)
	}
	status, err = CheckStatus(t.Context(), c)
	if err != nil || conditions(status)[faultyReplica] != ConditionUp {
		t.Errorf("after all was cleared: %v, %v", conditions(status), err)
	}
	// One that dies afterwards is dead, and is not taken for cut off.
	if err := second.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the supervisor has noticed", func() bool {
		st, err := readState(paths{c.Home}.state())
		return err == nil && st.find(faultyReplica).Condition == exited
	})
}

func TestFaultsAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	for name, want := range map[string]string{
		"explode": `there is no fault "explode"; there are replica-lag=5s`, "replica-lag": "want whole seconds", "replica-lag=0s": "want whole seconds",
		"replica-lag=1.5s": "want whole seconds", "replica-lag=-1s": "want whole seconds", faultDown: "the lab is not up",
		"stop=cache": "stop=cache names no component that runs; there are postgres", "stop=migrate": "names no component that runs",
		"errors": `"errors" cannot be: want something like errors=10%`, "errors=200%": "cannot be", "garbage=1": "cannot be", "latency=1h": "cannot be",
		"slow-route=1s": "want something like slow-route=1.5s@/api/invites", "latency=1.5s@2%": "the lab is not up",
	} {
		if err := SetFault(t.Context(), c, name, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	var out bytes.Buffer
	if err := ListFaults(t.Context(), c, &out); err != nil || !strings.Contains(out.String(), "replica-pause") || !strings.Contains(out.String(), "not up") {
		t.Errorf("the list is %q, %v", out.String(), err)
	}
	if err := bringUp(t.Context(), t, c, helperSpec(t, "other", "serve")); err != nil {
		t.Fatal(err)
	}
	if err := SetFault(t.Context(), c, faultDown, io.Discard); err == nil || !strings.Contains(err.Error(), "this lab has no replica2") {
		t.Errorf("a lab without replicas: %v", err)
	}
}

func TestFaultsAddUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before []string
		fault  string
		after  []string
	}{
		"the first":            {nil, "replica-lag=5s", []string{"replica-lag=5s"}},
		"another lag":          {[]string{"replica-lag=5s"}, "replica-lag=9s", []string{"replica-lag=9s"}},
		"a pause on top":       {[]string{"replica-lag=5s"}, "replica-pause", []string{"replica-lag=5s", "replica-pause"}},
		"down instead of both": {[]string{"replica-lag=5s", "replica-pause"}, "replica-down", []string{"replica-down"}},
		"a service beside it":  {[]string{"replica-pause"}, "errors=10%", []string{"replica-pause", "errors=10%"}},
		"another value":        {[]string{"errors=10%", "garbage"}, "errors=20%", []string{"garbage", "errors=20%"}},
		"down beside others":   {[]string{"replica-pause", "errors=10%"}, "replica-down", []string{"errors=10%", "replica-down"}},
		"two stopped":          {[]string{"stop=replica1"}, "stop=replica2", []string{"stop=replica1", "stop=replica2"}},
		"one stopped twice":    {[]string{"stop=replica1"}, "stop=replica1", []string{"stop=replica1"}},
		"all cleared":          {[]string{"replica-lag=5s", "replica-pause"}, "clear", []string{}},
	} {
		if got := (faultFile{c.before}).with(c.fault).Active; !slices.Equal(got, c.after) {
			t.Errorf("%s: %q, want %q", name, got, c.after)
		}
	}
}

func TestFaultsInDocker(t *testing.T) {
	t.Parallel()
	e, calls := scriptedEngine(t, `case "$*" in
*" ps "*) echo '{"Service":"replica2","State":"running"}' ;;
*"fault.sh show") printf 'lag=5\npause\n' ;;
esac
`)
	if active, err := e.activeFaults(t.Context()); err != nil || !slices.Equal(active, []string{"replica-lag=5s", "replica-pause"}) {
		t.Errorf("active %q, %v", active, err)
	}
	for _, name := range []string{"replica-lag=7s", faultDown, faultClear} {
		argument, err := faultArgument(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.setFault(t.Context(), name, argument); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"exec --no-TTY replica2 /bin/sh /usr/local/lib/plumbline/fault.sh lag=7\n", "stop replica2\n",
		"up --detach --wait --no-deps replica2\n", "fault.sh clear\n",
	} {
		if !strings.Contains(calls(), want) {
			t.Errorf("docker was called with\n%swant\n%s", calls(), want)
		}
	}
}
