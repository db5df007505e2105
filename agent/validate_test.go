package agent_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent"
)

const (
	envAdmin     = "OTEL_EXPORTER_PROMETHEUS_HOST and _PORT"
	envTraces    = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT"
	envLogs      = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT"
	envPyroscope = "PYROSCOPE_SERVER_ADDRESS"
	envBasicAuth = "PYROSCOPE_BASIC_AUTH_USER and _PASSWORD"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 21 {
		many[strings.Repeat("t", i+1)] = "v"
	}
	tests := map[string]struct {
		set  func(*agent.Config)
		want []problem
	}{
		"windows out of bounds": {
			func(c *agent.Config) { c.Saturation.Window, c.Saturation.KneeWindow = time.Millisecond, time.Second },
			[]problem{
				{"Saturation.Window", "", "1ms is out of bounds: use 1s to 5m0s"},
				{"Saturation.KneeWindow", "", "1s is out of bounds: use 10s to 1h0m0s"},
			},
		},
		"windows out of bounds that nobody uses": {
			func(c *agent.Config) { c.Saturation.Disabled, c.Saturation.Window = true, time.Millisecond }, nil,
		},

		// The service.
		"a service is required": {
			func(c *agent.Config) { c.Service = "" },
			[]problem{{"Service", "OTEL_SERVICE_NAME", "is required"}},
		},
		"a service of 128 characters of two bytes": {
			func(c *agent.Config) { c.Service, c.Profiles.Disabled = strings.Repeat("é", 128), true }, nil,
		},
		"a service of 129 characters": {
			func(c *agent.Config) { c.Service = strings.Repeat("x", 129) },
			[]problem{{"Service", "OTEL_SERVICE_NAME", "has 129 characters; at most 128"}},
		},
		"a service with a newline": {
			func(c *agent.Config) { c.Service, c.Profiles.Disabled = "a\nb", true },
			[]problem{{"Service", "OTEL_SERVICE_NAME", `"a\nb" holds control characters`}},
		},
		"a service that is not text": {
			func(c *agent.Config) { c.Service, c.Profiles.Disabled = "a\xff", true },
			[]problem{{"Service", "OTEL_SERVICE_NAME", "is not UTF-8 text"}},
		},
		"a service that Pyroscope does not take": {
			func(c *agent.Config) { c.Service = "my shop" },
			[]problem{{"Service", "OTEL_SERVICE_NAME", `"my shop" is not a name that Pyroscope takes`}},
		},
		"the same without profiles":    {func(c *agent.Config) { c.Service, c.Profiles.Disabled = "my shop", true }, nil},
		"a service with all it may be": {func(c *agent.Config) { c.Service = "team/shop-1.x_y" }, nil},
		"attributes that are not text": {
			func(c *agent.Config) {
				c.Version, c.Environment, c.Instance = "\xff", "\xff", "\xff"
				c.Attributes = map[string]string{"b": "\xff", "a": "fine", "\xfe": "c"}
			},
			[]problem{
				{"Version", "OTEL_RESOURCE_ATTRIBUTES (service.version)", "is not UTF-8 text"},
				{"Environment", "OTEL_RESOURCE_ATTRIBUTES (deployment.environment.name)", "is not UTF-8 text"},
				{"Instance", "OTEL_RESOURCE_ATTRIBUTES (service.instance.id)", "is not UTF-8 text"},
				{`Attributes["b"]`, "OTEL_RESOURCE_ATTRIBUTES", "is not UTF-8 text"},
				{`Attributes["\xfe"]`, "OTEL_RESOURCE_ATTRIBUTES", "is not UTF-8 text"},
			},
		},

		// The admin listener.
		"an address without a port": {
			func(c *agent.Config) { c.AdminAddr = "localhost" },
			[]problem{{"AdminAddr", envAdmin, `"localhost" is not an address: use host:port with a port of 0 to 65535, or "off"`}},
		},
		"a port that is no number": {
			func(c *agent.Config) { c.AdminAddr = "127.0.0.1:http" },
			[]problem{{"AdminAddr", envAdmin, `"127.0.0.1:http"`}},
		},
		"a port that is too high": {
			func(c *agent.Config) { c.AdminAddr = ":65536" },
			[]problem{{"AdminAddr", envAdmin, `":65536"`}},
		},
		"the highest port on every address": {func(c *agent.Config) { c.AdminAddr = ":65535" }, nil},
		"no listener":                       {func(c *agent.Config) { c.AdminAddr = agent.Off }, nil},

		// Propagators and metrics.
		"all propagators": {
			func(c *agent.Config) { c.Propagators = []string{"tracecontext", "baggage", "b3", "b3multi", "jaeger"} }, nil,
		},
		"no propagator": {func(c *agent.Config) { c.Propagators = []string{"none"} }, nil},
		"propagators that are not known": {
			func(c *agent.Config) { c.Propagators = []string{"xray", "b3", ""} },
			[]problem{
				{"Propagators", "OTEL_PROPAGATORS", `"xray" is not known: use b3, b3multi, baggage, jaeger, none, tracecontext`},
				{"Propagators", "OTEL_PROPAGATORS", `"" is not known`},
			},
		},
		"none with others": {
			func(c *agent.Config) { c.Propagators = []string{"none", "b3"} },
			[]problem{{"Propagators", "OTEL_PROPAGATORS", `"none" stands alone`}},
		},
		"caps out of bounds": {
			func(c *agent.Config) { c.Metrics.MaxSeries, c.Metrics.NPlusOne = -1, 1 },
			[]problem{
				{"Metrics.MaxSeries", "", "-1 is out of bounds: use 1 to 1000000"},
				{"Metrics.NPlusOne", "", "1 is out of bounds: use 2 or more, or -1 for no detection"},
			},
		},

		// Traces.
		"the ratios that there are": {func(c *agent.Config) { c.Traces.SampleRatio = 0.001 }, nil},
		"no new traces":             {func(c *agent.Config) { c.Traces.SampleRatio = -1 }, nil},
		"a ratio above 1": {
			func(c *agent.Config) { c.Traces.SampleRatio = 1.5 },
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", "1.5 is not a ratio: use 0 to 1, or -1 for none"}},
		},
		"a ratio below 0": {
			func(c *agent.Config) { c.Traces.SampleRatio = -0.5 },
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", "-0.5 is not a ratio"}},
		},
		"a ratio that is not a number": {
			func(c *agent.Config) { c.Traces.SampleRatio = math.NaN() },
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", "NaN is not a ratio"}},
		},
		"too many watched traces": {
			func(c *agent.Config) { c.Traces.Keep = 1_000_001 },
			[]problem{{"Traces.Keep", "", "1000001 is out of bounds: use -1 to 1000000"}},
		},

		// Exporters.
		"endpoints that are no URLs": {
			func(c *agent.Config) {
				c.Traces.Endpoint, c.Logs.Endpoint, c.Profiles.Address = "localhost:4318", "grpc://otlp.example", "http://:4040"
			},
			[]problem{
				{"Traces.Endpoint", envTraces, `"localhost:4318" is not a usable URL: use http:// or https:// with a host`},
				{"Logs.Endpoint", envLogs, `"grpc://otlp.example" is not a usable URL`},
				{"Profiles.Address", envPyroscope, `"http://:4040" is not a usable URL`},
			},
		},
		"endpoints with credentials": {
			func(c *agent.Config) {
				c.Traces.Endpoint = "https://me:hunter2@otlp.example/v1/traces"
				c.Logs.Endpoint = "https://otlp.example/v1/logs?api_key=hunter2"
				c.Profiles.Address = "https://hunter2@pyroscope.example#hunter3"
			},
			[]problem{
				{"Traces.Endpoint", envTraces, `"https://otlp.example/v1/traces" has a user, a query or a fragment besides (not shown): put credentials into Traces.Headers (OTEL_EXPORTER_OTLP_TRACES_HEADERS)`},
				{"Logs.Endpoint", envLogs, `"https://otlp.example/v1/logs" has a user, a query or a fragment`},
				{"Profiles.Address", envPyroscope, `"https://pyroscope.example" has a user, a query or a fragment`},
			},
		},
		"endpoints that cannot be parsed, with credentials": {
			func(c *agent.Config) {
				c.Traces.Endpoint, c.Logs.Endpoint, c.Profiles.Address = "me:hunter2@otlp.example", "https//me:hunter2@x", "http://me:hunter2@[::1"
			},
			[]problem{
				{"Traces.Endpoint", envTraces, "is not a usable URL"},
				{"Logs.Endpoint", envLogs, "is not a usable URL"},
				{"Profiles.Address", envPyroscope, "is not a usable URL"},
			},
		},
		"time-outs and queues out of bounds": {
			func(c *agent.Config) {
				c.Traces.Timeout, c.Logs.Timeout = -time.Second, 6*time.Minute
				c.Traces.QueueCapacity, c.Logs.QueueCapacity = -1, 2_000_000
			},
			[]problem{
				{"Traces.Timeout", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1s is out of bounds: use 1ms to 5m0s"},
				{"Traces.QueueCapacity", "", "-1 is out of bounds: use 1 to 1000000"},
				{"Logs.Timeout", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "6m0s is out of bounds"},
				{"Logs.QueueCapacity", "", "2000000 is out of bounds"},
			},
		},
		"headers that HTTP does not take, in the order of their names": {
			func(c *agent.Config) {
				c.Traces.Headers = map[string]string{
					"Authorization": "Bearer hunter2\r\nX-Forged: 1", "X Key": "hunter2", "": "hunter2", "X-Kéy": "hunter2",
					"X-NUL": "hunter2\x00", "X-Fine": "ok\tünïcode",
				}
			},
			[]problem{
				{"Traces.Headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", `header "" is not valid (its value is not shown)`},
				{"Traces.Headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", `header "Authorization"`},
				{"Traces.Headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", `header "X Key"`},
				{"Traces.Headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", `header "X-Kéy"`},
				{"Traces.Headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", `header "X-NUL"`},
			},
		},
		"a certificate without a key, and the reverse": {
			func(c *agent.Config) {
				c.Traces.CertFile, c.Logs.KeyFile, c.Profiles.KeyFile = "c.pem", "k.pem", "k.pem"
			},
			[]problem{
				{"Traces.CertFile", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE and _CLIENT_KEY", "needs both"},
				{"Logs.CertFile", "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE and _CLIENT_KEY", "needs both"},
				{"Profiles.CertFile", "", "needs both"},
			},
		},
		"a level that there is not": {
			func(c *agent.Config) { c.Logs.Level = "loud" },
			[]problem{{"Logs.Level", "OTEL_LOG_LEVEL", `"loud" is not a level: use debug, info, warn or error`}},
		},
		"what is disabled is not looked at": {
			func(c *agent.Config) {
				c.Traces = agent.Traces{Disabled: true, Exporter: agent.Exporter{Endpoint: "x"}, SampleRatio: 7}
				c.Logs = agent.Logs{Disabled: true, Exporter: agent.Exporter{Endpoint: "x"}}
				c.Profiles = agent.Profiles{Disabled: true, Address: "x"}
			},
			nil,
		},

		// Profiles.
		"profiles out of bounds": {
			func(c *agent.Config) {
				c.Profiles.Interval, c.Profiles.MutexFraction, c.Profiles.BlockRate = time.Millisecond, -2, 2_000_000_000
			},
			[]problem{
				{"Profiles.Interval", "", "1ms is out of bounds: use 1s to 10m0s"},
				{"Profiles.MutexFraction", "", "-2 is out of bounds: use -1 to 1000000"},
				{"Profiles.BlockRate", "", "2000000000 is out of bounds: use -1 to 1000000000"},
			},
		},
		"half of basic authentication": {
			func(c *agent.Config) { c.Profiles.Password = "hunter2" },
			[]problem{{"Profiles.User", envBasicAuth, "needs both a user and a password"}},
		},
		"the other half": {
			func(c *agent.Config) { c.Profiles.User = "hunter2" },
			[]problem{{"Profiles.User", envBasicAuth, "needs both a user and a password"}},
		},
		"tags that Pyroscope does not take": {
			func(c *agent.Config) {
				c.Profiles.Tags = map[string]string{"a b": "1", "": "2", "__name__": "3", "ok_1.x": "any, {thing}", "v": "\xff"}
			},
			[]problem{
				{"Profiles.Tags", "", `"" is not a name of a tag`},
				{"Profiles.Tags", "", `"__name__" is not a name of a tag`},
				{"Profiles.Tags", "", `"a b" is not a name of a tag`},
				{`Profiles.Tags["v"]`, "", "is not UTF-8 text"},
			},
		},
		"more tags than Pyroscope takes": {
			func(c *agent.Config) { c.Profiles.Tags = many },
			[]problem{{"Profiles.Tags", "", "has 21 tags; at most 20 are allowed"}},
		},
		"headers of profiles": {
			func(c *agent.Config) { c.Profiles.Headers = map[string]string{"a:b": "hunter2"} },
			[]problem{{"Profiles.Headers", "", `header "a:b" is not valid`}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := agent.Config{Service: "shop"}
			test.set(&c)
			checkProblems(t, c.Validate(), test.want)
		})
	}
}

// TestStartReportsWhatValidateDoes: with everything wrong that can be, Start
// says all of it and starts nothing.
func TestStartReportsWhatValidateDoes(t *testing.T) {
	t.Parallel()
	c := agent.Config{AdminAddr: "x", Propagators: []string{"y"}, Logs: agent.Logs{Level: "z"}}
	c.Traces.Headers = map[string]string{"Authorization\n": "Bearer hunter2"}
	a, err := agent.Start(t.Context(), c)
	if a != nil || err == nil || err.Error() != c.Validate().Error() {
		t.Errorf("agent %v, error %v; want no agent and the error %v", a, err, c.Validate())
	}
	var field *agent.FieldError
	if !errors.As(err, &field) || field.Field != "Service" {
		t.Errorf("the first problem is %v, want that of Service", field)
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 5 {
		t.Errorf("%d lines, want 5: %v", n, err)
	}
}
