package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cacheu/plumbline/internal/overhead/sink"
)

// roles are what this program does in the processes that a measurement starts.
func roles() map[string]func(context.Context, []string, io.Writer) error {
	return map[string]func(context.Context, []string, io.Writer) error{"sink": runSink, "serve": runService}
}

// child is a process of ours that listens on an address of its choice.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

// start starts this program in a role. The process ends when its standard
// input does, so that it never outlives its parent.
func start(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &child{cmd: exec.CommandContext(ctx, self, args...)}
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s ended before it listened", args[0]), c.stop())
	}
	c.url = strings.TrimSpace(line)
	return c, nil
}

func startSink(ctx context.Context) (*child, error) { return start(ctx, "sink") }

// stop ends the process and waits for it.
func (c *child) stop() error {
	_ = c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.cmd.Args[1], err)
	}
	return nil
}

// cpu returns the processor time that the process has used, in seconds, to the
// nanosecond.
func (c *child) cpu() (float64, error) {
	// Threads that have ended are not in the sum of the live ones; the group's
	// own clock has them all.
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	user, errUser := strconv.ParseFloat(fields[11], 64)
	system, errSystem := strconv.ParseFloat(fields[12], 64)
	const ticksPerSecond = 100 // USER_HZ, the same on every Linux that Go runs on
	return (user + system) / ticksPerSecond, errors.Join(errUser, errSystem)
}

// resident returns the resident memory of the process, in bytes.
func (c *child) resident() (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read resident memory: %w", err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(content))[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// get returns the body of an answer.
func (c *child) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s", path, response.Status)
	}
	return string(body), err
}

// serveUntilEOF serves on a free port, says on out which, and returns when
// standard input ends.
func serveUntilEOF(h http.Handler, out io.Writer) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// runSink is the process that everything is sent to. Its two own paths switch
// it: a black hole takes connections and never answers.
func runSink(ctx context.Context, _ []string, out io.Writer) error {
	signalsAreTheParents()
	var s sink.Sink
	hole := newGate()
	mux := http.NewServeMux()
	mux.HandleFunc("/-/blackhole", func(http.ResponseWriter, *http.Request) { hole.set(true) })
	mux.HandleFunc("/-/answer", func(http.ResponseWriter, *http.Request) { hole.set(false) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if hole.wait(r.Context()) {
			s.ServeHTTP(w, r)
		}
	})
	return serveUntilEOF(mux, out)
}

// signalsAreTheParents leaves it to the parent to end this process: an
// interrupt from the terminal reaches both.
func signalsAreTheParents() {
	// Ignoring is enough: standard input ends with the parent.
	signal.Ignore(syscall.SIGINT)
}
