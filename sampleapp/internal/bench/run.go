package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Config configures [Run]. Spec, Load and Targets are required.
type Config struct {
	// RunID names the run. Defaults to the start time and the scenario.
	RunID string
	// Command repeats the run.
	Command string
	// Spec is what is measured. A target of somebody's own has a spec without a
	// name.
	Spec scenario.Spec
	// Load is the load of each round.
	Load scenario.Load
	// Quick marks the result as that of a short form.
	Quick bool
	// Targets are the variants, the one that others are compared with first.
	Targets []Target
	// Metrics shows the run in metrics. Nil does not.
	Metrics *loadgen.Metrics
	// Tracer makes a span of each request. Nil makes none.
	Tracer trace.Tracer
	// Timeout bounds one request. Defaults to 30 seconds.
	Timeout time.Duration
	// Progress is told what happens while it does. Nil tells nobody.
	Progress io.Writer
}

// NewRunID returns a name for a run that begins at the given time.
func NewRunID(name string, at time.Time) string {
	return at.UTC().Format("20060102t150405") + "-" + cmp.Or(name, "target")
}

// warmup is how much of a round's length each variant is sent before anything
// is counted, at most.
const warmup = 2 * time.Second

// runner is one run.
type runner struct {
	Config
	series map[string]*loadgen.Series
	logs   map[string]*variantLog
}

// variantLog is what the rounds of a variant found.
type variantLog struct {
	corrected, raw, failures [][]float64
	counts                   map[loadgen.Outcome]int
	lastError                string
	health                   loadgen.Health
	problems                 []string
	tally                    tally
	rounds                   []Round
	steps                    [][]stepLog // by round
}

// Run measures the targets by turns and returns what it found. When ctx ends,
// the rounds that were complete make a result that says that it is partial, and
// the error is ctx's. Any other error means that there is no result.
func Run(ctx context.Context, c Config) (*Result, error) {
	started := time.Now()
	if c.RunID == "" {
		c.RunID = NewRunID(c.Spec.Name, started)
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if len(c.Targets) == 0 || len(c.Spec.Requests) == 0 || c.Load.Rounds < 1 || c.Load.Length <= 0 {
		return nil, errors.New("a benchmark needs a target, a request, and rounds of some length")
	}
	for _, t := range c.Targets {
		if err := t.Probe(ctx); err != nil {
			return nil, err
		}
	}
	r := &runner{Config: c, series: map[string]*loadgen.Series{}, logs: map[string]*variantLog{}}
	for _, t := range c.Targets {
		r.logs[t.Name] = &variantLog{counts: map[loadgen.Outcome]int{}}
		if c.Metrics != nil {
			r.series[t.Name] = c.Metrics.Of(r.labels(t))
		}
	}
	done, err := r.rounds(ctx)
	if err != nil && (ctx.Err() == nil || done == 0) {
		return nil, err
	}
	result := r.result(started)
	if err != nil {
		result.Partial = fmt.Sprintf("interrupted after %d of %d rounds", done, c.Load.Rounds)
	}
	return result, err
}

func (r *runner) labels(t Target) loadgen.RunLabels {
	return loadgen.RunLabels{RunID: r.RunID, Scenario: cmp.Or(r.Spec.Name, "target"), Variant: t.Name}
}

// rounds warms up and measures; it returns how many rounds all variants have
// completed.
func (r *runner) rounds(ctx context.Context) (done int, err error) {
	for _, t := range r.Targets {
		fmt.Fprintf(r.Progress, "warming up %s\n", t.Name)
		if err := r.attack(ctx, t, min(warmup, r.Load.Length), 0, nil); err != nil {
			return 0, err
		}
	}
	for round := range r.Load.Rounds {
		for i := range r.Targets {
			t := r.Targets[i]
			if round%2 == 1 { // there and back: whoever comes first has no advantage
				t = r.Targets[len(r.Targets)-1-i]
			}
			if err := r.measure(ctx, round, t); err != nil {
				return round, err
			}
		}
	}
	return r.Load.Rounds, nil
}

// measure is one round of one variant.
func (r *runner) measure(ctx context.Context, round int, t Target) error {
	from, err := t.read(ctx)
	if err != nil {
		return err
	}
	event := make(chan error, 1)
	if r.Spec.Event != "" && t.Control != "" {
		timer := time.AfterFunc(r.Load.Length/2, func() {
			_, err := t.control(ctx, http.MethodPost, PathEvent)
			event <- err
		})
		defer timer.Stop()
	} else {
		event <- nil
	}
	var results []loadgen.Result
	before := loadgen.ReadUsage()
	// Every round has a seed of its own, the same for all variants.
	if err := r.attack(ctx, t, r.Load.Length, uint64(round)+1, func(x loadgen.Result) { results = append(results, x) }); err != nil {
		return err
	}
	after := loadgen.ReadUsage()
	health := loadgen.Assess(results, before, after)
	if err := <-event; err != nil {
		return fmt.Errorf("make it happen that %s: %w", r.Spec.Event, err)
	}
	to, err := t.read(ctx)
	if err != nil {
		return err
	}
	if r.Spec.Event != "" && t.Control != "" {
		if _, err := t.control(ctx, http.MethodPost, PathReset); err != nil {
			return fmt.Errorf("make good that %s: %w", r.Spec.Event, err)
		}
	}
	log := r.logs[t.Name]
	log.add(results, health, r.Load)
	log.tally.add(growth{from, to, after.At.Sub(before.At)}, r.Spec.Route, r.Spec.Symptoms)
	last := log.corrected[len(log.corrected)-1]
	fmt.Fprintf(r.Progress, "round %d of %d, %-8s %6d requests  %5.1f %% errors  p50 %s  p99 %s\n", round+1, r.Load.Rounds, t.Name,
		len(results), 100*errorRate(results), duration(stats.Quantile(last, 0.5)), duration(stats.Quantile(last, 0.99)))
	return nil
}

// attack sends a load to a variant. It returns ctx's error if that ended it.
func (r *runner) attack(ctx context.Context, t Target, length time.Duration, seed uint64, observe func(loadgen.Result)) error {
	timeout := cmp.Or(r.Timeout, loadgen.DefaultTimeout)
	client := loadgen.NewClient(timeout)
	defer client.CloseIdleConnections()
	attacker, err := loadgen.New(loadgen.Config{Client: client, Tracer: r.Tracer, Tags: r.labels(t).Tags()})
	if err != nil {
		return err
	}
	pacer, err := plan(r.Load, length, seed)
	if err != nil {
		return err
	}
	series := r.series[t.Name]
	if observe == nil {
		series, observe = nil, func(loadgen.Result) {}
	}
	if series != nil {
		defer series.End()
		series.Begin(pacer.Rate(0))
	}
	attacker.Attack(ctx, source(t.Base, r.Spec), pacer, func(x loadgen.Result) {
		if series != nil {
			series.Begin(pacer.Rate(x.Planned))
			series.Observe(x)
		}
		observe(x)
	})
	return ctx.Err()
}

// source returns the requests of a spec, over and over.
func source(base string, s scenario.Spec) loadgen.Source {
	n := 0
	return func() loadgen.Target {
		q := s.Requests[n%len(s.Requests)]
		number := fmt.Sprint(n)
		n++
		return loadgen.Target{
			Route: s.Route, Method: q.Method,
			URL: base + strings.ReplaceAll(q.Path, "{n}", number), Body: strings.ReplaceAll(q.Body, "{n}", number),
		}
	}
}

// progressLock makes lines of concurrent writers whole.
type progressLock struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements [io.Writer].
func (p *progressLock) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(b)
}

// machine describes this machine and program.
func machine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				m.Revision = s.Value
			}
		}
	}
	return m
}
