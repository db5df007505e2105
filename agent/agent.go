package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"log/slog"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/admin"
	"github.com/cacheu/plumbline/agent/internal/logs"
	"github.com/cacheu/plumbline/agent/internal/profiles"
	"github.com/cacheu/plumbline/agent/internal/traces"
	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/agent/saturation"
)

// scopeName is the instrumentation scope of the agent's spans.
const scopeName = "github.com/cacheu/plumbline/agent"

// Agent is a running agent. Its methods are safe for concurrent use, and all
// of them work on a nil *Agent, which measures nothing.
type Agent struct {
	config     Config
	registry   *prometheus.Registry
	registerer prometheus.Registerer
	propagator propagation.TextMapPropagator
	tracer     *traces.Tracer // nil when traces are disabled
	http       *httpMetrics
	findings   *findings
	saturation *saturation.Collector // nil when disabled
	knee       *saturation.Knee      // nil when disabled

	logs     *logs.Pipeline
	traces   *traces.Pipeline       // nil when disabled
	profiles *profiles.Session      // nil when disabled
	replicas *replication.Collector // nil where there is nothing to watch
	admin    *admin.Server          // nil when off
	kits     sync.Map               // what adapters keep with the agent; see Kit

	stop     atomic.Bool
	stopping chan struct{} // closed when Shutdown begins
	stopped  chan struct{} // closed when it has ended, and stopErr is set
	stopErr  error
}

// startGrace is the time that a failed Start has to end what it began.
const startGrace = time.Second

// Start starts an agent. It returns at once: backends are not waited for, and
// one that cannot be reached is no error but a count and one log line. Errors
// are bad configuration (all of it at once, see [Config.Validate]), an admin
// address that cannot be listened on, certificates that cannot be read, and a
// second profiling agent in one process.
//
// ctx bounds Start itself, not the agent: end it with [Agent.Shutdown].
func Start(ctx context.Context, c Config) (*Agent, error) {
	if err := errors.Join(ctx.Err(), c.Validate()); err != nil {
		return nil, err
	}
	a := &Agent{config: c.WithDefaults(), stopping: make(chan struct{}), stopped: make(chan struct{})}
	if err := a.start(); err != nil {
		// What has started is stopped again. Its own errors add nothing, and
		// neither does waiting long for a backend.
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), startGrace)
		defer cancel()
		_ = a.Shutdown(own)
		return nil, err
	}
	return a, nil
}

func (a *Agent) start() error {
	c := a.config
	a.registry = c.Registry
	if a.registry == nil {
		a.registry = prometheus.NewRegistry()
	}
	a.registerer = prometheus.WrapRegistererWith(a.constLabels(), a.registry)
	a.propagator = newPropagator(c.Propagators)
	var err error
	if a.logs, err = logs.Start(a.logConfig()); err != nil {
		return err
	}
	if err := a.startTraces(); err != nil {
		return err
	}
	if err := a.startProfiles(); err != nil {
		return err
	}
	if err := a.registerMetrics(); err != nil {
		return err
	}
	if err := a.startReplication(); err != nil {
		return err
	}
	if c.AdminAddr == Off {
		return nil
	}
	a.admin, err = admin.Start(admin.Config{Addr: c.AdminAddr, Metrics: a.MetricsHandler(), Ready: a.ready})
	return err
}

// constLabels are on every metric of the agent, so that a dashboard finds the
// service whatever the scrape configuration calls its job.
func (a *Agent) constLabels() prometheus.Labels {
	labels := prometheus.Labels{string(catalog.ServiceName): a.config.Service}
	if a.config.Environment != "" {
		labels[string(catalog.DeploymentEnvironment)] = a.config.Environment
	}
	return labels
}

func (a *Agent) registerMetrics() error {
	var err error
	if a.http, err = newHTTPMetrics(a.registerer, a.config.Metrics.MaxSeries); err != nil {
		return err
	}
	if a.findings, err = newFindings(a.registerer, a.config.Metrics.NPlusOne); err != nil {
		return err
	}
	if err := a.startSaturation(); err != nil {
		return err
	}
	info := catalog.BuildInfo.Desc()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: info.Name, Help: info.Help, ConstLabels: prometheus.Labels{
		string(catalog.Version): a.config.Version, string(catalog.GoVersion): runtime.Version(), string(catalog.Revision): revision(),
	}})
	build.Set(1)
	if err := errors.Join(a.register(build), a.register(newTelemetryCollector(a))); err != nil {
		return fmt.Errorf("register the agent's own metrics: %w", err)
	}
	// A registry of the service's own may have these two already. Then they
	// stay as they are, without the agent's labels.
	_ = a.registerer.Register(collectors.NewGoCollector())
	_ = a.registerer.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return nil
}

// register takes the place of the collector of an agent that has ended, which
// is still there in a registry of the service's own.
func (a *Agent) register(c prometheus.Collector) error {
	err := a.registerer.Register(c)
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		a.registerer.Unregister(c) // whichever has these descriptions
		err = a.registerer.Register(c)
	}
	return err
}

// revision returns the commit that the program was built from, if the build
// recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func (a *Agent) ready(context.Context) error {
	select {
	case <-a.stopping:
		return errors.New("shutting down")
	default:
		return nil
	}
}

// Shutdown sends what is queued and ends every goroutine of the agent. It
// returns when that is done or ctx ends; what could not be sent by then is
// dropped and counted. It is legal on a nil agent and more than once: further
// calls wait for the first and return its error. The agent may still be used afterwards,
// and then drops what it is given.
func (a *Agent) Shutdown(ctx context.Context) error {
	if a == nil {
		return nil
	}
	if a.stop.CompareAndSwap(false, true) {
		close(a.stopping)
		a.stopErr = a.shutdown(ctx)
		close(a.stopped)
		return a.stopErr
	}
	select {
	case <-a.stopped:
		return a.stopErr
	case <-ctx.Done():
		return fmt.Errorf("wait for the shutdown that is under way: %w", ctx.Err())
	}
}

// shutdown ends the signals at the same time: a backend that hangs must not
// take the others' time. The logs end last, because the others may log how they
// end.
func (a *Agent) shutdown(ctx context.Context) error {
	var replicasErr, profilesErr, tracesErr, logsErr, adminErr error
	var wg sync.WaitGroup
	wg.Go(func() { replicasErr = a.replicas.Shutdown(ctx) })
	if a.profiles != nil {
		wg.Go(func() { profilesErr = a.profiles.Stop(ctx) })
	}
	if a.traces != nil {
		wg.Go(func() { tracesErr = a.traces.Stop(ctx) })
	}
	if a.logs != nil {
		wg.Go(func() { _ = a.logs.Flush(ctx) }) // Stop reports what is wrong
	}
	wg.Wait()
	if a.logs != nil {
		logsErr = a.logs.Stop(ctx)
	}
	if a.admin != nil {
		adminErr = a.admin.Stop(ctx)
	}
	return errors.Join(replicasErr, profilesErr, tracesErr, logsErr, adminErr)
}

// Flush sends the traces and logs that were produced before the call, and
// returns when that is done or with ctx's error. It is for programs that are
// frozen between requests; others need only [Agent.Shutdown].
func (a *Agent) Flush(ctx context.Context) error {
	if a == nil {
		return nil
	}
	var tracesErr, logsErr error
	var wg sync.WaitGroup
	if a.traces != nil {
		wg.Go(func() { tracesErr = a.traces.Flush(ctx) })
	}
	wg.Go(func() { logsErr = a.logs.Flush(ctx) })
	wg.Wait()
	return errors.Join(tracesErr, logsErr)
}

// MetricsHandler serves the registry in the format that the client asks for;
// exemplars need OpenMetrics. Mount it where AdminAddr is off.
func (a *Agent) MetricsHandler() http.Handler {
	if a == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, Registry: nil, ErrorHandling: promhttp.ContinueOnError,
	})
}

// Registerer registers a service's own collectors beside the agent's, with the
// same constant labels. On a nil agent it registers with a registry that
// nobody gathers.
func (a *Agent) Registerer() prometheus.Registerer {
	if a == nil {
		return prometheus.NewRegistry()
	}
	return a.registerer
}

// Logger returns a go-kit logger whose lines carry the trace of ctx. Lines are
// encoded at once and written later; a log call never waits for a sink.
func (a *Agent) Logger(ctx context.Context) kitlog.Logger {
	if a == nil {
		return kitlog.NewNopLogger()
	}
	return a.logs.Logger(trace.SpanContextFromContext(ctx))
}

// SlogHandler returns a [slog.Handler] on the same pipeline as [Agent.Logger].
// Lines carry the trace of the context they are logged with.
func (a *Agent) SlogHandler() slog.Handler {
	if a == nil {
		return slog.DiscardHandler
	}
	return a.logs.Handler()
}

// TracerProvider returns the agent's tracer provider, for spans of a service's
// own. It is never the global one. Spans need no shutdown of their own.
func (a *Agent) TracerProvider() trace.TracerProvider {
	if a == nil || a.traces == nil {
		return noop.NewTracerProvider()
	}
	return a.traces.Provider()
}

// Propagator returns the agent's trace context propagator.
func (a *Agent) Propagator() propagation.TextMapPropagator {
	if a == nil {
		return propagation.NewCompositeTextMapPropagator()
	}
	return a.propagator
}

// AdminAddr returns the address that the admin listener really has, or the
// empty string where there is none.
func (a *Agent) AdminAddr() string {
	if a == nil || a.admin == nil {
		return ""
	}
	return a.admin.Addr()
}
