package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/overhead/stacks"
)

// Logs is what a log call costs.
type Logs struct {
	Calls []LogCall `json:"calls"`
	// The 99th percentile of a call's duration in seconds, with a sink that
	// blocks for StallSeconds on each write.
	StallSeconds float64 `json:"stall_seconds"`
	AgentP99     float64 `json:"agent_p99_seconds"`
	AgentFreeP99 float64 `json:"agent_p99_seconds_without_stall"`
	SyncP99      float64 `json:"sync_p99_seconds"`
}

// LogCall is one way to write a log line.
type LogCall struct {
	Form string `json:"form"`
	// Allocs is of one call, the caller's own included.
	Allocs int64 `json:"allocs"`
	// CPUNanos is the processor time of one call, what is done later in the
	// background included, on one core; one value for each round.
	CPUNanos []float64 `json:"cpu_ns"`
}

// logForm is one way to write a line, as services have it.
type logForm struct {
	name string
	make func(context.Context, *agent.Agent) func()
}

// logForms write the same line.
func logForms() []logForm {
	return []logForm{
		{"logger.Log", func(ctx context.Context, a *agent.Agent) func() {
			logger := a.Logger(ctx)
			return func() { logOnce(logger) }
		}},
		{"level.Info(logger).Log", func(ctx context.Context, a *agent.Agent) func() {
			logger := a.Logger(ctx)
			return func() {
				_ = level.Info(logger).Log("msg", "order placed", "order_id", 4711, "total_cents", 12900, "currency", "EUR")
			}
		}},
		{"slog.Logger.LogAttrs", func(ctx context.Context, a *agent.Agent) func() {
			logger := slog.New(a.SlogHandler())
			return func() {
				logger.LogAttrs(ctx, slog.LevelInfo, "order placed",
					slog.Int("order_id", 4711), slog.Int("total_cents", 12900), slog.String("currency", "EUR"))
			}
		}},
	}
}

const (
	stall      = 500 * time.Millisecond
	agentCalls = 2000 // one each millisecond: four stalls long
	syncCalls  = 10   // each takes a stall
)

func measureLogs(ctx context.Context, o options, r *Results) error {
	l := Logs{StallSeconds: stall.Seconds()}
	for round := range o.rounds {
		fmt.Fprintf(o.log, "logs: round %d of %d\n", round+1, o.rounds)
		for i, form := range logForms() {
			nanos, allocs, err := logCost(ctx, form)
			if err != nil {
				return err
			}
			if round == 0 {
				l.Calls = append(l.Calls, LogCall{Form: form.name})
			}
			l.Calls[i].CPUNanos, l.Calls[i].Allocs = append(l.Calls[i].CPUNanos, nanos), allocs
		}
	}
	fmt.Fprintln(o.log, "logs: a sink that blocks")
	var err error
	if l.AgentP99, err = agentP99(ctx, stalling{}); err != nil {
		return err
	}
	if l.AgentFreeP99, err = agentP99(ctx, io.Discard); err != nil {
		return err
	}
	l.SyncP99 = callP99(kitlog.NewLogfmtLogger(stalling{}), syncCalls, 0)
	r.Machine, r.Logs = measured.ThisMachine(), &l
	return nil
}

// logCost is the processor time of a call on one core, and its allocations.
func logCost(ctx context.Context, form logForm) (nanos float64, allocs int64, err error) {
	previous := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(previous)
	a, closeConsole, err := stacks.NewAgent(stacks.Config{SampleRatio: 1}, 0)
	if err != nil {
		return 0, 0, err
	}
	write := form.make(ctx, a)
	var used time.Duration
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		before := processTime()
		for b.Loop() {
			write()
		}
		used = processTime() - before
	})
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = a.Shutdown(stop) // profiles have nowhere to go here
	return float64(used.Nanoseconds()) / float64(result.N), result.AllocsPerOp(), closeConsole()
}

// logOnce is a line as services write them.
func logOnce(logger kitlog.Logger) {
	_ = logger.Log("level", level.InfoValue(), "msg", "order placed", "order_id", 4711, "total_cents", 12900, "currency", "EUR")
}

// processTime is the processor time of this process.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage of this process: %v", err)) // it has no way to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// stalling is a sink that takes half a second for each write.
type stalling struct{}

// Write implements io.Writer.
func (stalling) Write(p []byte) (int, error) {
	time.Sleep(stall)
	return len(p), nil
}

func agentP99(ctx context.Context, console io.Writer) (float64, error) {
	config := agent.Config{Service: "overhead", AdminAddr: agent.Off, Logs: agent.Logs{Disabled: true, Console: console}}
	config.Traces.Disabled, config.Profiles.Disabled = true, true
	if console == io.Discard {
		config.Logs.Console = struct{ io.Writer }{io.Discard} // the agent spares io.Discard the queue
	}
	a, err := agent.Start(ctx, config)
	if err != nil {
		return 0, err
	}
	p99 := callP99(a.Logger(ctx), agentCalls, time.Millisecond)
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return p99, errors.Join(a.Shutdown(stop))
}

// callP99 logs so many lines, one per interval, and returns the 99th
// percentile of a call's duration in seconds.
func callP99(logger kitlog.Logger, calls int, every time.Duration) float64 {
	durations := make([]float64, calls)
	for i := range durations {
		start := time.Now()
		logOnce(logger)
		durations[i] = time.Since(start).Seconds()
		time.Sleep(every)
	}
	slices.Sort(durations)
	return quantile(durations, 0.99)
}
