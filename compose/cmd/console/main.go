// Command console serves the lab console on loopback until it is told to stop.
// The lab starts it; it reads CONSOLE_ADDR, CONSOLE_PAGE, CONSOLE_DASHBOARDS and
// the addresses of the stores (PROMETHEUS_URL, LOKI_URL, JAEGER_URL,
// PYROSCOPE_URL; a store without one is not part of the lab).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cacheu/plumbline/compose/lab/console"
)

// stopGrace is how long queries that run may take once it is told to stop.
const stopGrace = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends it at once
	if err := Run(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "console:", err)
		os.Exit(1)
	}
}

// Run serves until ctx ends.
func Run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	config := console.Config{
		Page: getenv("CONSOLE_PAGE"), Dashboards: getenv("CONSOLE_DASHBOARDS"), Stores: map[string]string{},
	}
	for _, name := range console.StoreNames() {
		config.Stores[name] = getenv(strings.ToUpper(name) + "_URL")
	}
	handler, err := console.New(config)
	if err != nil {
		return err
	}
	listener, err := listen(getenv("CONSOLE_ADDR"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }() // ends by Shutdown below
	fmt.Fprintf(out, "console on http://%s\n", listener.Addr())
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// listen refuses every address but loopback: the stores behind the console ask
// for no password.
func listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("CONSOLE_ADDR is %q, want 127.0.0.1:port: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("CONSOLE_ADDR is %q, want an address of loopback such as 127.0.0.1", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on CONSOLE_ADDR: %w", err)
	}
	return listener, nil
}
