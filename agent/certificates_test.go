package agent_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/certtest"
)

// TestCertificatesFromTheEnvironment sends to TLS endpoints that want to see a
// client's certificate. One that has expired, on either side, costs telemetry
// and nothing else: it is counted, and logged once for each signal.
func TestCertificatesFromTheEnvironment(t *testing.T) {
	t.Parallel()
	authority := certtest.New(t)
	valid, over := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	tests := map[string]struct {
		server, client time.Time
		says           string // in the log line; empty: all arrives
	}{
		"both are valid":                     {server: valid, client: valid},
		"the server's has expired":           {server: over, client: valid, says: "expired"},
		"the client's has expired":           {server: valid, client: over, says: "level=warn"},
		"the client shows none":              {server: valid, says: "level=warn"},
		"both have expired: the server's is": {server: over, client: over, says: "expired"},
	}
	n := 0
	for name, c := range tests {
		n++
		server := authority.Issue("server"+strings.Repeat("i", n), c.server)
		env := environment{"OTEL_SERVICE_NAME": "shop", "OTEL_EXPORTER_OTLP_CERTIFICATE": authority.File}
		if !c.client.IsZero() {
			pair := authority.Issue("client"+strings.Repeat("i", n), c.client)
			env["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"], env["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = pair.CertFile, pair.KeyFile
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stack{paths: map[string]int{}, bytes: map[string]int64{}}
			s.Server = httptest.NewUnstartedServer(s)
			s.TLS = &tls.Config{Certificates: []tls.Certificate{server.TLS}, ClientCAs: authority.Pool, ClientAuth: tls.RequireAndVerifyClientCert}
			s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what the test is about
			s.StartTLS()
			t.Cleanup(s.Close)
			env["OTEL_EXPORTER_OTLP_ENDPOINT"] = s.URL
			config, err := agent.ConfigFromEnv(func(name string) string { return env[name] })
			if err != nil {
				t.Fatal(err)
			}
			out, registry := &console{}, prometheus.NewRegistry()
			config.AdminAddr, config.Registry, config.Logs.Console, config.Profiles.Disabled = agent.Off, registry, out, true
			a := start(t, config)
			for range 2 {
				produce(a, 2)
				flush(t, a)
			}
			sent, failed := values(t, registry, catalog.TelemetrySent.Desc().Name), values(t, registry, catalog.TelemetryDropped.Desc().Name)
			for _, signal := range []string{"traces", "logs"} {
				lines := out.about("telemetry is not accepted", "signal="+signal, c.says)
				if c.says == "" {
					if sent[signal] != 4 || len(lines) != 0 || s.requests("/v1/"+signal) == 0 {
						t.Errorf("%g %s are sent; lines %q", sent[signal], signal, lines)
					}
					continue
				}
				if sent[signal] != 0 || failed[catalog.ReasonExport+" "+signal] < 4 || len(lines) != 1 || s.requests("/v1/"+signal) != 0 {
					t.Errorf("%s: %g sent, dropped %v, lines %q of %q", signal, sent[signal], failed, lines, out.lines())
				}
			}
			checkAccounts(t, registry)
		})
	}
}
