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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// engineLimit is how long a Docker engine may take to say that it is there. One
// that is not there says so at once; a busy machine takes seconds.
const engineLimit = 20 * time.Second

// engine runs the lab by Docker Compose, with the files in compose/.
type engine struct {
	config  Config
	program string // docker
}

func newEngine(c Config) engine { return engine{config: c, program: "docker"} }

// startMode decides where Up starts the lab: where it was told to, or where a
// lab runs already, or in Docker where an engine answers.
func (c Config) startMode(ctx context.Context) (Mode, error) {
	if c.Mode != Auto {
		return c.Mode, nil
	}
	st, err := readState(paths{c.Home}.state())
	if err != nil || st != nil {
		return Native, err
	}
	if newEngine(c).answers(ctx) == nil {
		return Docker, nil
	}
	return Native, nil
}

// runningMode decides where the other commands look for the lab: a native one
// leaves a state file, and a Docker one has containers.
func (c Config) runningMode(ctx context.Context) (Mode, error) {
	mode, err := c.startMode(ctx)
	if err != nil || mode == Native || c.Mode != Auto {
		return mode, err
	}
	containers, err := newEngine(c).containers(ctx)
	if err != nil || len(containers) > 0 {
		return Docker, err
	}
	return Native, nil
}

// answers returns nil where an engine and the Compose plugin are there, else
// what is missing.
func (e engine) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	for _, args := range [][]string{{"info"}, {"compose", "version"}} {
		if _, err := e.output(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// compose returns the arguments of docker for a Compose command.
func (e engine) compose(args ...string) []string {
	at := filepath.Join(e.config.Root, "compose")
	return append([]string{
		"compose", "--env-file", filepath.Join(at, "versions.env"), "-f", filepath.Join(at, "compose.yaml"),
	}, args...)
}

// spoken names a command in an error: without the files, which are always the
// same, and without its options.
func spoken(args []string) string {
	const command = 5 // after "compose" and two options with their files
	if args[0] == "compose" && len(args) > command {
		return "docker compose " + args[command]
	}
	return "docker " + args[0]
}

// environment is the caller's, with the ports and the load of the configuration.
func (e engine) environment() []string {
	env := append(os.Environ(), "LOAD_RATE="+strconv.Itoa(e.config.LoadRate))
	for _, port := range e.config.Ports.List() {
		env = append(env, variable(port.Variable, port.Number))
	}
	return env
}

// command prepares a docker command that an end of ctx interrupts.
func (e engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.program, args...)
	cmd.Env = e.environment()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = DefaultStopGrace
	return cmd
}

// output runs docker and returns what it prints; what it complains of is part
// of the error.
func (e engine) output(ctx context.Context, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := e.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", spoken(args), err, oneLine(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// show runs docker with its output on out.
func (e engine) show(ctx context.Context, out io.Writer, args ...string) error {
	cmd := e.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", spoken(args), err)
	}
	return nil
}

// dockerUp brings the lab up in containers.
func dockerUp(ctx context.Context, c Config, out io.Writer) (Status, error) {
	e := newEngine(c)
	if err := e.answers(ctx); err != nil {
		return Status{}, fmt.Errorf("LAB=docker, but no Docker engine with the Compose plugin answers: %w; start it, or use LAB=native", err)
	}
	return e.up(ctx, out)
}

// up starts what is not up, and stops all of it again when a part fails.
func (e engine) up(ctx context.Context, out io.Writer) (Status, error) {
	status, err := e.status(ctx)
	if err != nil {
		return status, err
	}
	if status.Running && status.Err() == nil {
		fmt.Fprintln(out, "the lab is up already, in Docker: nothing is changed")
		return status, nil
	}
	p, err := e.project(ctx)
	if err != nil {
		return Status{}, err
	}
	if err := e.preflight(ctx, p, status); err != nil {
		return Status{}, err
	}
	began := time.Now()
	secrets := exec.CommandContext(ctx, "/bin/sh", filepath.Join(e.config.Root, "compose", "secrets.sh"))
	if said, err := secrets.CombinedOutput(); err != nil {
		return Status{}, fmt.Errorf("make the lab's passwords: %w: %s", err, oneLine(said))
	}
	startTimes := e.watch(ctx, p.Name)
	args := append([]string{"up", "--detach", "--wait", "--build"}, e.config.Only...)
	err = e.show(ctx, out, e.compose(args...)...)
	took := startTimes()
	if ctx.Err() != nil {
		err = fmt.Errorf("the lab was not started: %w", context.Cause(ctx))
	}
	if err != nil {
		return Status{}, e.giveUp(out, err)
	}
	status, err = e.status(ctx)
	status.StartSeconds = time.Since(began).Seconds()
	for i := range status.Components {
		c := &status.Components[i]
		c.StartSeconds = took[c.Name].Seconds()
	}
	return status, err
}

// giveUp stops everything, and adds to the reason the last lines of what is not
// well. It has a deadline of its own, because the caller's context may be why it
// is called.
func (e engine) giveUp(out io.Writer, reason error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	problems := []error{reason}
	status, err := e.status(ctx)
	if err != nil {
		problems = append(problems, err)
	}
	for _, c := range status.Components {
		if c.Condition == ConditionDown && c.Detail != neverStarted && c.Detail != noContainer {
			problems = append(problems, e.failure(ctx, c))
		}
	}
	fmt.Fprintln(out, "stopping what was started")
	return errors.Join(append(problems, e.show(ctx, out, e.compose("down", "--remove-orphans")...))...)
}

// failure says what is wrong with a component, and its last log lines.
func (e engine) failure(ctx context.Context, c ComponentStatus) error {
	output, err := e.output(ctx, e.compose("logs", "--no-log-prefix", "--no-color",
		"--tail", strconv.Itoa(failureLines), c.Name)...)
	lines := strings.TrimRight(string(output), "\n")
	if err != nil || lines == "" {
		return fmt.Errorf("%s: %s; it logged nothing", c.Name, c.Detail)
	}
	return fmt.Errorf("%s: %s; its last lines:\n%s", c.Name, c.Detail, indent(strings.Split(lines, "\n")))
}

// dockerDown stops and removes the containers, and with Purge their volumes. The
// passwords stay: they belong to the checkout.
func dockerDown(ctx context.Context, c Config, out io.Writer) error {
	args := []string{"down", "--remove-orphans"}
	if c.Purge {
		args = append(args, "--volumes")
	}
	e := newEngine(c)
	return e.show(ctx, out, e.compose(args...)...)
}

// dockerLogs shows the containers' logs.
func dockerLogs(ctx context.Context, c Config, out io.Writer, component string, follow bool) error {
	args := []string{"logs", "--tail", strconv.Itoa(logLines)}
	if follow {
		args = append(args, "--follow")
	}
	if component != "" {
		args = append(args, component)
	}
	e := newEngine(c)
	err := e.show(ctx, out, e.compose(args...)...)
	if ctx.Err() != nil {
		return nil // the reader has seen enough
	}
	return err
}

// dockerStatus asks the engine about every container.
func dockerStatus(ctx context.Context, c Config) (Status, error) {
	return newEngine(c).status(ctx)
}
