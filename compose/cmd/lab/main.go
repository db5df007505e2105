// Command lab runs plumbline's observability lab on this machine: real servers,
// the sample application and its load.
//
//	go run ./compose/cmd/lab up|status|logs|fault|down|build|page|bench|drill
//
// It runs in Docker Compose where an engine answers, else natively; LAB=docker
// or LAB=native forces either. Package lab documents the variables that it
// reads. The exit status is 0 when all is well, 1 when something is not, and 2
// when the command line is wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cacheu/plumbline/compose/lab"
)

// command is one thing that the lab can do.
type command struct {
	name  string
	usage string
	run   func(ctx context.Context, c lab.Config, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"up", "start the lab and wait until all is ready", up},
		{"status", "[--json] ask every component how it is", status},
		{"logs", "[-f] [component] show the last log lines", logs},
		{"fault", "[name] break the running lab on purpose; without a name, list what there is and what is on", fault},
		{"down", "stop everything; PURGE=1 deletes the data too", down},
		{"build", "[program ...] build servers into the cache, all by default", build},
		{"page", "put the console's sources and modules into the cache, for its tests", page},
		{"bench", "list | run | compare | page: measure scenarios or a URL, and compare runs", bench},
		{"drill", "[--doc file] [part of a name ...] break a lab of its own in every way and see the alerts come and go", drills},
	}
}

// errUsage is a command line that cannot be understood.
var errUsage = errors.New("usage")

func main() {
	// The supervisor that `up` leaves behind is this program too.
	if plan := os.Getenv(lab.PlanVariable); plan != "" {
		exit(lab.Supervise(plan, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// After the first signal the second one has its usual effect.
	context.AfterFunc(ctx, stop)
	exit(Run(ctx, os.Args[1:], os.Getenv, os.Stdout))
}

// exit ends the program with the status that belongs to err.
func exit(err error) {
	status, text := outcome(err)
	if text != "" {
		fmt.Fprintln(os.Stderr, text)
	}
	os.Exit(status)
}

// outcome is the status that belongs to err, and what is left to say of it.
func outcome(err error) (status int, text string) {
	var benchmark lab.ExitStatus
	switch {
	case err == nil:
		return 0, ""
	case errors.Is(err, errUsage):
		return 2, err.Error()
	case errors.As(err, &benchmark):
		return int(benchmark), ""
	}
	return 1, "lab: " + err.Error()
}

// Run carries out one command line in the current directory's checkout.
func Run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		config, err := configure(getenv)
		if err != nil {
			return err
		}
		return c.run(ctx, config, args[1:], out)
	}
	return fmt.Errorf("%w: lab <command>; there is no command %q, there are:\n%s", errUsage, name, listCommands())
}

// listCommands renders the commands that exist.
func listCommands() string {
	var list strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&list, "  %-7s %s\n", c.name, c.usage)
	}
	return strings.TrimRight(list.String(), "\n")
}

// configure reads the environment and finds the checkout.
func configure(getenv func(string) string) (lab.Config, error) {
	config, err := lab.ConfigFromEnv(getenv)
	if err != nil {
		return config, fmt.Errorf("configuration:\n%w", err)
	}
	config.Root, err = lab.FindRoot(".")
	return config, err
}

// parse reads a command's flags and returns what is left.
func parse(name string, args []string, limit int, define func(*flag.FlagSet)) ([]string, error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	define(flags)
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUsage, name, err)
	}
	if flags.NArg() > limit {
		return nil, fmt.Errorf("%w: %s: unexpected argument %q", errUsage, name, flags.Arg(limit))
	}
	return flags.Args(), nil
}

func noFlags(*flag.FlagSet) {}

func up(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	if _, err := parse("up", args, 0, noFlags); err != nil {
		return err
	}
	status, err := lab.Up(ctx, c, out)
	if len(status.Components) > 0 {
		err = errors.Join(err, status.Table(out))
	}
	return err
}

func status(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	var asJSON bool
	_, err := parse("status", args, 0, func(f *flag.FlagSet) { f.BoolVar(&asJSON, "json", false, "print JSON") })
	if err != nil {
		return err
	}
	status, err := lab.CheckStatus(ctx, c)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return errors.Join(encoder.Encode(status), status.Err())
	}
	if !status.Running {
		return status.Err()
	}
	return errors.Join(status.Table(out), status.Err())
}

func logs(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	var follow bool
	define := func(f *flag.FlagSet) { f.BoolVar(&follow, "f", false, "go on until interrupted") }
	names, err := parse("logs", args, len(args), define)
	if err != nil {
		return err
	}
	component := ""
	if len(names) > 0 { // flags may come after the component too
		component = names[0]
		if _, err := parse("logs", names[1:], 0, define); err != nil {
			return err
		}
	}
	return lab.Logs(ctx, c, out, component, follow)
}

func fault(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	names, err := parse("fault", args, 1, noFlags)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return lab.ListFaults(ctx, c, out)
	}
	return lab.SetFault(ctx, c, names[0], out)
}

func down(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	if _, err := parse("down", args, 0, noFlags); err != nil {
		return err
	}
	return lab.Down(ctx, c, out)
}

func build(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	names, err := parse("build", args, len(args), noFlags)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = lab.Servers()
	}
	built, err := lab.Build(ctx, c, out, names...)
	if err != nil {
		return err
	}
	for _, path := range built {
		fmt.Fprintln(out, path)
	}
	return nil
}

// page prints one line, the folder, for scripts: progress goes to standard error.
func page(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	if _, err := parse("page", args, 0, noFlags); err != nil {
		return err
	}
	work, err := lab.PreparePage(ctx, c, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, work)
	return nil
}

// bench hands its arguments on to sampleapp's benchmark command.
func bench(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	return lab.Bench(ctx, c, args, out, os.Stderr)
}
