package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// faultyReplica is the component that faults of replication hit; the other
// replica stays well.
const faultyReplica = "replica2"

// The faults, and what ends them.
const (
	faultLag   = "replica-lag"
	faultPause = "replica-pause"
	faultDown  = "replica-down"
	faultClear = "clear"
)

// FaultHelp is one thing that [SetFault] understands.
type FaultHelp struct {
	Name, Effect string
}

// Faults lists what [SetFault] understands.
func Faults() []FaultHelp {
	list := []FaultHelp{
		{faultLag + "=5s", faultyReplica + " replays everything 5 s late (whole seconds up to an hour)"},
		{faultPause, faultyReplica + " receives and does not replay"},
		{faultDown, faultyReplica + " is stopped"},
		{faultStop + "=email", "the component is stopped (natively only, as all below)"},
	}
	for _, f := range serviceFaults() {
		list = append(list, FaultHelp{f.example, f.effect})
	}
	return append(list, FaultHelp{faultClear, "all faults end"})
}

// wholeSeconds is a lag as PostgreSQL's script takes it.
var wholeSeconds = regexp.MustCompile(`^([1-9][0-9]{0,3})s?$`)

// faultBudget bounds bringing a fault about; ending one waits for a server.
const faultBudget = 100 * time.Second

// SetFault breaks the running lab in the way that is named (see [Faults]), or
// mends it again, and returns when that is done. An unknown name, and a lab
// that is not up, are errors.
func SetFault(ctx context.Context, c Config, name string, out io.Writer) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	argument, err := faultArgument(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, faultBudget)
	defer cancel()
	mode, err := c.runningMode(ctx)
	if err != nil {
		return err
	}
	if mode == Docker && argument == "" && name != faultDown {
		err = fmt.Errorf("%s works in the native lab only: LAB=native", name)
	} else if mode == Docker {
		err = newEngine(c).setFault(ctx, name, argument)
	} else {
		err = setNativeFault(ctx, c, name, argument)
	}
	if err == nil {
		fmt.Fprintf(out, "%s: done\n", name)
	}
	return err
}

// faultArgument checks a fault's name, and returns what the script in
// compose/config/postgres takes for it; nothing where that has no part in it.
func faultArgument(name string) (string, error) {
	kind, value, _ := strings.Cut(name, "=")
	switch {
	case name == faultPause:
		return "pause", nil
	case name == faultClear:
		return "clear", nil
	case name == faultDown:
		return "", nil
	case kind == faultLag && wholeSeconds.MatchString(value):
		return "lag=" + wholeSeconds.FindStringSubmatch(value)[1], nil
	case kind == faultLag:
		return "", fmt.Errorf("%q is no lag: want whole seconds, as in %s=5s", value, faultLag)
	case kind == faultStop:
		return "", checkStop(value)
	case isServiceFault(kind):
		return "", checkServiceFault(name)
	}
	names := make([]string, 0, len(Faults()))
	for _, f := range Faults() {
		names = append(names, f.Name)
	}
	return "", fmt.Errorf("there is no fault %q; there are %s", name, strings.Join(names, ", "))
}

// ListFaults prints what there is, and what of it is on.
func ListFaults(ctx context.Context, c Config, out io.Writer) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	for _, f := range Faults() {
		fmt.Fprintf(out, "  %-15s %s\n", f.Name, f.Effect)
	}
	status, err := CheckStatus(ctx, c)
	if err != nil {
		return err
	}
	if !status.Running {
		fmt.Fprintln(out, "the lab is not up")
		return nil
	}
	active, err := activeFaults(ctx, c, status.Mode)
	if err != nil {
		return err
	}
	if len(active) == 0 {
		active = []string{"none"}
	}
	fmt.Fprintf(out, "on now: %s\n", strings.Join(active, ", "))
	return nil
}

func activeFaults(ctx context.Context, c Config, mode Mode) ([]string, error) {
	if mode == Docker {
		return newEngine(c).activeFaults(ctx)
	}
	var f faultFile
	_, err := readJSON(paths{c.Home}.faults(), &f)
	return f.Active, err
}

// setNativeFault writes the fault down, has the supervisor and the script
// bring it about, and waits for the former.
func setNativeFault(ctx context.Context, c Config, name, argument string) error {
	at := paths{c.Home}
	st, err := readState(at.state())
	if err != nil {
		return err
	}
	if st == nil || st.Phase != phaseReady || !st.Supervisor.alive() {
		return errors.New("the lab is not up: start it with `make up`")
	}
	for _, component := range needed(name) {
		if st.find(component) == nil {
			return fmt.Errorf("this lab has no %s: start it without ONLY, or with %s in it", component, component)
		}
	}
	var before faultFile
	if _, err := readJSON(at.faults(), &before); err != nil {
		return err
	}
	after := before.with(name)
	isDown := before.cuts(faultyReplica)
	if isDown && argument != "" && name != faultClear {
		return fmt.Errorf("%s is down, so it cannot do anything else: clear that first", faultyReplica)
	}
	if argument != "" && !isDown && st.find(faultyReplica) != nil { // a replica that starts has no fault left
		if err := runFaultScript(ctx, c, faultyReplica, argument); err != nil {
			return err
		}
	}
	if err := writeJSON(at.faults(), after); err != nil {
		return err
	}
	if err := st.Supervisor.signal(syscall.SIGHUP); err != nil {
		return err
	}
	return awaitFaults(ctx, at, after)
}

// with returns the faults that are on after one more. A stopped replica has no
// other fault, and a new value replaces an old one; several components can be
// stopped.
func (f faultFile) with(name string) faultFile {
	if name == faultClear {
		return faultFile{Active: []string{}}
	}
	kind, _, _ := strings.Cut(name, "=")
	active := slices.DeleteFunc(slices.Clone(f.Active), func(other string) bool {
		k, _, _ := strings.Cut(other, "=")
		if name == faultDown {
			return k == faultLag || k == faultPause || k == faultDown
		}
		return other == name || k == kind && kind != faultStop
	})
	return faultFile{Active: append(active, name)}
}

// awaitFaults returns when the supervisor has done its part.
func awaitFaults(ctx context.Context, at paths, f faultFile) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		st, err := readState(at.state())
		if err != nil {
			return err
		}
		if st == nil {
			return errors.New("the lab went down meanwhile")
		}
		waits := ""
		for _, c := range st.Components {
			switch down := f.cuts(c.Name); {
			case c.Condition == done, down && c.Condition == cut && c.Exit != "", !down && c.Condition == running:
			case c.Condition == exited:
				return fmt.Errorf("%s does not run: %s; see %s", c.Name, c.Exit, at.log(c.Name))
			default:
				waits = c.Name + " is " + string(c.Condition)
			}
		}
		if waits == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), waits)
		case <-ticker.C:
		}
	}
}

// runFaultScript runs compose/config/postgres/fault.sh against a native server.
func runFaultScript(ctx context.Context, c Config, server, argument string) error {
	at := paths{c.Home}
	cmd := exec.CommandContext(ctx, "/bin/sh", filepath.Join(c.Root, "compose", "config", "postgres", "fault.sh"), argument)
	p := planner{paths: at}
	port, err := plannedPort(at, server)
	if err != nil {
		return err
	}
	cmd.Env = p.env(variable("PGPORT", port), "POSTGRES_PASSWORD_FILE="+filepath.Join(at.postgresRun(), "password"), "PATH="+os.Getenv("PATH"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("bring the fault about: %w: %s", err, oneLine(said.Bytes()))
	}
	return nil
}

// plannedPort returns the port of a component of the lab that is up, which need
// not be the one of this command's environment.
func plannedPort(at paths, component string) (int, error) {
	var p plan
	if _, err := readJSON(at.plan(), &p); err != nil {
		return 0, err
	}
	for _, port := range p.Ports {
		if port.Component == component {
			return port.Number, nil
		}
	}
	return 0, fmt.Errorf("the lab that is up has no %s", component)
}

// setFault does the same in containers: psql is part of the image.
func (e engine) setFault(ctx context.Context, name, argument string) error {
	switch name {
	case faultDown:
		return e.show(ctx, io.Discard, e.compose("stop", faultyReplica)...)
	case faultClear:
		if err := e.show(ctx, io.Discard, e.compose("up", "--detach", "--wait", "--no-deps", faultyReplica)...); err != nil {
			return err
		}
	}
	_, err := e.output(ctx, e.compose(faultInside(argument)...)...)
	return err
}

// activeFaults asks the replica itself; one that was stopped is down.
func (e engine) activeFaults(ctx context.Context) ([]string, error) {
	list, err := e.containers(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Service == faultyReplica && c.State == "exited" {
			return []string{faultDown}, nil
		}
	}
	said, err := e.output(ctx, e.compose(faultInside("show")...)...)
	if err != nil {
		return nil, err
	}
	var active []string
	for _, word := range strings.Fields(string(said)) {
		if seconds, lags := strings.CutPrefix(word, "lag="); lags {
			word = "lag=" + seconds + "s"
		}
		active = append(active, "replica-"+word)
	}
	return active, nil
}

// faultInside are the arguments of Compose that run the script in the replica's
// container.
func faultInside(argument string) []string {
	return []string{"exec", "--no-TTY", faultyReplica, "/bin/sh", "/usr/local/lib/plumbline/fault.sh", argument}
}
