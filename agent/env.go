package agent

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// ConfigFromEnv returns a configuration from the OTEL_* and PYROSCOPE_*
// environment variables that getenv finds, as the OpenTelemetry specification
// defines them. It is the only place of the agent that knows their names, and
// it reads nothing by itself: pass [os.Getenv].
//
// Variables that are empty change nothing. The error joins one [*FieldError]
// for each value that cannot be read; limits are checked by [Config.Validate].
//
//	OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES      Service, Version, Environment, Instance, Attributes
//	OTEL_SDK_DISABLED                                true: no traces, no OTLP logs, no profiles
//	OTEL_PROPAGATORS                                 Propagators
//	OTEL_TRACES_EXPORTER, OTEL_LOGS_EXPORTER         otlp or none
//	OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG     Traces.SampleRatio
//	OTEL_LOG_LEVEL                                   Logs.Level
//	OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT (ms), _COMPRESSION,
//	_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY   both exporters; with _TRACES_ or _LOGS_ one of them
//	OTEL_EXPORTER_PROMETHEUS_HOST, _PORT             AdminAddr
//	PYROSCOPE_SERVER_ADDRESS, PYROSCOPE_BASIC_AUTH_USER,
//	PYROSCOPE_BASIC_AUTH_PASSWORD, PYROSCOPE_TENANT_ID  Profiles
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	e := &environment{get: getenv}
	var c Config
	e.resource(&c)
	if list := e.get("OTEL_PROPAGATORS"); list != "" {
		for name := range strings.SplitSeq(list, ",") {
			c.Propagators = append(c.Propagators, strings.TrimSpace(name))
		}
	}
	e.sampler(&c.Traces)
	c.Traces.Exporter = e.exporter("TRACES", "/v1/traces")
	c.Logs.Exporter = e.exporter("LOGS", "/v1/logs")
	c.Logs.Level = strings.ToLower(e.get("OTEL_LOG_LEVEL"))
	c.Traces.Disabled = e.none("Traces.Disabled", "OTEL_TRACES_EXPORTER")
	c.Logs.Disabled = e.none("Logs.Disabled", "OTEL_LOGS_EXPORTER")
	if host, port := e.get("OTEL_EXPORTER_PROMETHEUS_HOST"), e.get("OTEL_EXPORTER_PROMETHEUS_PORT"); host != "" || port != "" {
		c.AdminAddr = net.JoinHostPort(cmp.Or(host, "127.0.0.1"), cmp.Or(port, "9464"))
	}
	c.Profiles.Address = e.get("PYROSCOPE_SERVER_ADDRESS")
	c.Profiles.User = e.get("PYROSCOPE_BASIC_AUTH_USER")
	c.Profiles.Password = e.get("PYROSCOPE_BASIC_AUTH_PASSWORD")
	c.Profiles.Tenant = e.get("PYROSCOPE_TENANT_ID")
	if strings.EqualFold(e.get("OTEL_SDK_DISABLED"), "true") {
		c.Traces.Disabled, c.Logs.Disabled, c.Profiles.Disabled = true, true, true
	}
	return c, errors.Join(e.errs...)
}

type environment struct {
	get  func(string) string
	errs []error
}

func (e *environment) fail(field, variable, format string, args ...any) {
	e.errs = append(e.errs, &FieldError{field, variable, fmt.Sprintf(format, args...)})
}

// resource reads the attributes; OTEL_SERVICE_NAME wins over service.name.
func (e *environment) resource(c *Config) {
	const variable = "OTEL_RESOURCE_ATTRIBUTES"
	attributes := e.pairs("Attributes", variable)
	take := func(key string) string {
		value := attributes[key]
		delete(attributes, key)
		return value
	}
	c.Service = take(catalog.ResServiceName)
	c.Version = take(catalog.ResServiceVersion)
	c.Instance = take(catalog.ResServiceInstance)
	c.Environment = cmp.Or(take(catalog.ResEnvironment), take("deployment.environment")) // the older name of the same
	c.Service = cmp.Or(e.get("OTEL_SERVICE_NAME"), c.Service)
	if len(attributes) > 0 {
		c.Attributes = attributes
	}
}

func (e *environment) sampler(t *Traces) {
	name, arg := e.get("OTEL_TRACES_SAMPLER"), e.get("OTEL_TRACES_SAMPLER_ARG")
	switch name {
	case "", "always_on", "parentbased_always_on":
		return
	case "always_off", "parentbased_always_off":
		t.SampleRatio = -1
	case "traceidratio", "parentbased_traceidratio":
		ratio, err := strconv.ParseFloat(cmp.Or(arg, "1"), 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) { // -1 has a meaning in Config only
			e.fail("Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", "%q is not a number of 0 to 1", arg)
			return
		}
		if ratio == 0 {
			ratio = -1
		}
		t.SampleRatio = ratio
	default:
		e.fail("Traces.SampleRatio", "OTEL_TRACES_SAMPLER", "%q is not known: use parentbased_traceidratio with "+
			"OTEL_TRACES_SAMPLER_ARG, always_on or always_off", name)
	}
}

// exporter reads a signal's variables, which win over those for all signals.
func (e *environment) exporter(signal, path string) Exporter {
	get := func(suffix string) (value, variable string) {
		variable = "OTEL_EXPORTER_OTLP_" + signal + "_" + suffix
		if value = e.get(variable); value == "" {
			variable = "OTEL_EXPORTER_OTLP_" + suffix
			value = e.get(variable)
		}
		return value, variable
	}
	field := signal[:1] + strings.ToLower(signal[1:])
	var x Exporter
	if own := e.get("OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"); own != "" {
		x.Endpoint = own
	} else if base := e.get("OTEL_EXPORTER_OTLP_ENDPOINT"); base != "" {
		x.Endpoint = strings.TrimSuffix(base, "/") + path
	}
	_, variable := get("HEADERS")
	x.Headers = e.pairs(field+".Headers", variable)
	if ms, variable := get("TIMEOUT"); ms != "" {
		n, err := strconv.Atoi(ms)
		if err != nil || n <= 0 {
			e.fail(field+".Timeout", variable, "%q is not a whole number of milliseconds above 0", ms)
		}
		x.Timeout = time.Duration(n) * time.Millisecond
	}
	switch compression, variable := get("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		x.Gzip = true
	default:
		e.fail(field+".Gzip", variable, "%q is not known: use gzip or none", compression)
	}
	if protocol, variable := get("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		e.fail(field+".Endpoint", variable, "%q is not supported: use http/protobuf, which every OTLP backend takes (port 4318)", protocol)
	}
	x.CAFile, _ = get("CERTIFICATE")
	x.CertFile, _ = get("CLIENT_CERTIFICATE")
	x.KeyFile, _ = get("CLIENT_KEY")
	return x
}

// pairs reads a list of key=value with percent-encoded values. What is wrong
// is named without its value, which may be a secret.
func (e *environment) pairs(field, variable string) map[string]string {
	pairs := make(map[string]string)
	for i, item := range strings.Split(e.get(variable), ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		key, encoded, found := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if key = strings.TrimSpace(key); !found || key == "" || err != nil {
			e.fail(field, variable, "item %d of the list is not key=value with percent-encoding (it is not shown)", i+1)
			continue
		}
		pairs[key] = value
	}
	if len(pairs) == 0 {
		return nil
	}
	return pairs
}

func (e *environment) none(field, variable string) bool {
	switch v := e.get(variable); v {
	case "", "otlp":
		return false
	case "none":
		return true
	default:
		e.fail(field, variable, "%q is not supported: use otlp or none", v)
		return false
	}
}
