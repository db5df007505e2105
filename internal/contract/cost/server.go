package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/internal/measured"
)

const (
	readyWithin = 5 * time.Minute // it reads the write-ahead log and opens blocks
	stopWithin  = 2 * time.Minute
	pollEvery   = time.Second
)

// prometheusProgram returns the lab's Prometheus, and builds it where it is not
// built yet.
func prometheusProgram(ctx context.Context, root string, getenv func(string) string, out io.Writer) (string, error) {
	config, err := lab.ConfigFromEnv(getenv)
	if err != nil {
		return "", err
	}
	config.Root = root
	programs, err := lab.Build(ctx, config, out, "prometheus")
	if err != nil {
		return "", err
	}
	return programs[0], nil
}

// prometheus is a Prometheus of this program's own.
type prometheus struct {
	url, log string
	command  *exec.Cmd
	ended    chan struct{}
	exit     error // read it when ended is closed
}

// startPrometheus starts one on the blocks in dir/data, and waits until it
// answers. It is gone when an error is returned.
func startPrometheus(ctx context.Context, program, dir, rules string) (*prometheus, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "rule_files: [%q]\n", rules), 0o644); err != nil {
		return nil, err
	}
	p := &prometheus{url: "http://" + address, log: filepath.Join(dir, "prometheus.log"), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the process has its own
	// Blocks stay as they are: compaction would be measured with the queries.
	p.command = exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h",
		"--web.listen-address="+address, "--web.enable-remote-write-receiver", "--log.level=warn")
	p.command.Stdout, p.command.Stderr = out, out
	// An interrupt of the terminal is for this program, which stops it in order.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start Prometheus: %w", err)
	}
	go func() {
		defer close(p.ended)
		p.exit = p.command.Wait()
	}()
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// freeAddress returns an address of loopback that nobody listened on just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (p *prometheus) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if _, err := p.get(ctx, "/-/ready"); err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return p.died()
		case <-ctx.Done():
			return fmt.Errorf("wait for Prometheus: %w: %s", ctx.Err(), p.tail())
		case <-time.After(pollEvery):
		}
	}
}

// watch fails when the process ends before the context does.
func (p *prometheus) watch(ctx context.Context, failed context.CancelCauseFunc) {
	select {
	case <-p.ended:
		failed(p.died())
	case <-ctx.Done():
	}
}

func (p *prometheus) died() error {
	return fmt.Errorf("Prometheus ended by itself (%v): %s", p.exit, p.tail())
}

// tail is the end of its log.
func (p *prometheus) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-2000):]))
}

// stop ends the process, and returns when it has ended. Its data is not wanted
// any more, so that it does not matter how.
func (p *prometheus) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM) // an error says that it has ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopWithin):
	}
	err := p.command.Process.Kill()
	<-p.ended
	return err
}

// get returns a page.
func (p *prometheus) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %d: %.300s", path, answer.StatusCode, text)
	}
	return string(text), nil
}

// use is what the process has used, as Linux counts it.
func (p *prometheus) use() (Use, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return Use{}, fmt.Errorf("read what Prometheus used: %w", err)
	}
	return Use{Memory: measured.Bytes(string(text), "VmHWM")}, nil
}
