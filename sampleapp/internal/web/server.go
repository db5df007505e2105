package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Timeouts of every server. WriteTimeout bounds a whole request, and is longer
// than what handlers allow themselves, so that they can still answer.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 32 << 10
	// DefaultDrain bounds how long open requests may take after the stop.
	DefaultDrain = 10 * time.Second
)

// Server is one role's HTTP server.
type Server struct {
	// Addr is the host and port to listen on. Required; port 0 takes a free one.
	Addr string
	// Handler serves everything but /healthz and /readyz. Nil answers 404.
	Handler http.Handler
	// Checks are what /readyz asks.
	Checks []Check
	// Drain bounds the wait for open requests at the end. Defaults to 10
	// seconds.
	Drain time.Duration
	// OnListen is called with the real address once requests are accepted. Nil
	// ignores it.
	OnListen func(net.Addr)
}

// Run serves until ctx ends, then stops accepting, waits for open requests and
// returns. It fails when the address cannot be listened on, or when requests
// outlast Drain and had to be cut.
func (s Server) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (choose another address with --listen or LISTEN_ADDR)", s.Addr, err)
	}
	next := s.Handler
	if next == nil {
		next = http.NotFoundHandler()
	}
	h := &health{next: next, checks: s.Checks}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		// Requests keep ctx's values and not its end: they are drained, not cut.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if s.OnListen != nil {
		s.OnListen(listener.Addr())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", s.Addr, err)
	case <-ctx.Done():
	}
	h.draining.Store(true)
	return s.stop(ctx, server, failed)
}

// stop drains the server and returns when its goroutine has ended.
func (s Server) stop(ctx context.Context, server *http.Server, failed <-chan error) error {
	drain := s.Drain
	if drain <= 0 {
		drain = DefaultDrain
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain for %v: %w", drain, err), server.Close())
	}
	<-failed // always http.ErrServerClosed
	return err
}
