package agent_test

import (
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/certtest"
)

// arrival is what a backend of docs/backends.md wants to see of one request.
type arrival map[string]string // header to value

const gzipped = "gzip"

// wantedBy is what arrives at each path with the environment of a section of
// docs/backends.md. "propagates" is no path but the header in which a service
// that is called finds the trace.
var wantedBy = map[string]map[string]arrival{
	"Grafana Cloud": {
		"/otlp/v1/traces": {"Authorization": "Basic MTIzNDU2OmdsY19leGFtcGxl", "Content-Encoding": gzipped, "Content-Type": "application/x-protobuf"},
		"/otlp/v1/logs":   {"Authorization": "Basic MTIzNDU2OmdsY19leGFtcGxl", "Content-Encoding": gzipped, "Content-Type": "application/x-protobuf"},
		"/ingest":         {"Authorization": "Basic NjU0MzIxOmdsY19leGFtcGxl"},
		"propagates":      {"Traceparent": ""},
	},
	"New Relic": {
		"/v1/traces": {"Api-Key": "0123456789abcdefNRAL", "Content-Encoding": gzipped},
		"/v1/logs":   {"Api-Key": "0123456789abcdefNRAL", "Content-Encoding": gzipped},
		"propagates": {"Traceparent": ""},
	},
	"Datadog": {
		"/v1/traces": {"Dd-Api-Key": "0123456789abcdef", "Dd-Otlp-Source": "example"},
		"/v1/logs":   {"Dd-Api-Key": "0123456789abcdef"},
		"propagates": {"Traceparent": ""},
	},
	"Datadog through its agent": {
		"/v1/traces": {"Content-Type": "application/x-protobuf"},
		"/v1/logs":   {"Content-Type": "application/x-protobuf"},
		"propagates": {"Traceparent": ""},
	},
	"A collector of your own": {
		"/v1/traces": {"Content-Type": "application/x-protobuf"},
		"/v1/logs":   {"Content-Type": "application/x-protobuf"},
		"propagates": {"Traceparent": ""},
	},
	"Zipkin": {
		"/v1/traces": {"Content-Type": "application/x-protobuf"},
		"propagates": {"B3": ""},
	},
}

var (
	section       = regexp.MustCompile(`(?m)^## (.+)$`)
	environmentOf = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
)

// documentedEnvironments returns the environments of docs/backends.md by
// section.
func documentedEnvironments(t *testing.T) map[string]environment {
	t.Helper()
	text, err := os.ReadFile("../docs/backends.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]environment{}
	titles := section.FindAllStringSubmatchIndex(string(text), -1)
	for i, title := range titles {
		end := len(text)
		if i+1 < len(titles) {
			end = titles[i+1][0]
		}
		for _, block := range environmentOf.FindAllStringSubmatch(string(text[title[1]:end]), -1) {
			env := environment{}
			for line := range strings.Lines(block[1]) {
				name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
				if !ok {
					t.Errorf("%q is no variable", line)
				}
				env[name] = strings.Trim(value, `"`)
			}
			found[string(text[title[2]:title[3]])] = env
		}
	}
	return found
}

// vendor is a backend that remembers the headers that came to each path.
type vendor struct {
	*httptest.Server
	authority *certtest.Authority // nil: plain HTTP

	mu      sync.Mutex
	headers map[string]http.Header
}

func newVendor(t *testing.T, secure bool) *vendor {
	t.Helper()
	v := &vendor{headers: map[string]http.Header{}}
	v.Server = httptest.NewUnstartedServer(v)
	if secure {
		v.authority = certtest.New(t)
		v.TLS = &tls.Config{
			Certificates: []tls.Certificate{v.authority.Issue("server", time.Now().Add(time.Hour)).TLS},
			ClientCAs:    v.authority.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
		}
		v.StartTLS()
	} else {
		v.Start()
	}
	t.Cleanup(v.Close)
	return v
}

// ServeHTTP implements [http.Handler].
func (v *vendor) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.headers[r.URL.Path] = r.Header
}

// host puts the vendor in the place of the host of a documented address, and a
// client's own files in the place of documented ones.
func (v *vendor) adapt(t *testing.T, env environment) environment {
	t.Helper()
	own := maps.Clone(env)
	for name, value := range env {
		u, err := url.Parse(value)
		if err == nil && (u.Scheme == "http" || u.Scheme == "https") {
			own[name] = v.URL + u.Path
		}
	}
	if v.authority != nil {
		pair := v.authority.Issue("client", time.Now().Add(time.Hour))
		for name, file := range map[string]string{"": v.authority.File, "CLIENT_": pair.CertFile} {
			own["OTEL_EXPORTER_OTLP_"+name+"CERTIFICATE"] = file
		}
		own["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = pair.KeyFile
	}
	return own
}

// TestDocumentedBackends runs the agent with each environment of
// docs/backends.md. It is not parallel, because some have profiles.
func TestDocumentedBackends(t *testing.T) {
	documented := documentedEnvironments(t)
	if have, want := slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(wantedBy)); !slices.Equal(have, want) {
		t.Fatalf("docs/backends.md has environments for %q, this test knows %q", have, want)
	}
	for name, env := range documented {
		t.Run(name, func(t *testing.T) {
			v := newVendor(t, env["OTEL_EXPORTER_OTLP_CERTIFICATE"] != "")
			c, err := agent.ConfigFromEnv(func(name string) string { return v.adapt(t, env)[name] })
			if err != nil {
				t.Fatal(err)
			}
			registry := prometheus.NewRegistry()
			c.AdminAddr, c.Registry, c.Logs.Console = agent.Off, registry, io.Discard
			c.Profiles.Disabled = env["PYROSCOPE_SERVER_ADDRESS"] == ""
			a, err := agent.Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			produce(a, 2)
			called := callFrom(t, a)
			shutdown(t, a)
			v.mu.Lock()
			defer v.mu.Unlock()
			v.headers["propagates"] = called
			if have, want := slices.Sorted(maps.Keys(v.headers)), slices.Sorted(maps.Keys(wantedBy[name])); !slices.Equal(have, want) {
				t.Errorf("requests came to %q, want %q", have, want)
			}
			for path, headers := range wantedBy[name] {
				for header, want := range headers {
					if got := v.headers[path].Get(header); got == "" || want != "" && got != want {
						t.Errorf("%s: header %s is %q, want %q", path, header, got, want)
					}
				}
			}
			if dropped := values(t, registry, catalog.TelemetryDropped.Desc().Name); slices.Max(slices.Collect(maps.Values(dropped))) > 0 {
				t.Errorf("dropped %v", dropped)
			}
		})
	}
}

// callFrom makes a request within a span and returns the headers that arrive.
func callFrom(t *testing.T, a *agent.Agent) (arrived http.Header) {
	t.Helper()
	callee := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived = r.Header }))
	defer callee.Close()
	ctx, span := a.TracerProvider().Tracer("test").Start(t.Context(), "caller")
	defer span.End()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, callee.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: agenthttp.Transport(a, nil)}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	client.CloseIdleConnections()
	return arrived
}
