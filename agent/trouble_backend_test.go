package agent_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// way is how a backend behaves, well or badly.
type way string

const (
	well       way = "well"
	refuses    way = "refused"
	blackHole  way = "black hole"
	slow       way = "slow"
	answers500 way = "500"
	answers429 way = "429 with Retry-After"
	truncates  way = "truncated answer"
	talksRot   way = "garbage"
	wrongCert  way = "wrong certificate"
)

// slowness is how long something slow takes.
const slowness = 20 * time.Millisecond

// troubled is a backend whose behaviour changes while it runs, under one
// address. With certificates it speaks TLS.
type troubled struct {
	t    *testing.T
	addr string
	tls  *tls.Config // nil: plain HTTP

	good, bad tls.Certificate

	mu     sync.Mutex
	way    way
	asked  int // requests since the last change of behaviour
	server *http.Server
	holes  chan struct{} // closed when requests that hang may go
}

// newTroubled starts a backend that behaves well. Clients that trust authority
// trust it, unless it shows the wrong certificate. A nil authority means plain
// HTTP.
func newTroubled(t *testing.T, authority *certtest.Authority) *troubled {
	t.Helper()
	b := &troubled{t: t, holes: make(chan struct{}), way: well}
	if authority != nil {
		b.good = authority.Issue("server", time.Now().Add(time.Hour)).TLS
		b.bad = certtest.New(t).Issue("stranger", time.Now().Add(time.Hour)).TLS
		b.tls = &tls.Config{GetCertificate: b.certificate}
	}
	b.listen("127.0.0.1:0")
	t.Cleanup(b.close)
	return b
}

func (b *troubled) url(path string) string {
	if b.tls != nil {
		return "https://" + b.addr + path
	}
	return "http://" + b.addr + path
}

func (b *troubled) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if b.now() == wrongCert {
		return &b.bad, nil
	}
	return &b.good, nil
}

func (b *troubled) now() way {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.way
}

// behave changes the behaviour. Open connections are closed, so that it counts
// from the next request on, and requests that hung are let go.
func (b *troubled) behave(next way) {
	b.t.Helper()
	b.close()
	b.mu.Lock()
	b.way, b.holes, b.asked = next, make(chan struct{}), 0
	b.mu.Unlock()
	if next != refuses {
		b.listen(b.addr)
	}
}

// listen serves at an address. One that was free a moment ago may be a
// client's port for a while.
func (b *troubled) listen(addr string) {
	b.t.Helper()
	var l net.Listener
	leaktest.Eventually(b.t, "the backend has its address", func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", addr)
		return err == nil
	})
	b.addr = l.Addr().String()
	if b.tls != nil {
		l = tls.NewListener(l, b.tls)
	}
	server := &http.Server{Handler: b, ErrorLog: log.New(io.Discard, "", 0)}
	// A request on a connection that is being closed would be lost, which is no
	// trouble of the table.
	server.SetKeepAlivesEnabled(false)
	b.mu.Lock()
	b.server = server
	b.mu.Unlock()
	go func() {
		// The backend is no goroutine of the agent, whatever leaktest thinks.
		pprof.SetGoroutineLabels(context.Background())
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			b.t.Errorf("serve: %v", err)
		}
	}()
}

// close refuses connections, and ends those there are when their requests are
// answered. Where they will not be, it cuts them.
func (b *troubled) close() {
	b.mu.Lock()
	server, way := b.server, b.way
	if server != nil {
		close(b.holes)
		b.server = nil
	}
	b.mu.Unlock()
	if server == nil {
		return
	}
	if way != blackHole {
		ctx, cancel := context.WithTimeout(context.Background(), leaktest.Patience)
		defer cancel()
		_ = server.Shutdown(ctx)
	}
	_ = server.Close()
}

// requests is how many requests have come since the last change of behaviour.
func (b *troubled) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// ServeHTTP implements [http.Handler].
func (b *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.asked++
	way, holes := b.way, b.holes
	b.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	switch way {
	case blackHole:
		<-holes
		panic(http.ErrAbortHandler)
	case slow:
		<-time.After(slowness)
	case answers500:
		http.Error(w, "out of order", http.StatusInternalServerError)
	case answers429:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too much", http.StatusTooManyRequests)
	case truncates:
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "short")
	case talksRot:
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = io.WriteString(w, "\xff\xff\xff\xff")
	}
}

// troubledConsole is a console that behaves badly.
type troubledConsole struct {
	mu    sync.Mutex
	way   way
	holes chan struct{}
}

func newTroubledConsole() *troubledConsole {
	return &troubledConsole{way: well, holes: make(chan struct{})}
}

func (c *troubledConsole) behave(next way) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.holes)
	c.way, c.holes = next, make(chan struct{})
}

// Write implements [io.Writer].
func (c *troubledConsole) Write(p []byte) (int, error) {
	c.mu.Lock()
	way, holes := c.way, c.holes
	c.mu.Unlock()
	switch way {
	case refuses:
		return 0, errors.New("no space left on device")
	case blackHole: // a pipe that nobody reads
		<-holes
	case slow:
		<-time.After(slowness)
	case truncates:
		return len(p) / 2, io.ErrShortWrite
	case talksRot:
		panic("a writer of the service's own is broken")
	}
	return len(p), nil
}
