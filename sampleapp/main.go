// Command sampleapp is a small shop in one binary, with a role per service:
//
//	sampleapp --role gateway|api|email|worker|load|migrate|redis|probe
//
// The gateway passes requests on to the api; the api reads PostgreSQL and Redis
// and queues invites; the worker takes those and calls the email service. Each
// of them embeds the plumbline agent as any service would. load sends steady
// traffic, migrate makes schema and seed data, redis stands in for a Redis that
// is not installed, and probe asks a health check, for containers without a
// shell.
//
// The first SIGINT or SIGTERM stops in good order, the second at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/roles"
)

// The exit codes: of an error, of a wrong command line, and of a second signal.
const (
	exitError  = 1
	exitUsage  = 2
	exitKilled = 130
)

func main() {
	// Two process-wide settings, which nothing below main touches: gin prints
	// no routes, and go-redis no lines of its own (package cache reports when
	// Redis goes away and comes back).
	gin.SetMode(gin.ReleaseMode)
	redis.SetLogger(silent{})
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitKilled)
	}()
	os.Exit(exitCode(Run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr), os.Stderr))
}

// silent drops what go-redis logs.
type silent struct{}

// Printf implements the logger interface of go-redis.
func (silent) Printf(context.Context, string, ...any) {}

// errUsage marks a command line or environment that cannot be used.
var errUsage = errors.New("see sampleapp --help")

// Run runs the role that args name until ctx ends. Logs go to stdout, the help
// text to stderr.
func Run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	c, err := config.Parse(args, getenv, stderr)
	if errors.Is(err, config.ErrHelp) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w\n%w", err, errUsage)
	}
	return roles.Run(ctx, c, getenv, stdout)
}

// exitCode reports err and returns the process's exit code.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "sampleapp:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitError
}
