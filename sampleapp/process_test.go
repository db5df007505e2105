package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cacheu/plumbline/internal/testpg"
)

// patience bounds every wait. Only a defect makes it pass.
const patience = 20 * time.Second

// process is a running role.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	output *lockedBuffer
	ended  chan struct{}
}

// lockedBuffer collects the output of a process.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs a role. Its agent measures, but sends nothing.
func start(t *testing.T, role string, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	port, err := testpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	p := &process{t: t, url: "http://" + addr, output: &lockedBuffer{}, ended: make(chan struct{})}
	p.cmd = exec.Command(self, "--role", role)
	p.cmd.Env = append([]string{asMain + "=1", "LISTEN_ADDR=" + addr, "OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_PROMETHEUS_PORT=0"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // exit reads the state
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("output of %s:\n%s", role, p.output)
		}
	})
	return p
}

// ready waits until the role's dependencies are reachable.
func (p *process) ready() *process {
	p.t.Helper()
	p.wait("readiness", func() bool {
		response, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// wait polls until done, and fails when the process ends before.
func (p *process) wait(what string, done func() bool) {
	p.t.Helper()
	waitFor(p.t, what, p.ended, done)
}

func waitFor(t *testing.T, what string, ended <-chan struct{}, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("the process ended while waiting for %s", what)
		case <-ctx.Done():
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop sends SIGTERM and expects an end in good order.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if code := p.exit(); code != 0 {
		p.t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}
