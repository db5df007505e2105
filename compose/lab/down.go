package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

// Down stops every component in reverse order and returns when no process, no
// listening port and no temporary file of the lab is left. Data, logs and
// passwords stay unless Config.Purge is set. A lab that is not up is no error.
func Down(ctx context.Context, c Config, out io.Writer) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	mode, err := c.runningMode(ctx)
	if err != nil {
		return err
	}
	if mode == Docker {
		return dockerDown(ctx, c, out)
	}
	st, err := readState(paths{c.Home}.state())
	if err != nil {
		return err
	}
	if err := nativeDown(ctx, c, out); err != nil {
		return err
	}
	// Where neither lab is up and none was named, the data may be Docker's.
	if st == nil && c.Purge && c.Mode == Auto && newEngine(c).answers(ctx) == nil {
		return dockerDown(ctx, c, out)
	}
	return nil
}

// nativeDown tells the supervisor to stop, then looks after what it could not.
func nativeDown(ctx context.Context, c Config, out io.Writer) error {
	at := paths{c.Home}
	st, err := readState(at.state())
	if err != nil {
		return err
	}
	var p plan
	if _, err := readJSON(at.plan(), &p); err != nil {
		return err
	}
	if st == nil {
		fmt.Fprintln(out, "the lab is not up")
		return purge(c, out)
	}
	began := time.Now()
	if err := st.Supervisor.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if !waitGone(st.Supervisor, stopLimit(p)) {
		fmt.Fprintln(out, "the supervisor does not stop: killing it")
		_ = st.Supervisor.signal(syscall.SIGKILL)
		waitGone(st.Supervisor, DefaultStopGrace)
	}
	lock, err := awaitLock(ctx, c.Home)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := sweep(c, out); err != nil {
		return err
	}
	if err := stillListening(p.Ports); err != nil {
		return err
	}
	fmt.Fprintf(out, "the lab is down, after %s\n", elapsed(began))
	return purge(c, out)
}

// awaitLock waits for the home's lock, which the supervisor's end, and that of
// an `up` that still followed it, sets free.
func awaitLock(ctx context.Context, home string) (*os.File, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	ctx, cancel := context.WithTimeout(ctx, DefaultStopGrace)
	defer cancel()
	for {
		lock, busy, err := lockDir(home)
		if err != nil || !busy {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, errAnotherCommand
		case <-ticker.C:
		}
	}
}

// sweep stops what a supervisor that died has left running, latest first, and
// removes the run directory. The caller holds the lock, so no supervisor runs.
func sweep(c Config, out io.Writer) error {
	at := paths{c.Home}
	st, err := readState(at.state())
	if err != nil {
		return err
	}
	var p plan
	if _, err := readJSON(at.plan(), &p); err != nil {
		return err
	}
	if st != nil {
		if err := stopLeftovers(c, st, p, out); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(at.run()); err != nil {
		return fmt.Errorf("remove the lab's run directory: %w", err)
	}
	return nil
}

// stopLeftovers stops each component that is still the process it was.
func stopLeftovers(c Config, st *state, p plan, out io.Writer) error {
	signals := map[string]syscall.Signal{}
	for _, s := range p.Specs {
		signals[s.Name] = s.Stop
	}
	var problems []error
	for _, component := range slices.Backward(st.Components) {
		if !component.Process.alive() {
			continue
		}
		fmt.Fprintf(out, "%s (process %d) was left without a supervisor: stopping it\n", component.Name, component.Process.PID)
		problems = append(problems, stopStranger(component.Process, signals[component.Name], c.StopGrace))
	}
	return errors.Join(problems...)
}

// stillListening reports the ports of the lab that something listens on still.
func stillListening(ports []Port) error {
	sockets := listeners()
	owners := map[uint64]int(nil)
	var problems []error
	for _, port := range ports {
		for _, socket := range sockets {
			if int(socket.address.Port()) != port.Number {
				continue
			}
			if owners == nil {
				owners = socketOwners()
			}
			problems = append(problems, fmt.Errorf("after the lab is down, port %d (%s) is held by %s",
				port.Number, port.Component, holder(port.Number, sockets, owners)))
			break
		}
	}
	return errors.Join(problems...)
}

// purge deletes data, logs and passwords where that was asked for, and the home
// where nothing else is in it.
func purge(c Config, out io.Writer) error {
	if !c.Purge {
		return nil
	}
	var problems []error
	for _, path := range (paths{c.Home}).purged() {
		problems = append(problems, os.RemoveAll(path))
	}
	if err := os.Remove(c.Home); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("delete the lab's data: %w", err)
	}
	fmt.Fprintf(out, "deleted the lab's data, logs and passwords in %s\n", c.Home)
	return nil
}
