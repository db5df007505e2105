package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Environment variables of a run.
const (
	// envTargets is a file that a Prometheus reads its targets from: it lists
	// the processes of the run while there are any.
	envTargets = "BENCH_PROMETHEUS_TARGETS"
	// The Grafana that gets an annotation.
	envGrafana, envGrafanaUser, envGrafanaPassword = "GRAFANA_URL", "GRAFANA_USER", "GRAFANA_PASSWORD"
)

// loadJob is the job of the lab that the run's processes join for a while: one
// of their own would be missed when they are gone.
const loadJob = "load"

// stopTimeout bounds the end of what a run has started.
const stopTimeout = 20 * time.Second

func list(_ context.Context, args []string, _ func(string) string, s streams) error {
	if err := parse(flag.NewFlagSet("list", flag.ContinueOnError), args, s.err); err != nil {
		return err
	}
	for _, x := range scenario.All() {
		fmt.Fprintf(s.out, "%-18s %s\n", x.Name, x.Title)
	}
	return nil
}

// options are the flags of run.
type options struct {
	scenario, out, publish string
	targets                []string
	metrics                string
	method, path, body     string
	arrivals               string
	rate                   float64
	length, timeout        time.Duration
	rounds                 int
	quick                  bool
}

func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.StringVar(&o.scenario, "scenario", "", "the scenario to measure; `name` as in list")
	f.BoolVar(&o.quick, "quick", false, "the short form of a scenario")
	f.Func("target", "a base `URL` to measure instead of a scenario; given twice, the second is compared with the first", func(v string) error {
		o.targets = append(o.targets, strings.TrimRight(v, "/"))
		return nil
	})
	f.StringVar(&o.metrics, "metrics", "", "the `URL` of the target's metrics in Prometheus' format, for one target")
	f.StringVar(&o.method, "method", "GET", "the method of requests to a target")
	f.StringVar(&o.path, "path", "/", "the path and query of requests to a target; {n} is the number of the request")
	f.StringVar(&o.body, "body", "", "the JSON body of requests to a target")
	f.Float64Var(&o.rate, "rate", 0, "requests per second; the scenario's, or 50")
	f.StringVar(&o.arrivals, "arrivals", "", "constant or poisson; the scenario's, or constant")
	f.DurationVar(&o.length, "length", 0, "the length of a round; the scenario's, or 10s")
	f.IntVar(&o.rounds, "rounds", 0, "rounds of each variant; the scenario's, or 5, which is the least that allows a verdict")
	f.DurationVar(&o.timeout, "timeout", loadgen.DefaultTimeout, "how long one request may take")
	f.StringVar(&o.out, "out", "bench/out", "the `folder` for results and reports")
	f.StringVar(&o.publish, "publish", "", "a `folder` that gets the result without single latencies as well")
	return f
}

func run(ctx context.Context, args []string, getenv func(string) string, s streams) (err error) {
	var o options
	if err := parse(o.flags(), args, s.err); err != nil {
		return err
	}
	spec, err := o.spec()
	if err != nil {
		return err
	}
	c := bench.Config{
		Spec: spec, Load: o.load(spec), Quick: o.quick, Timeout: o.timeout, Progress: s.err,
		RunID: bench.NewRunID(spec.Name, time.Now()), Command: o.command(args),
	}
	if _, err := loadgen.NewPacer(c.Load.Arrivals, c.Load.Rate, 1); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	targets, stop, err := o.start(ctx, c, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	c.Targets = targets
	a, err := bench.StartAgent(ctx, "bench", getenv)
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, a.Shutdown(stopCtx))
	}()
	if c.Metrics, err = loadgen.NewMetrics(a.Registerer()); err != nil {
		return err
	}
	c.Tracer = tracer(getenv, a.TracerProvider())
	announced, err := announce(getenv(envTargets), append(addresses(targets), a.AdminAddr()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, announced()) }()
	result, runErr := bench.Run(ctx, c)
	if result == nil {
		return runErr
	}
	return errors.Join(runErr, o.keep(ctx, result, getenv, s))
}

// tracer makes spans only where somebody takes them.
func tracer(getenv func(string) string, p trace.TracerProvider) trace.Tracer {
	if cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) == "" {
		return nil
	}
	return p.Tracer("github.com/cacheu/plumbline/sampleapp/loadgen")
}

// spec returns the scenario, or what stands for one with a target.
func (o *options) spec() (scenario.Spec, error) {
	switch {
	case o.scenario != "" && len(o.targets) > 0:
		return scenario.Spec{}, fmt.Errorf("%w: run: --scenario and --target exclude each other", errUsage)
	case len(o.targets) > 2:
		return scenario.Spec{}, fmt.Errorf("%w: run: at most two targets can be compared", errUsage)
	case o.metrics != "" && len(o.targets) != 1:
		return scenario.Spec{}, fmt.Errorf("%w: run: --metrics goes with exactly one --target", errUsage)
	case len(o.targets) > 0:
		for _, t := range o.targets {
			if u, err := url.Parse(t); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return scenario.Spec{}, fmt.Errorf("%w: run: --target %q: want a URL such as http://127.0.0.1:8080", errUsage, t)
			}
		}
		return scenario.Spec{
			Title:    o.method + " " + o.path + " of " + strings.Join(o.targets, " and "),
			Requests: []scenario.Request{{Method: o.method, Path: o.path, Body: o.body}},
		}, nil
	}
	spec, err := scenario.Find(o.scenario)
	if err != nil {
		return spec, fmt.Errorf("%w: %w", errUsage, err)
	}
	return spec, nil
}

// load returns the scenario's load with what the flags change.
func (o *options) load(s scenario.Spec) scenario.Load {
	l := scenario.Load{Rate: 50, Arrivals: "constant", Length: 10 * time.Second, Rounds: 5}
	if s.Name != "" {
		l = s.Full
		if o.quick {
			l = s.Quick
		}
	} else if o.quick {
		l.Length = 3 * time.Second
	}
	return scenario.Load{
		Rate: cmp.Or(o.rate, l.Rate), Arrivals: cmp.Or(o.arrivals, l.Arrivals),
		Length: cmp.Or(o.length, l.Length), Rounds: cmp.Or(o.rounds, l.Rounds), Rows: l.Rows, Steps: l.Steps, InTime: l.InTime,
	}
}

// command is how a reader repeats the run.
func (o *options) command(args []string) string {
	if o.scenario != "" && o.rate == 0 && o.length == 0 && o.rounds == 0 && o.arrivals == "" {
		command := "make bench SCENARIO=" + o.scenario
		if o.quick {
			command += " QUICK=1"
		}
		return command
	}
	return "bench run " + strings.Join(args, " ")
}

// start returns the targets and what ends all that was started for them.
func (o *options) start(ctx context.Context, c bench.Config, s streams) ([]bench.Target, func() error, error) {
	if c.Spec.Name == "" {
		names := []string{"target"}
		if len(o.targets) == 2 {
			names = []string{scenario.Before, scenario.After}
		}
		var targets []bench.Target
		for i, base := range o.targets {
			targets = append(targets, bench.Target{Name: names[i], Base: base, Metrics: o.metrics})
		}
		return targets, func() error { return nil }, nil
	}
	fmt.Fprintln(s.err, "starting PostgreSQL and Redis, and filling the shop")
	servers, err := bench.StartServers(ctx, seed.Default())
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(s.err, "starting the variants")
	targets, err := bench.StartVariants(ctx, c.Spec, c.Load, servers)
	if err != nil {
		return nil, nil, errors.Join(err, servers.Stop())
	}
	return targets, func() error {
		var errs []error
		for _, t := range targets {
			errs = append(errs, t.Close())
		}
		return errors.Join(append(errs, servers.Stop())...)
	}, nil
}

// keep writes and prints the result.
func (o *options) keep(ctx context.Context, r *bench.Result, getenv func(string) string, s streams) error {
	fmt.Fprint(s.out, r.Text())
	files, err := r.Write(o.out)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%s\n%s\n%s\n", files.JSON, files.Markdown, files.HTML)
	if o.publish != "" && r.Partial == "" {
		path, err := r.Publish(o.publish)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, path)
	}
	err = bench.Annotate(ctx, bench.Grafana{URL: getenv(envGrafana), User: getenv(envGrafanaUser), Password: getenv(envGrafanaPassword)}, r)
	if err != nil {
		fmt.Fprintln(s.err, "bench:", err) // the result is there all the same
	}
	return nil
}

// addresses are the admin addresses of targets that were started here.
func addresses(targets []bench.Target) []string {
	var all []string
	for _, t := range targets {
		if u, err := url.Parse(t.Metrics); err == nil && t.Close != nil {
			all = append(all, u.Host)
		}
	}
	return all
}

// announce lists addresses in a target file of Prometheus. What it returns
// removes the file.
func announce(path string, addresses []string) (func() error, error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	content, err := json.Marshal([]map[string]any{{"targets": addresses, "labels": map[string]string{string(catalog.Job): loadJob}}})
	if err != nil {
		return nil, fmt.Errorf("encode targets: %w", err)
	}
	// Prometheus reads the folder all the time: the file appears as a whole.
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return nil, fmt.Errorf("announce the run to Prometheus: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("announce the run to Prometheus: %w", err)
	}
	return func() error { return os.Remove(path) }, nil
}
