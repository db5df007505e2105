package agent

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"

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
	tracer     trace.Tracer
	http       *httpMetrics
	findings   *findings

	logs     *logs.Pipeline
	traces   *traces.Pipeline  // nil when disabled
	profiles *profiles.Session // nil when disabled
	admin    *admin.Server     // nil when off
	kits     sync.Map          // what adapters keep with the agent; see Kit

	stop    sync.Once
	stopErr error
	stopped chan struct{}
}

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
	a := &Agent{config: c.WithDefaults(), stopped: make(chan struct{})}
	if err := a.start(); err != nil {
		// What has started is stopped again; its own errors add nothing.
		_ = a.Shutdown(ctx)
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
	info := catalog.BuildInfo.Desc()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: info.Name, Help: info.Help, ConstLabels: prometheus.Labels{
		string(catalog.Version): a.config.Version, string(catalog.GoVersion): runtime.Version(), string(catalog.Revision): revision(),
	}})
	build.Set(1)
	for _, c := range []prometheus.Collector{
		build,
		newTelemetryCollector(a),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := a.registerer.Register(c); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return err
		}
	}
	return nil
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
	case <-a.stopped:
		return errors.New("shutting down")
	default:
		return nil
	}
}

// Shutdown sends what is queued and ends every goroutine of the agent. It
// returns when that is done or ctx ends; what could not be sent by then is
// dropped and counted. It is legal on a nil agent and more than once: further
// calls return the first one's error. The agent may still be used afterwards,
// and then drops what it is given.
func (a *Agent) Shutdown(ctx context.Context) error {
	if a == nil {
		return nil
	}
	a.stop.Do(func() {
		close(a.stopped)
		var errs []error
		if a.profiles != nil {
			errs = append(errs, a.profiles.Stop(ctx))
		}
		if a.traces != nil {
			errs = append(errs, a.traces.Stop(ctx))
		}
		if a.logs != nil { // last: the others may log how they end
			errs = append(errs, a.logs.Stop(ctx))
		}
		if a.admin != nil {
			errs = append(errs, a.admin.Stop(ctx))
		}
		a.stopErr = errors.Join(errs...)
	})
	return a.stopErr
}

// Flush sends the traces and logs that were produced before the call, and
// returns when that is done or with ctx's error. It is for programs that are
// frozen between requests; others need only [Agent.Shutdown].
func (a *Agent) Flush(ctx context.Context) error {
	if a == nil {
		return nil
	}
	var err error
	if a.traces != nil {
		err = a.traces.Flush(ctx)
	}
	return errors.Join(err, a.logs.Flush(ctx))
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
