package agent

import (
	"cmp"
	"io"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent/internal/nplusone"
	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/agent/saturation"
)

// Defaults of [Config].
const (
	// DefaultAdminAddr is where /metrics, health checks and pprof are served.
	DefaultAdminAddr = "127.0.0.1:9464"
	// DefaultOTLPEndpoint is the OTLP/HTTP base address of traces and logs.
	DefaultOTLPEndpoint = "http://localhost:4318"
	// DefaultPyroscopeAddress is where profiles go.
	DefaultPyroscopeAddress = "http://localhost:4040"
	// DefaultQueueCapacity is the most items of one signal that wait.
	DefaultQueueCapacity = 4096
	// DefaultTimeout bounds one request to a backend.
	DefaultTimeout = 10 * time.Second
	// DefaultProfileInterval is the length of one profile.
	DefaultProfileInterval = 15 * time.Second
	// DefaultMaxSeries is the most label combinations of one HTTP metric.
	DefaultMaxSeries = 2000
	// DefaultKeep is the number of traces that are watched though not sampled.
	DefaultKeep = 4096
)

// Off switches a listener or a propagator list off.
const Off = "off"

// Config configures an agent. Service is required; everything else has a
// default that suits a service beside the lab of this project, so that
// Config{Service: "shop"} works. The agent keeps no reference to the maps and
// slices of a Config.
type Config struct {
	// Service is the name of the service, the same in all four signals.
	// Required: 1 to 128 characters, no control characters; with profiles,
	// letters, digits and _ . - / only, because Pyroscope takes no others.
	Service string
	// Version of the service, for example "1.4.2". Empty is left out.
	Version string
	// Environment is where it runs, for example "production". Empty is left
	// out of every signal.
	Environment string
	// Instance tells replicas of a service apart in traces and logs.
	// Defaults to the host name.
	Instance string
	// Attributes are further resource attributes of traces and logs.
	Attributes map[string]string

	// Registry collects the agent's metrics. Nil makes a private one; the
	// process-wide default registry is never touched. A registry that is
	// given stays the caller's: the agent's metrics stay in it after Shutdown,
	// and those of the next agent take their place.
	Registry *prometheus.Registry
	// AdminAddr is the host and port that serve /metrics, /healthz, /readyz
	// and /debug/pprof. "off" serves none; see [Agent.MetricsHandler]. Port 0
	// takes a free port. Defaults to 127.0.0.1:9464.
	AdminAddr string
	// Propagators are the header formats of trace context that are read and
	// written, in order: "tracecontext", "baggage", "b3", "b3multi",
	// "jaeger", or "none" alone. Defaults to tracecontext and baggage.
	Propagators []string

	// Replication measures the replicas of a PostgreSQL database. Its metrics and
	// log lines are the agent's: the fields Registerer and Logger are not looked
	// at. Nil measures nothing.
	Replication *replication.Config

	Metrics  Metrics
	Traces   Traces
	Logs     Logs
	Profiles Profiles

	Saturation Saturation
}

// Metrics configures what is measured of requests.
type Metrics struct {
	// MaxSeries caps the label combinations of one HTTP metric; further
	// routes are counted as "other". Defaults to 2000.
	MaxSeries int
	// NPlusOne is how often one request must repeat a query, one after the
	// other, to be reported as an N+1 problem. Defaults to 5; -1 switches the
	// detection off.
	NPlusOne int
}

// Exporter is where and how a signal is sent by OTLP over HTTP.
type Exporter struct {
	// Endpoint is the full URL, path included, without user and query: put
	// credentials into Headers. Defaults to http://localhost:4318/v1/traces,
	// or /v1/logs.
	Endpoint string
	// Headers are added to every request, for authentication for instance.
	// Their values are never printed.
	Headers map[string]string
	// CAFile, CertFile and KeyFile are PEM files: the authorities that may
	// sign the server's certificate, and the client's certificate and key.
	// Empty means the system's authorities and no client certificate.
	CAFile, CertFile, KeyFile string
	// Timeout bounds one request, retries excluded. Defaults to 10 seconds.
	Timeout time.Duration
	// Gzip compresses requests. Defaults to false, the OTLP default: on
	// loopback and in a cluster, processor time is dearer than bytes.
	Gzip bool
	// QueueCapacity is the most items that wait to be sent; more are dropped
	// and counted. Defaults to 4096.
	QueueCapacity int
}

// Traces configures the trace pipeline.
type Traces struct {
	// Disabled switches traces off: no spans, no exemplars. Incoming trace
	// context still reaches logs and outgoing requests.
	Disabled bool
	Exporter
	// SampleRatio is the share of new traces that are recorded, 0 to 1. The
	// zero value means 1, everything; -1 means none. A parent's decision is
	// always respected.
	SampleRatio float64
	// Keep is the number of traces that are watched after SampleRatio has
	// rejected them, and stored if they failed, have a finding such as N+1,
	// were slower than the rolling P95 of their route, or are shown as an
	// exemplar. So every exemplar has a trace. Only the spans of this process
	// are kept: services that it called were told "not sampled". Watching
	// costs what recording costs. Defaults to 4096; -1 watches none, and then
	// only sampled requests become exemplars.
	Keep int
	// SpanExporter, if not nil, takes the spans in place of the endpoint:
	// for tests, and for backends that speak something else. The agent shuts
	// it down.
	SpanExporter sdktrace.SpanExporter
}

// Logs configures the log pipeline.
type Logs struct {
	// Disabled switches the OTLP export off; the console stays.
	Disabled bool
	Exporter
	// Console receives every line. Defaults to standard output; set
	// [io.Discard] for none. It is written to by one goroutine, never by the
	// caller of a log function.
	Console io.Writer
	// Level is the least level that is kept: "debug", "info", "warn" or
	// "error". Defaults to "info".
	Level string
}

// Profiles configures the continuous profiler.
type Profiles struct {
	// Disabled switches profiles off.
	Disabled bool
	// Address is the base URL of Pyroscope, without user and query. Defaults
	// to http://localhost:4040.
	Address string
	// User and Password authenticate by HTTP basic authentication, Tenant
	// is sent as X-Scope-OrgID. Empty sends none.
	User, Password, Tenant string
	// Headers are added to every upload.
	Headers map[string]string
	// CAFile, CertFile and KeyFile are PEM files, as those of an [Exporter].
	CAFile, CertFile, KeyFile string
	// Tags are labels of every profile besides the service's: letters, digits,
	// _ and . in their names. In their values , { and } become _.
	Tags map[string]string
	// Interval is the length of one profile. Defaults to 15 seconds.
	Interval time.Duration
	// MutexFraction samples 1 of so many contended mutexes, BlockRate one
	// blocking event per so many nanoseconds blocked, as the runtime's
	// functions of these names do; -1 leaves the runtime's setting alone.
	// Default to 100 and 1,000,000.
	MutexFraction, BlockRate int
}

// WithDefaults returns a copy with every zero field set to its default. It
// reads no environment variable and does no input or output, but for the host
// name.
func (c Config) WithDefaults() Config {
	if c.Instance == "" {
		c.Instance, _ = os.Hostname() // empty when the system does not know, and then left out
	}
	c.AdminAddr = cmp.Or(c.AdminAddr, DefaultAdminAddr)
	if len(c.Propagators) == 0 {
		c.Propagators = []string{"tracecontext", "baggage"}
	}
	c.Metrics.MaxSeries = cmp.Or(c.Metrics.MaxSeries, DefaultMaxSeries)
	c.Metrics.NPlusOne = cmp.Or(c.Metrics.NPlusOne, nplusone.DefaultThreshold)
	c.Traces.Exporter = c.Traces.withDefaults(DefaultOTLPEndpoint + "/v1/traces")
	c.Traces.SampleRatio = cmp.Or(c.Traces.SampleRatio, 1)
	c.Traces.Keep = cmp.Or(c.Traces.Keep, DefaultKeep)
	c.Logs.Exporter = c.Logs.withDefaults(DefaultOTLPEndpoint + "/v1/logs")
	if c.Logs.Console == nil {
		c.Logs.Console = os.Stdout
	}
	c.Logs.Level = cmp.Or(c.Logs.Level, "info")
	c.Profiles.Address = cmp.Or(c.Profiles.Address, DefaultPyroscopeAddress)
	c.Profiles.Interval = cmp.Or(c.Profiles.Interval, DefaultProfileInterval)
	c.Profiles.MutexFraction = cmp.Or(c.Profiles.MutexFraction, 100)
	c.Profiles.BlockRate = cmp.Or(c.Profiles.BlockRate, 1_000_000)
	c.Saturation.Window = cmp.Or(c.Saturation.Window, saturation.DefaultWindow)
	c.Saturation.KneeWindow = cmp.Or(c.Saturation.KneeWindow, saturation.DefaultKneeWindow)
	return c
}

func (e Exporter) withDefaults(endpoint string) Exporter {
	e.Endpoint = cmp.Or(e.Endpoint, endpoint)
	e.Timeout = cmp.Or(e.Timeout, DefaultTimeout)
	e.QueueCapacity = cmp.Or(e.QueueCapacity, DefaultQueueCapacity)
	return e
}
