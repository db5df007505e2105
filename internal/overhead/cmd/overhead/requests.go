package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/overhead/stacks"
)

// Request is what one request costs with a stack.
type Request struct {
	Stack string `json:"stack"`
	// Exporting says whether batches were really encoded and sent.
	Exporting bool `json:"exporting"`
	// Nanos is the processor time of the process, background work included;
	// one for each round.
	Nanos  []float64 `json:"cpu_ns_per_request"`
	Allocs int64     `json:"allocs_per_request"`
	Bytes  int64     `json:"bytes_per_request"`
}

// measureRequests runs every stack in turn, again and again, on one core in
// this process: a stack's background work is paid for by its requests. First
// with exporters that discard, then with such that send to another process.
func measureRequests(ctx context.Context, o options, r *Results) error {
	gin.SetMode(gin.ReleaseMode)
	previous := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(previous)
	sink, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer sink.stop()
	all := stacks.All()
	requests := make([]Request, 2*len(all))
	var raw bytes.Buffer
	for round := range o.rounds {
		fmt.Fprintf(o.log, "requests: round %d of %d\n", round+1, o.rounds)
		for i := range requests {
			// Half of the rounds go backwards, so that no stack always runs in
			// the wake of the same other one.
			at := i
			if round%2 == 1 {
				at = len(requests) - 1 - i
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s, m := all[at%len(all)], &requests[at]
			m.Stack, m.Exporting = s.Name, at >= len(all)
			config := stacks.Config{}
			if m.Exporting {
				config.Sink = sink.url
			}
			result, nanos, err := benchmark(s, config)
			if err != nil {
				return err
			}
			m.Nanos = append(m.Nanos, nanos)
			m.Allocs, m.Bytes = result.AllocsPerOp(), result.AllocedBytesPerOp()
			fmt.Fprintf(&raw, "BenchmarkRequest/exporters=%s/stack=%s %d %.1f ns/op %s\n",
				exporters(m.Exporting), s.Name, result.N, nanos, result.MemString())
		}
	}
	r.Machine, r.Requests = measured.ThisMachine(), requests
	r.Benchstat, err = benchstat(ctx, raw.Bytes())
	return err
}

func exporters(exporting bool) string {
	if exporting {
		return "sending"
	}
	return "discarding"
}

// benchmark is one round of one stack. The time is the process's processor time
// for one request: on one core it is the time that the request takes, and it
// does not count what other processes take away.
func benchmark(s stacks.Stack, c stacks.Config) (result testing.BenchmarkResult, nanos float64, err error) {
	running, err := s.Start(c)
	if err != nil {
		return result, 0, err
	}
	w := &response{header: http.Header{}}
	request, err := http.NewRequest(http.MethodGet, "http://shop.example/items/7", nil)
	if err != nil {
		return result, 0, err
	}
	request.Header.Set("User-Agent", "overhead/1")
	result = testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		before := processTime()
		for b.Loop() {
			running.Handler.ServeHTTP(w, request)
		}
		nanos = float64(processTime()-before) / float64(b.N)
	})
	if err := running.Close(); err != nil && c.Sink != "" {
		return result, 0, fmt.Errorf("stack %s: %w", s.Name, err) // what discards may say that nobody listens
	}
	if w.status != 0 && w.status != http.StatusOK || w.bytes != 2 {
		return result, 0, fmt.Errorf("stack %s answered %d with %d bytes", s.Name, w.status, w.bytes)
	}
	if result.N == 0 {
		return result, 0, fmt.Errorf("stack %s: the benchmark failed", s.Name)
	}
	runtime.GC()
	return result, nanos, nil
}

// response is a response writer that costs nothing.
type response struct {
	header http.Header
	status int
	bytes  int // of the last write
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) { w.bytes = len(p); return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) { w.status = status }

// benchstat compares the stacks with the assembled set.
func benchstat(ctx context.Context, raw []byte) (string, error) {
	dir, err := os.MkdirTemp("", "overhead")
	if err != nil {
		return "", fmt.Errorf("make folder for raw results: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "raw.txt")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return "", fmt.Errorf("write raw results: %w", err)
	}
	order := []string{stacks.Assembled}
	for _, s := range stacks.All() {
		if s.Name != stacks.Assembled {
			order = append(order, s.Name)
		}
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "benchstat", "-row", "/exporters", "-format", "csv",
		"-col", "/stack@("+strings.Join(order, " ")+")", file)
	out, err := cmd.Output() // what it has to say about few rounds is left out
	if err != nil {
		return "", fmt.Errorf("run benchstat: %w", err)
	}
	return string(out), nil
}
