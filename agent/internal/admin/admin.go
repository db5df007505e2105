// Package admin is the agent's own listener: /metrics, /healthz, /readyz and
// /debug/pprof. It listens on loopback unless told otherwise, because profiles
// and metrics tell more than a public port should.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	pyropprof "github.com/grafana/pyroscope-go/http/pprof"
)

// Config says what the listener serves.
type Config struct {
	// Addr is the host and port to listen on; port 0 picks a free one.
	Addr string
	// Metrics serves /metrics.
	Metrics http.Handler
	// Ready answers /readyz: nil is ready, an error is the reason for 503.
	Ready func(context.Context) error
}

// Server is a running listener.
type Server struct {
	listener net.Listener
	http     *http.Server
	done     chan struct{}
}

// Start listens and serves. A port that cannot be had is an error that names
// it and what to set instead.
func Start(c Config) (*Server, error) {
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on the admin address %s: %w: set Config.AdminAddr (OTEL_EXPORTER_PROMETHEUS_HOST and "+
			"OTEL_EXPORTER_PROMETHEUS_PORT) to a free address, or to \"off\"", c.Addr, err)
	}
	s := &Server{listener: listener, done: make(chan struct{}), http: &http.Server{
		Handler: handler(c), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
	}}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // ends with ErrServerClosed at Stop
	}()
	return s, nil
}

// Addr returns the address that is really listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stop closes the listener and waits for requests in flight until ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil { // a long profile, for instance
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	if err != nil {
		return fmt.Errorf("close the admin listener: %w", err)
	}
	return nil
}

func handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", c.Metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if c.Ready != nil {
			if err := c.Ready(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	mux.HandleFunc("GET /debug/pprof/{$}", profileIndex)
	mux.HandleFunc("GET /debug/pprof/{name}", profile)
	mux.HandleFunc("GET /debug/pprof/trace", executionTrace)
	// pyroscope-go's handler interrupts the continuous profile instead of
	// failing because a CPU profile is running already.
	mux.HandleFunc("GET /debug/pprof/profile", pyropprof.Profile)
	return mux
}
