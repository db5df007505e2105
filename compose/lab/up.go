package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// errAnotherCommand is a home whose lock is held, but not by a lab that is up.
var errAnotherCommand = errors.New("another command is starting or stopping this lab: wait for it, or look with `make status`")

// Up brings the lab up, tells its progress on out, and returns its status when
// every component is ready. A lab that is up already is left as it is. Whatever
// was started is stopped again when one component fails or ctx ends; the error
// then holds the last lines of the component's log.
func Up(ctx context.Context, c Config, out io.Writer) (Status, error) {
	c, err := c.checked()
	if err != nil {
		return Status{}, err
	}
	mode, err := c.startMode(ctx)
	if err != nil {
		return Status{}, err
	}
	if mode == Docker {
		return dockerUp(ctx, c, out)
	}
	return nativeUp(ctx, c, out)
}

// nativeUp holds the home's lock from the first look to the last, and the
// supervisor holds it from then on.
func nativeUp(ctx context.Context, c Config, out io.Writer) (Status, error) {
	if runtime.GOOS != "linux" {
		return Status{}, fmt.Errorf("the native lab needs Linux (/proc), this is %s: use LAB=docker", runtime.GOOS)
	}
	if err := os.MkdirAll(c.Home, 0o711); err != nil {
		return Status{}, fmt.Errorf("make the lab's home: %w", err)
	}
	lock, busy, err := lockDir(c.Home)
	if err != nil {
		return Status{}, err
	}
	if busy {
		return alreadyUp(ctx, c, out)
	}
	defer func() { _ = lock.Close() }()
	if err := sweep(c, out); err != nil {
		return Status{}, err
	}
	p, err := makeReady(ctx, c, out)
	if err != nil {
		return Status{}, err
	}
	if err := startSupervised(ctx, c, p, lock, out); err != nil {
		return Status{}, err
	}
	return nativeStatus(ctx, c)
}

// alreadyUp reports on a lab that another command has brought up.
func alreadyUp(ctx context.Context, c Config, out io.Writer) (Status, error) {
	st, err := readState(paths{c.Home}.state())
	if err != nil {
		return Status{}, err
	}
	if st == nil || st.Phase != phaseReady {
		return Status{}, errAnotherCommand
	}
	fmt.Fprintf(out, "the lab is up already, since %s: nothing is changed\n", st.Began.Local().Format(time.DateTime))
	status, err := nativeStatus(ctx, c)
	return status, errors.Join(err, status.Err())
}

// makeReady does everything that comes before the first process: it looks for
// what the machine lacks and for taken ports, builds, and writes the files.
func makeReady(ctx context.Context, c Config, out io.Writer) (plan, error) {
	pl := &planner{config: c, ports: c.Ports, paths: paths{c.Home}, tools: findTools(c)}
	p := plan{Home: c.Home, StopGrace: c.StopGrace, ReadyTimeout: c.ReadyTimeout}
	p.Specs, p.Notes = pl.specs()
	p.Ports = portsOf(c.Ports.List(), p.Specs)
	if err := pl.preflight(p); err != nil {
		return plan{}, err
	}
	if err := pl.buildAll(ctx, p.Specs, out); err != nil {
		return plan{}, err
	}
	// Once more: the first build takes long enough for a port to be taken.
	if err := conflicts(p.Ports); err != nil {
		return plan{}, err
	}
	var err error
	if pl.secrets, err = loadSecrets(pl.paths.secrets()); err != nil {
		return plan{}, err
	}
	// Again, now that passwords and PostgreSQL's account are known, and whether
	// there is a page for the console.
	p.Specs, p.Notes = pl.specs()
	p.Ports = portsOf(c.Ports.List(), p.Specs)
	if err := pl.prepare(p.Specs); err != nil {
		return plan{}, err
	}
	if err := writeJSON(pl.paths.plan(), p); err != nil {
		return plan{}, err
	}
	return p, nil
}

// preflight reports everything that stands in the lab's way, at once.
func (p *planner) preflight(pl plan) error {
	problems := []error{conflicts(pl.Ports)}
	if names(pl.Specs)["postgres"] {
		account, err := postgresAccount(os.Geteuid(), user.Lookup)
		p.account = account
		problems = append(problems, findPostgres(), err, reachable(p.config.Home, account))
	}
	if _, err := exec.LookPath("go"); err != nil {
		problems = append(problems, errors.New("go is not on PATH: install Go, which builds the servers and the services"))
	}
	return errors.Join(problems...)
}

// buildAll builds what the specs run, and ends at the first error. The servers
// wait for their sources at first and for their linkers at last; the services,
// and the console with what npm fetches, fill those gaps.
func (p *planner) buildAll(ctx context.Context, specs []spec, out io.Writer) error {
	locked := &lockedWriter{w: out}
	builds := []func(context.Context) error{
		func(ctx context.Context) error { return p.buildServers(ctx, specs, locked) },
		func(ctx context.Context) error { return p.buildServices(ctx, specs, locked) },
		func(ctx context.Context) error { return p.buildConsole(ctx, specs, locked) },
	}
	return together(ctx, len(builds), builds...)
}

// buildServers builds the servers that the specs run.
func (p *planner) buildServers(ctx context.Context, specs []spec, out io.Writer) error {
	planned := names(specs)
	var programs []string
	for _, name := range Servers() {
		if planned[name] {
			programs = append(programs, name)
		}
	}
	_, err := Build(ctx, p.config, out, programs...)
	return err
}

// buildServices builds the services where the specs run one.
func (p *planner) buildServices(ctx context.Context, specs []spec, out io.Writer) error {
	sampleapp := p.paths.sampleapp()
	for _, s := range specs {
		if s.Args[0] == sampleapp {
			return buildSampleapp(ctx, p.config, out)
		}
	}
	return nil
}

// startSupervised starts the detached supervisor and follows it until the lab
// is ready. If it does not come so far, nothing of it is left.
func startSupervised(ctx context.Context, c Config, p plan, lock *os.File, out io.Writer) error {
	supervisor, err := spawn(c, lock)
	if err != nil {
		return errors.Join(err, os.RemoveAll(paths{c.Home}.run()))
	}
	fmt.Fprintf(out, "starting %d components; logs are in %s\n", len(p.Specs), paths{c.Home}.logs())
	err = follow(ctx, c, supervisor, out)
	if err == nil {
		return nil
	}
	// It stops by itself after a failure; after an interrupt it is told to.
	_ = supervisor.signal(syscall.SIGTERM)
	waitGone(supervisor.identity, stopLimit(p))
	return errors.Join(err, sweep(c, io.Discard))
}

// stopLimit is how long stopping a whole plan may take: each component in turn
// at worst, and a little for the supervisor itself.
func stopLimit(p plan) time.Duration {
	return time.Duration(len(p.Specs))*p.StopGrace + 5*time.Second
}

// spawn starts the supervisor in a session of its own, so that neither the end
// of this program nor an interrupt from its terminal reaches it. The lock goes
// with it.
func spawn(c Config, lock *os.File) (*process, error) {
	command := c.Supervisor
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("start supervisor: %w", err)
		}
		command = []string{self, "supervise"}
	}
	at := paths{c.Home}
	log, err := openLog(at.log(supervisorName))
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), PlanVariable+"="+at.plan(), "GOMEMLIMIT=32MiB")
	cmd.Dir = c.Home
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock} // becomes lockFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	p := &process{ended: make(chan struct{})}
	if p.identity, err = identify(cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	go p.wait(cmd) // ends with the supervisor, or with this program
	return p, nil
}

// follow prints each component that becomes ready, and returns when all are, or
// with the reason why not.
func follow(ctx context.Context, c Config, supervisor *process, out io.Writer) error {
	at := paths{c.Home}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	told := map[string]bool{}
	for {
		ended := supervisor.gone() // before the state is read: its last state counts
		st, err := readState(at.state())
		if err != nil {
			return err
		}
		if st != nil {
			tellReady(st, told, out)
			switch {
			case st.Phase == phaseReady && !ended:
				return nil
			case st.Failure != nil:
				return st.Failure.err(at.log(st.Failure.Component))
			}
		}
		if ended && st != nil && st.Phase == phaseStopped {
			return errors.New("another command stopped the lab while it was starting")
		}
		if ended {
			return fmt.Errorf("the supervisor ended while the lab was starting (%s); its last lines:\n%s",
				supervisor.exit, indent(tail(at.log(supervisorName), failureLines)))
		}
		select {
		case <-ctx.Done():
			fmt.Fprintln(out, "interrupted: stopping what was started")
			return fmt.Errorf("the lab was not started: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// tellReady prints one line for each component that is newly ready.
func tellReady(st *state, told map[string]bool, out io.Writer) {
	for _, c := range st.Components {
		if (c.Condition == running || c.Condition == done) && !told[c.Name] {
			told[c.Name] = true
			fmt.Fprintf(out, "  %-13s ready after %.1f s\n", c.Name, c.StartSecs)
		}
	}
}

// err renders a failure with the component's last log lines.
func (f *failure) err(logPath string) error {
	if len(f.Log) == 0 {
		return fmt.Errorf("%s; its log %s is empty", f.Message, logPath)
	}
	return fmt.Errorf("%s; the last lines of %s:\n%s", f.Message, logPath, indent(f.Log))
}

// indent sets lines off from the message around them.
func indent(lines []string) string {
	return "    " + strings.Join(lines, "\n    ")
}
