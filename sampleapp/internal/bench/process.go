package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/stage"
)

// readyTimeout bounds the set-up of a part: some fill tables of millions of
// rows.
const readyTimeout = 3 * time.Minute

// stopTimeout bounds the end of a part that was asked to end.
const stopTimeout = 15 * time.Second

// process is a part in a process of its own.
type process struct {
	role  Role
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{} // closed when it has ended
	ready ready
}

// ServeArgs returns the command line of this program that runs a part.
func ServeArgs(role Role) []string {
	return []string{"serve", "--scenario", role.Scenario, "--variant", role.Variant, "--part", role.Part}
}

// startProcess starts a part and waits until it serves.
func startProcess(ctx context.Context, role Role, env []string) (*process, error) {
	path, err := self()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, done: make(chan struct{})}
	p.cmd = exec.Command(path, ServeArgs(role)...)
	p.cmd.Env = append(p.cmd.Environ(), env...) // this program's own, which main may read, and more
	var errOutput strings.Builder
	p.cmd.Stderr = &progressLock{w: &errOutput}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role.service(), err)
	}
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, stdout) // until it ends
		_ = p.cmd.Wait()                   // how it ended shows in what it wrote
		close(p.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case line := <-lines:
		if err := json.Unmarshal([]byte(line), &p.ready); err == nil {
			return p, nil
		}
		<-p.done
		return nil, fmt.Errorf("%s does not start: %s", role.service(), strings.TrimSpace(errOutput.String()))
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("%s is not ready: %w", role.service(), context.Cause(ctx)), p.kill())
	}
}

// kill ends the process without warning and waits for it.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.done
	return err
}

// stop asks the process to end, and kills it if that takes too long.
func (p *process) stop() error {
	if err := p.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return errors.Join(fmt.Errorf("stop %s: %w", p.role.service(), err), p.kill())
	}
	patience := time.NewTimer(stopTimeout)
	defer patience.Stop()
	select {
	case <-p.done:
		return nil
	case <-patience.C:
		return p.kill()
	}
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// starter starts the other parts of a variant.
type starter struct {
	role Role
	mu   sync.Mutex
	all  []*process
}

// start implements the Start of [stage.Env].
func (s *starter) start(ctx context.Context, part, upstream string) (stage.Part, error) {
	p, err := startProcess(ctx, Role{s.role.Scenario, s.role.Variant, part}, []string{EnvUpstream + "=" + upstream})
	if err != nil {
		return stage.Part{}, err
	}
	s.mu.Lock()
	s.all = append(s.all, p)
	s.mu.Unlock()
	return stage.Part{URL: p.ready.URL, Kill: p.kill, Facts: p.facts}, nil
}

func (p *process) facts(ctx context.Context) (map[string]float64, error) {
	r, err := Target{Name: p.role.Part, Control: p.ready.URL}.read(ctx)
	return r.facts, err
}

// cpu is the processor time in seconds of the parts that run. That of parts
// that have ended is in childrenCPU.
func (s *starter) cpu(ctx context.Context) (sum float64) {
	s.mu.Lock()
	running := append([]*process(nil), s.all...)
	s.mu.Unlock()
	for _, p := range running {
		if p.alive() {
			if facts, err := p.facts(ctx); err == nil {
				sum += facts[FactCPU]
			}
		}
	}
	return sum
}

func (s *starter) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, p := range s.all {
		if p.alive() {
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}
