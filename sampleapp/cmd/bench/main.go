// Command bench measures scenarios of sampleapp, or any URL, and compares runs.
//
//	bench list
//	bench run --scenario n-plus-one [--quick]
//	bench run --target http://127.0.0.1:8080 --path /api/products --rate 50
//	bench compare --a RUN --b RUN [--threshold 0.05]
//	bench page --dir docs/lab
//
// A run is a name below the output folder or the path of a result file.
// serve and redis are for the processes that run starts.
//
// The exit status is 0 when all is well, 1 after an error, 2 for a command line
// that cannot be used, 3 when a comparison finds a significant regression past
// the threshold, and 130 for a run that was interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
)

// The exit statuses.
const (
	exitError       = 1
	exitUsage       = 2
	exitRegression  = 3
	exitInterrupted = 130
)

// errUsage is a command line that cannot be understood.
var errUsage = errors.New("usage")

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

type command struct {
	name, usage string
	run         func(ctx context.Context, args []string, getenv func(string) string, s streams) error
}

func commands() []command {
	return []command{
		{"list", "the scenarios", list},
		{"run", "measure a scenario or a URL; --help lists the flags", run},
		{"compare", "--a RUN --b RUN: compare two runs", compare},
		{"page", "write the figures of published results into the pages of the lab", pages},
		{"serve", "one part of a variant, for run", serve},
		{"redis", "a stand-in for a Redis that is not installed, for run", serveRedis},
	}
}

func main() {
	// Process-wide settings, which nothing below main touches.
	gin.SetMode(gin.ReleaseMode)
	redis.SetLogger(silent{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the second one has its usual effect.
	context.AfterFunc(ctx, stop)
	err := Run(ctx, os.Args[1:], os.Getenv, streams{os.Stdin, os.Stdout, os.Stderr})
	os.Exit(exitCode(err, os.Stderr))
}

// silent drops what go-redis logs.
type silent struct{}

// Printf implements the logger interface of go-redis.
func (silent) Printf(context.Context, string, ...any) {}

// exitCode reports err and returns the process's exit status.
func exitCode(err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, "bench:", err)
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, bench.ErrRegression):
		return exitRegression
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return exitError
	}
}

// Run carries out one command line.
func Run(ctx context.Context, args []string, getenv func(string) string, s streams) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	var known strings.Builder
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, args[1:], getenv, s)
		}
		fmt.Fprintf(&known, "\n  %-8s %s", c.name, c.usage)
	}
	return fmt.Errorf("%w: bench <command>; there is no command %q, there are:%s", errUsage, name, known.String())
}

// parse reads a command's flags. All that is left is an error.
func parse(flags *flag.FlagSet, args []string, help io.Writer) error {
	flags.SetOutput(io.Discard) // errors are returned, and printed once
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(help)
		flags.PrintDefaults()
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errUsage, flags.Name(), err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: %s: unexpected argument %q", errUsage, flags.Name(), flags.Arg(0))
	}
	return nil
}
