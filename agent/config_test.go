package agent_test

import (
	"bytes"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/replication"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Skip("the machine has no name")
	}
	want := agent.Config{
		Service: "shop", Instance: host, AdminAddr: "127.0.0.1:9464", Propagators: []string{"tracecontext", "baggage"},
		Metrics: agent.Metrics{MaxSeries: 2000, NPlusOne: 5},
		Traces: agent.Traces{
			Exporter:    agent.Exporter{Endpoint: "http://localhost:4318/v1/traces", Timeout: 10 * time.Second, QueueCapacity: 4096},
			SampleRatio: 1, Keep: 4096,
		},
		Logs: agent.Logs{
			Exporter: agent.Exporter{Endpoint: "http://localhost:4318/v1/logs", Timeout: 10 * time.Second, QueueCapacity: 4096},
			Console:  os.Stdout, Level: "info",
		},
		Profiles:   agent.Profiles{Address: "http://localhost:4040", Interval: 15 * time.Second, MutexFraction: 100, BlockRate: 1_000_000},
		Saturation: agent.Saturation{Window: 10 * time.Second, KneeWindow: 2 * time.Minute},
	}
	got := agent.Config{Service: "shop"}.WithDefaults()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if again := got.WithDefaults(); !reflect.DeepEqual(again, got) {
		t.Errorf("defaults of defaults differ:\n got %+v\nwant %+v", again, got)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
}

// full is a configuration whose every field is set, to none of the defaults.
func full() agent.Config {
	exporter := func(name string) agent.Exporter {
		return agent.Exporter{
			Endpoint: "https://otlp.example/" + name, Headers: map[string]string{"Authorization": "Bearer hunter2"},
			CAFile: "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem", Timeout: 3 * time.Second, Gzip: true, QueueCapacity: 77,
		}
	}
	return agent.Config{
		Service: "shop", Version: "1.2", Environment: "test", Instance: "one", Attributes: map[string]string{"team": "a"},
		Registry: prometheus.NewRegistry(), AdminAddr: "off", Propagators: []string{"b3"},
		Replication: &replication.Config{Nodes: []replication.Node{{Name: "pg0", DB: replication.SQL(nil)}}},
		Metrics:     agent.Metrics{MaxSeries: 7, NPlusOne: 9},
		Traces: agent.Traces{
			Disabled: true, Exporter: exporter("traces"), SampleRatio: 0.25, Keep: 5, SpanExporter: tracetest.NewInMemoryExporter(),
		},
		Logs: agent.Logs{Disabled: true, Exporter: exporter("logs"), Console: &bytes.Buffer{}, Level: "warn"},
		Profiles: agent.Profiles{
			Disabled: true, Address: "https://pyroscope.example", User: "me", Password: "hunter2", Tenant: "lab",
			Headers: map[string]string{"X-Own": "yes"}, CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem", Tags: map[string]string{"team": "a"},
			Interval: 20 * time.Second, MutexFraction: 5, BlockRate: 6,
		},
		Saturation: agent.Saturation{Disabled: true, Window: 11 * time.Second, KneeWindow: 3 * time.Minute},
	}
}

func TestDefaultsChangeNothingThatIsSet(t *testing.T) {
	t.Parallel()
	c := full()
	wantNoZero(t, reflect.ValueOf(c), "Config")
	if got := c.WithDefaults(); !reflect.DeepEqual(got, c) {
		t.Errorf("\n got %+v\nwant %+v", got, c)
	}
	special := agent.Config{
		Service: "shop", Instance: "one",
		Metrics: agent.Metrics{NPlusOne: -1}, Traces: agent.Traces{SampleRatio: -1, Keep: -1},
		Profiles: agent.Profiles{MutexFraction: -1, BlockRate: -1},
	}
	got := special.WithDefaults()
	if got.Metrics.NPlusOne != -1 || got.Traces.SampleRatio != -1 || got.Traces.Keep != -1 ||
		got.Profiles.MutexFraction != -1 || got.Profiles.BlockRate != -1 {
		t.Errorf("a -1 has become a default: %+v", got)
	}
}

// wantNoZero fails for a field that the test above forgets, such as a new one.
func wantNoZero(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if v.Kind() != reflect.Struct {
		if v.IsZero() {
			t.Errorf("%s is not set", path)
		}
		return
	}
	for i := range v.NumField() {
		wantNoZero(t, v.Field(i), path+"."+v.Type().Field(i).Name)
	}
}

func TestWithDefaultsIsPure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]agent.Config{"of the zero value": {}, "of a full one": full()} {
		attributes, headers := maps.Clone(c.Attributes), maps.Clone(c.Traces.Headers)
		propagators, tags := slices.Clone(c.Propagators), maps.Clone(c.Profiles.Tags)
		before := c
		_ = c.WithDefaults()
		_ = c.Validate()
		if !reflect.DeepEqual(c, before) || !maps.Equal(c.Attributes, attributes) || !maps.Equal(c.Traces.Headers, headers) ||
			!slices.Equal(c.Propagators, propagators) || !maps.Equal(c.Profiles.Tags, tags) {
			t.Errorf("%s: the configuration has changed: %+v", name, c)
		}
	}
}
