package agent

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/logs"
	"github.com/cacheu/plumbline/agent/internal/otlp"
	"github.com/cacheu/plumbline/agent/internal/profiles"
	"github.com/cacheu/plumbline/agent/internal/traces"
	"github.com/cacheu/plumbline/agent/replication"
)

// resource describes the service in traces and logs. It is built by hand: the
// SDK's default one reads environment variables and runs detectors.
func (a *Agent) resource() *resource.Resource {
	c := a.config
	attributes := []attribute.KeyValue{
		attribute.String(catalog.ResServiceName, c.Service),
		attribute.String("telemetry.sdk.language", "go"),
		attribute.String("telemetry.sdk.name", "opentelemetry"),
		attribute.String("telemetry.distro.name", "plumbline"),
	}
	for _, pair := range [][2]string{
		{catalog.ResServiceVersion, c.Version},
		{catalog.ResServiceInstance, c.Instance},
		{catalog.ResEnvironment, c.Environment},
	} {
		if pair[1] != "" {
			attributes = append(attributes, attribute.String(pair[0], pair[1]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Attributes)) {
		attributes = append(attributes, attribute.String(key, c.Attributes[key]))
	}
	return resource.NewSchemaless(attributes...)
}

func (a *Agent) endpoint(e Exporter) otlp.Endpoint {
	return otlp.Endpoint{
		URL: e.Endpoint, Headers: maps.Clone(e.Headers), Timeout: e.Timeout, Gzip: e.Gzip,
		CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile,
	}
}

func (a *Agent) logConfig() logs.Config {
	c := a.config.Logs
	config := logs.Config{
		Console: c.Console, Resource: a.resource(), Capacity: c.QueueCapacity,
		Level: logs.ParseSeverity(c.Level), OnState: a.exporterState,
	}
	if c.Console == io.Discard {
		config.Console = nil // saves the queue and its goroutine
	}
	if !c.Disabled {
		endpoint := a.endpoint(c.Exporter)
		config.Endpoint = &endpoint
	}
	return config
}

func (a *Agent) startTraces() error {
	c := a.config.Traces
	if c.Disabled {
		return nil
	}
	var err error
	a.traces, err = traces.Start(traces.Config{
		Endpoint: a.endpoint(c.Exporter), Resource: a.resource(), Capacity: c.QueueCapacity,
		Ratio: max(0, c.SampleRatio), Keep: max(0, c.Keep), Exporter: c.SpanExporter,
		OnState: func(err error) { a.exporterState(catalog.Traces, err) },
	})
	if err != nil {
		return err
	}
	a.tracer = a.traces.Tracer(scopeName, a.config.Version)
	return nil
}

// startReplication watches the replicas that the configuration names.
func (a *Agent) startReplication() error {
	if a.config.Replication == nil {
		return nil
	}
	c := *a.config.Replication
	c.Registerer, c.Logger = a.registerer, a.Logger(context.Background())
	var err error
	a.replicas, err = replication.NewCollector(c)
	return err
}

// tagSafe replaces what would end a value in the list of tags that Pyroscope is
// sent: it has no quotes.
func tagSafe(value string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(",{}", r) {
			return '_'
		}
		return r
	}, value)
}

func (a *Agent) startProfiles() error {
	c := a.config.Profiles
	if c.Disabled {
		return nil
	}
	tags := maps.Clone(c.Tags)
	if tags == nil {
		tags = make(map[string]string, 3)
	}
	for key, value := range map[string]string{
		"version": a.config.Version, "instance": a.config.Instance, "environment": a.config.Environment,
	} {
		if value != "" {
			tags[key] = value
		}
	}
	for key, value := range tags {
		tags[key] = tagSafe(value)
	}
	var err error
	a.profiles, err = profiles.Start(profiles.Config{
		Service: a.config.Service, Tags: tags, Address: c.Address,
		User: c.User, Password: c.Password, Tenant: c.Tenant, Headers: maps.Clone(c.Headers),
		CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
		Interval: c.Interval, MutexFraction: c.MutexFraction, BlockRate: c.BlockRate,
		OnState: func(err error) { a.exporterState(catalog.Profiles, err) },
	})
	return err
}

// exporterState logs that a backend stopped or started to take a signal: once
// for each change, however often it fails in between.
func (a *Agent) exporterState(signal catalog.Signal, err error) {
	line := a.logs.NewLine(trace.SpanContext{}, logs.Warn)
	if err == nil {
		line = a.logs.NewLine(trace.SpanContext{}, logs.Info).
			Str(catalog.LogMessage, "telemetry is accepted again")
	} else {
		line.Str(catalog.LogMessage, "telemetry is not accepted; it is dropped and counted until the backend answers").
			Str(catalog.LogError, cause(err))
	}
	line.Str(catalog.LogSignal, string(signal)).Str(catalog.LogEndpoint, a.endpointOf(signal))
	a.logs.Put(line)
}

// cause is the text of err without the address of the request: the line has
// the endpoint already, and the address of a profile holds a page of labels.
func cause(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return clean(err.Error(), 1024)
}

func (a *Agent) endpointOf(signal catalog.Signal) string {
	switch signal {
	case catalog.Traces:
		return otlp.Redact(a.config.Traces.Endpoint)
	case catalog.Logs:
		return otlp.Redact(a.config.Logs.Endpoint)
	case catalog.Profiles:
		return otlp.Redact(a.config.Profiles.Address)
	}
	return string(signal)
}

func propagators() map[string]propagation.TextMapPropagator {
	return map[string]propagation.TextMapPropagator{
		"tracecontext": propagation.TraceContext{},
		"baggage":      propagation.Baggage{},
		"b3":           b3.New(b3.WithInjectEncoding(b3.B3SingleHeader)),
		"b3multi":      b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader)),
		"jaeger":       jaeger.Jaeger{},
		"none":         propagation.NewCompositeTextMapPropagator(),
	}
}

func knownPropagators() []string { return slices.Sorted(maps.Keys(propagators())) }

func newPropagator(names []string) propagation.TextMapPropagator {
	all := propagators()
	chosen := make([]propagation.TextMapPropagator, len(names))
	for i, name := range names {
		chosen[i] = all[name]
	}
	return propagation.NewCompositeTextMapPropagator(chosen...)
}
