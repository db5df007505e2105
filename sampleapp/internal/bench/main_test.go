package bench_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/roles"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
)

// servers are the PostgreSQL and the Redis of the package's tests, started by
// those that need them.
var servers *bench.Servers

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "redis") { // this program as a part
		if err := child(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	if !testing.Short() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var err error
		// Lines enough for the hot query to take some time.
		servers, err = bench.StartServers(ctx, seed.Sizes{Users: 2000, Products: 200, Orders: 60_000, Posts: 200})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() {
			if err := servers.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}()
	}
	return m.Run()
}

func child(args []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if args[0] == "redis" {
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
		return roles.Run(ctx, config.Config{Role: config.Redis, RedisAddr: args[2]}, os.Getenv, io.Discard)
	}
	return bench.Serve(ctx, bench.Role{Scenario: args[2], Variant: args[4], Part: args[6]}, os.Getenv, os.Stdin, os.Stdout)
}
