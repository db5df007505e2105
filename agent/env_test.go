package agent_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent"
)

// fieldErrors takes a joined error apart.
func fieldErrors(t *testing.T, err error) []*agent.FieldError {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %v is not joined", err)
	}
	var all []*agent.FieldError
	for _, one := range joined.Unwrap() {
		field, ok := one.(*agent.FieldError)
		if !ok {
			t.Errorf("%v is no *FieldError", one)
			continue
		}
		all = append(all, field)
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != len(all) {
		t.Errorf("%d problems on %d lines: %v", len(all), n, err)
	}
	return all
}

// environment is what is set; each case of a test has one.
type environment map[string]string

var goodEnvironments = map[string]struct {
	env  environment
	want func(*agent.Config)
}{
	"nothing set": {nil, func(*agent.Config) {}},
	"the service's name": {
		environment{"OTEL_SERVICE_NAME": "shop"},
		func(c *agent.Config) { c.Service = "shop" },
	},
	"resource attributes": {
		environment{"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop, service.version=1.2 ,deployment.environment.name=prod,service.instance.id=one,team=a%2Cb,empty="},
		func(c *agent.Config) {
			c.Service, c.Version, c.Environment, c.Instance = "shop", "1.2", "prod", "one"
			c.Attributes = map[string]string{"team": "a,b", "empty": ""}
		},
	},
	"the service's name wins over the resource's": {
		environment{"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"},
		func(c *agent.Config) { c.Service = "shop" },
	},
	"the older name of the environment": {
		environment{"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=staging"},
		func(c *agent.Config) { c.Environment = "staging" },
	},
	"the newer name of the environment wins": {
		environment{"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=staging,deployment.environment.name=prod"},
		func(c *agent.Config) { c.Environment = "prod" },
	},
	"an attribute with an equals sign in its value": {
		environment{"OTEL_RESOURCE_ATTRIBUTES": "query=a=b,,"},
		func(c *agent.Config) { c.Attributes = map[string]string{"query": "a=b"} },
	},
	"everything off": {
		environment{"OTEL_SDK_DISABLED": "TRUE"},
		func(c *agent.Config) { c.Traces.Disabled, c.Logs.Disabled, c.Profiles.Disabled = true, true, true },
	},
	"not off": {environment{"OTEL_SDK_DISABLED": "false"}, func(*agent.Config) {}},
	"propagators": {
		environment{"OTEL_PROPAGATORS": "b3, jaeger"},
		func(c *agent.Config) { c.Propagators = []string{"b3", "jaeger"} },
	},
	"no propagator": {
		environment{"OTEL_PROPAGATORS": "none"},
		func(c *agent.Config) { c.Propagators = []string{"none"} },
	},
	"no traces": {environment{"OTEL_TRACES_EXPORTER": "none"}, func(c *agent.Config) { c.Traces.Disabled = true }},
	"no logs":   {environment{"OTEL_LOGS_EXPORTER": "none"}, func(c *agent.Config) { c.Logs.Disabled = true }},
	"exporters by name": {
		environment{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}, func(*agent.Config) {},
	},
	"the level": {environment{"OTEL_LOG_LEVEL": "WARN"}, func(c *agent.Config) { c.Logs.Level = "warn" }},
	"a ratio": {
		environment{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
		func(c *agent.Config) { c.Traces.SampleRatio = 0.25 },
	},
	"a ratio of 0 is none, and not the default": {
		environment{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
		func(c *agent.Config) { c.Traces.SampleRatio = -1 },
	},
	"a ratio sampler without a ratio takes all": {
		environment{"OTEL_TRACES_SAMPLER": "traceidratio"},
		func(c *agent.Config) { c.Traces.SampleRatio = 1 },
	},
	"a ratio without a ratio sampler is not looked at": {
		environment{"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "x"}, func(*agent.Config) {},
	},
	"no new traces": {
		environment{"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
		func(c *agent.Config) { c.Traces.SampleRatio = -1 },
	},
	"one endpoint for both": {
		environment{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example/base/"},
		func(c *agent.Config) {
			c.Traces.Endpoint, c.Logs.Endpoint = "https://otlp.example/base/v1/traces", "https://otlp.example/base/v1/logs"
		},
	},
	"an endpoint for one is used as it is": {
		environment{
			"OTEL_EXPORTER_OTLP_ENDPOINT":        "http://both:4318",
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://jaeger:4318/own/",
		},
		func(c *agent.Config) {
			c.Traces.Endpoint, c.Logs.Endpoint = "http://jaeger:4318/own/", "http://both:4318/v1/logs"
		},
	},
	"an endpoint for the logs": {
		environment{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://loki:3100/otlp/v1/logs"},
		func(c *agent.Config) { c.Logs.Endpoint = "http://loki:3100/otlp/v1/logs" },
	},
	"headers for both, percent-encoded": {
		environment{"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20aHVudGVyMg==, X-Scope-OrgID=lab"},
		func(c *agent.Config) {
			h := map[string]string{"Authorization": "Basic aHVudGVyMg==", "X-Scope-OrgID": "lab"}
			c.Traces.Headers, c.Logs.Headers = h, h
		},
	},
	"headers for one take the place of those for both": {
		environment{"OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=2", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "c=3", "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "d=4"},
		func(c *agent.Config) {
			c.Traces.Headers, c.Logs.Headers = map[string]string{"c": "3"}, map[string]string{"d": "4"}
		},
	},
	"time-outs": {
		environment{"OTEL_EXPORTER_OTLP_TIMEOUT": "1500", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "250"},
		func(c *agent.Config) { c.Traces.Timeout, c.Logs.Timeout = 1500*time.Millisecond, 250*time.Millisecond },
	},
	"a time-out for the traces": {
		environment{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1"},
		func(c *agent.Config) { c.Traces.Timeout = time.Millisecond },
	},
	"compression": {
		environment{"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "none"},
		func(c *agent.Config) { c.Traces.Gzip = true },
	},
	"compression of the traces": {
		environment{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip"},
		func(c *agent.Config) { c.Traces.Gzip = true },
	},
	"the protocol that there is": {
		environment{
			"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
			"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
		},
		func(*agent.Config) {},
	},
	"certificates for both": {
		environment{
			"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "c.pem",
			"OTEL_EXPORTER_OTLP_CLIENT_KEY": "k.pem",
		},
		func(c *agent.Config) {
			for _, x := range []*agent.Exporter{&c.Traces.Exporter, &c.Logs.Exporter} {
				x.CAFile, x.CertFile, x.KeyFile = "ca.pem", "c.pem", "k.pem"
			}
		},
	},
	"certificates for each": {
		environment{
			"OTEL_EXPORTER_OTLP_CERTIFICATE":        "both.pem",
			"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "t-ca.pem", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "t.pem",
			"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "t.key", "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "l-ca.pem",
			"OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE": "l.pem", "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "l.key",
		},
		func(c *agent.Config) {
			c.Traces.CAFile, c.Traces.CertFile, c.Traces.KeyFile = "t-ca.pem", "t.pem", "t.key"
			c.Logs.CAFile, c.Logs.CertFile, c.Logs.KeyFile = "l-ca.pem", "l.pem", "l.key"
		},
	},
	"the host of the admin listener": {
		environment{"OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0"},
		func(c *agent.Config) { c.AdminAddr = "0.0.0.0:9464" },
	},
	"the port of the admin listener": {
		environment{"OTEL_EXPORTER_PROMETHEUS_PORT": "9470"},
		func(c *agent.Config) { c.AdminAddr = "127.0.0.1:9470" },
	},
	"an IPv6 host": {
		environment{"OTEL_EXPORTER_PROMETHEUS_HOST": "::1", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"},
		func(c *agent.Config) { c.AdminAddr = "[::1]:0" },
	},
	"Pyroscope": {
		environment{
			"PYROSCOPE_SERVER_ADDRESS": "http://pyroscope:4040", "PYROSCOPE_BASIC_AUTH_USER": "me",
			"PYROSCOPE_BASIC_AUTH_PASSWORD": "hunter2", "PYROSCOPE_TENANT_ID": "lab",
		},
		func(c *agent.Config) {
			c.Profiles.Address, c.Profiles.User, c.Profiles.Password, c.Profiles.Tenant = "http://pyroscope:4040", "me", "hunter2", "lab"
		},
	},
}

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	asked := make(map[string]bool) // by ConfigFromEnv, of all there is
	for name, test := range goodEnvironments {
		got, err := agent.ConfigFromEnv(func(variable string) string {
			asked[variable] = true
			return test.env[variable]
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var want agent.Config
		test.want(&want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
		if err := withService(got).Validate(); err != nil {
			t.Errorf("%s: is read, but not valid: %v", name, err)
		}
	}
	for _, test := range goodEnvironments {
		maps.DeleteFunc(asked, func(variable string, _ bool) bool { return test.env[variable] != "" })
	}
	if len(asked) > 0 {
		t.Errorf("no case sets %q", slices.Sorted(maps.Keys(asked)))
	}
}

func withService(c agent.Config) agent.Config {
	if c.Service == "" {
		c.Service = "shop"
	}
	return c
}

// TestOnlyGetenvIsAsked: the environment of the process is the caller's to give.
func TestOnlyGetenvIsAsked(t *testing.T) {
	for variable, value := range goodEnvironments["Pyroscope"].env {
		t.Setenv(variable, value)
	}
	t.Setenv("OTEL_SERVICE_NAME", "environment")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=b")
	got, err := agent.ConfigFromEnv(func(string) string { return "" })
	if err != nil || !reflect.DeepEqual(got, agent.Config{}) {
		t.Errorf("config %+v, error %v; want neither", got, err)
	}
}

// problem is what a case expects of one FieldError.
type problem struct{ field, variable, says string }

func checkProblems(t *testing.T, err error, want []problem) {
	t.Helper()
	got := fieldErrors(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d: %v", len(got), len(want), err)
	}
	for i, w := range want {
		g := got[i]
		if g.Field != w.field || g.Variable != w.variable || !strings.Contains(g.Problem, w.says) {
			t.Errorf("problem %d is %q, want field %q, variable %q and %q", i, g, w.field, w.variable, w.says)
		}
		if !strings.HasPrefix(g.Error(), w.field) || !strings.Contains(g.Error(), w.variable) {
			t.Errorf("%q does not name the field and the variable", g.Error())
		}
	}
	if err != nil && strings.Contains(err.Error(), "hunter") {
		t.Errorf("the error shows a secret: %v", err)
	}
}

func TestConfigFromEnvReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env  environment
		want []problem
	}{
		"a sampler that is not known": {
			environment{"OTEL_TRACES_SAMPLER": "jaeger_remote"},
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER", `"jaeger_remote" is not known: use parentbased_traceidratio`}},
		},
		"a ratio that is no number": {
			environment{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"},
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", `"half" is not a number of 0 to 1`}},
		},
		"a ratio below 0 is not the special value": {
			environment{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "-1"},
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", `"-1" is not a number of 0 to 1`}},
		},
		"a ratio above 1": {
			environment{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.01"},
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", `"1.01"`}},
		},
		"a ratio that is not a number by name": {
			environment{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"},
			[]problem{{"Traces.SampleRatio", "OTEL_TRACES_SAMPLER_ARG", `"NaN"`}},
		},
		"items that are no pairs, by their numbers and without their text": {
			environment{"OTEL_RESOURCE_ATTRIBUTES": "a=1,hunter2,b=2,=hunter3,c=%hunter4"},
			[]problem{
				{"Attributes", "OTEL_RESOURCE_ATTRIBUTES", "item 2 of the list is not key=value"},
				{"Attributes", "OTEL_RESOURCE_ATTRIBUTES", "item 4 of the list"},
				{"Attributes", "OTEL_RESOURCE_ATTRIBUTES", "item 5 of the list"},
			},
		},
		"headers for both that are no pairs": {
			environment{"OTEL_EXPORTER_OTLP_HEADERS": "Bearer hunter2"},
			[]problem{
				{"Traces.Headers", "OTEL_EXPORTER_OTLP_HEADERS", "item 1"},
				{"Logs.Headers", "OTEL_EXPORTER_OTLP_HEADERS", "item 1"},
			},
		},
		"headers for one that are no pairs": {
			environment{"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "hunter2"},
			[]problem{{"Logs.Headers", "OTEL_EXPORTER_OTLP_LOGS_HEADERS", "item 1"}},
		},
		"time-outs that are none": {
			environment{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "10s", "OTEL_EXPORTER_OTLP_TIMEOUT": "0"},
			[]problem{
				{"Traces.Timeout", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", `"10s" is not a whole number of milliseconds above 0`},
				{"Logs.Timeout", "OTEL_EXPORTER_OTLP_TIMEOUT", `"0" is not a whole number of milliseconds above 0`},
			},
		},
		"everything else that can be wrong, in the order of the signals": {
			environment{
				"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd", "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "gzip",
				"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
				"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_LOGS_EXPORTER": "console",
			},
			[]problem{
				{"Traces.Gzip", "OTEL_EXPORTER_OTLP_COMPRESSION", `"zstd" is not known: use gzip or none`},
				{"Traces.Endpoint", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", `"http/json" is not supported: use http/protobuf`},
				{"Logs.Endpoint", "OTEL_EXPORTER_OTLP_PROTOCOL", `"grpc" is not supported: use http/protobuf`},
				{"Traces.Disabled", "OTEL_TRACES_EXPORTER", `"zipkin" is not supported: use otlp or none`},
				{"Logs.Disabled", "OTEL_LOGS_EXPORTER", `"console" is not supported: use otlp or none`},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := agent.ConfigFromEnv(func(variable string) string { return test.env[variable] })
			checkProblems(t, err, test.want)
		})
	}
}

// TestWhatIsWrongDoesNotHideWhatIsRight: the rest of the environment is read.
func TestWhatIsWrongDoesNotHideWhatIsRight(t *testing.T) {
	t.Parallel()
	env := environment{"OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_SERVICE_NAME": "shop", "OTEL_EXPORTER_OTLP_HEADERS": "x,a=b"}
	got, err := agent.ConfigFromEnv(func(variable string) string { return env[variable] })
	if n := len(fieldErrors(t, err)); n != 4 {
		t.Errorf("%d problems, want 4: %v", n, err)
	}
	if got.Service != "shop" || got.Traces.Headers["a"] != "b" || got.Traces.Timeout != 0 {
		t.Errorf("config %+v", got)
	}
}
