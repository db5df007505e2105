// Package zipkin proves on a real Jaeger that services of Zipkin and services
// with the agent make one trace: B3 headers carry the context, Jaeger's Zipkin
// receiver takes the one side's spans and its OTLP receiver the other's.
package zipkin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/zipkin" //nolint:staticcheck // deprecated, and what Zipkin-only servers need

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/internal/contract/repo"
	"github.com/cacheu/plumbline/internal/contract/stores"
)

// enable is the environment variable that makes the tests with a real server
// run.
const enable = "PLUMBLINE_E2E"

// patience bounds every wait. Jaeger is ready within seconds.
const patience = time.Minute

// jaeger is a running Jaeger.
type jaeger struct {
	stores.Jaeger
	otlp, zipkin string // base URLs of the receivers
}

// startJaeger runs the lab's Jaeger with the lab's own configuration.
func startJaeger(t *testing.T) jaeger {
	t.Helper()
	if os.Getenv(enable) == "" {
		t.Skipf("it needs the lab's Jaeger, which takes minutes to build; set %s=1, as `make test-e2e` does", enable)
	}
	config, err := lab.ConfigFromEnv(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	ports, err := lab.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	cmd := exec.Command(filepath.Join(config.Cache, "bin", "jaeger"), "--config", filepath.Join(root, "compose/config/jaeger/jaeger.yaml"))
	cmd.Env = []string{"LISTEN_HOST=127.0.0.1", "DATA_DIR=" + data, "HOME=" + data}
	for name, port := range map[string]int{
		"JAEGER_PORT": ports.Jaeger, "JAEGER_GRPC_PORT": ports.JaegerGRPC, "JAEGER_OTLP_PORT": ports.JaegerOTLP,
		"JAEGER_OTLP_GRPC_PORT": ports.JaegerOTLPGRPC, "JAEGER_ZIPKIN_PORT": ports.JaegerZipkin,
		"JAEGER_HEALTH_PORT": ports.JaegerHealth, "JAEGER_METRICS_PORT": ports.JaegerMetrics,
	} {
		cmd.Env = append(cmd.Env, name+"="+strconv.Itoa(port))
	}
	var output bytes.Buffer // read after the end only
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start jaeger: %v; `make servers` builds it", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("output of jaeger:\n%s", &output)
		}
	})
	base := func(port int) string { return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	eventually(t, func(ctx context.Context) error {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("jaeger has ended: %v", err)
		default:
		}
		return request(ctx, http.MethodGet, base(ports.JaegerHealth)+"/status", nil, nil)
	})
	return jaeger{stores.Jaeger{URL: base(ports.Jaeger)}, base(ports.JaegerOTLP), base(ports.JaegerZipkin)}
}

func eventually(t *testing.T, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %v", patience, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// request makes a request whose answer must be a good one.
func request(ctx context.Context, method, url string, header http.Header, body io.Reader) error {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	if header != nil {
		r.Header = header
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s answers %s: %s", url, response.Status, text)
	}
	return nil
}

// The trace as Zipkin's libraries number it. The spans of the two services that
// have no agent are made by hand, in Zipkin's own format.
const (
	trace = "463ac35c9f6413ad48485a3953bb6124"
	front = "a2fb4a1d1a96d312"
)

func zipkinSpan(service, name, id, parent string) string {
	return fmt.Sprintf(`[{"traceId":%q,"id":%q,"parentId":%q,"name":%q,"kind":"SERVER","timestamp":%d,"duration":1500,"localEndpoint":{"serviceName":%q}}]`,
		trace, id, parent, name, time.Now().UnixMicro(), service)
}

// report sends a span as a library of Zipkin does.
func (j jaeger) report(t *testing.T, span string) {
	t.Helper()
	span = strings.Replace(span, `"parentId":"",`, "", 1)
	err := request(t.Context(), http.MethodPost, j.zipkin+"/api/v2/spans", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(span))
	if err != nil {
		t.Fatal(err)
	}
}

// serve runs the service with the agent, which calls another one, and returns
// what headers that one got.
func serve(t *testing.T, config agent.Config, call http.Header) (sent http.Header) {
	t.Helper()
	config.Service, config.AdminAddr, config.Logs.Console = "shop", agent.Off, io.Discard
	config.Logs.Disabled, config.Profiles.Disabled = true, true
	a, err := agent.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := a.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()
	callee := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = r.Header }))
	defer callee.Close()
	client := http.Client{Transport: agenthttp.Transport(a, nil)}
	defer client.CloseIdleConnections()
	shop := httptest.NewServer(agenthttp.Middleware(a, agenthttp.WithRoute(func(*http.Request) string { return "/basket" }))(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			onward, err := http.NewRequestWithContext(r.Context(), http.MethodGet, callee.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			response, err := client.Do(onward)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		})))
	defer shop.Close()
	if err := request(t.Context(), http.MethodGet, shop.URL+"/basket", call, nil); err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestServicesOfZipkinAndOfTheAgentShareATrace(t *testing.T) {
	j := startJaeger(t)
	overOTLP := func(propagator string) func(string) (agent.Config, error) {
		return func(string) (agent.Config, error) {
			return agent.ConfigFromEnv(func(name string) string {
				return map[string]string{"OTEL_PROPAGATORS": propagator, "OTEL_EXPORTER_OTLP_ENDPOINT": j.otlp}[name]
			})
		}
	}
	multi := http.Header{"X-B3-Traceid": {trace}, "X-B3-Spanid": {front}, "X-B3-Sampled": {"1"}}
	for i, c := range []struct {
		name      string
		configure func(address string) (agent.Config, error)
		call      http.Header
	}{
		{"one B3 header, spans by OTLP", overOTLP("b3"), http.Header{"B3": {trace + "-" + front + "-1"}}},
		{"B3 headers apart, spans by OTLP", overOTLP("b3multi"), multi},
		{"spans in Zipkin's own format", withZipkin, multi},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := c.configure(j.zipkin)
			if err != nil {
				t.Fatal(err)
			}
			sent := serve(t, config, c.call)
			parent := parentIn(sent)
			if parent == "" {
				t.Fatalf("the service that was called finds no trace %s in %v", trace, sent)
			}
			if i == 0 { // the services without an agent, once
				j.report(t, zipkinSpan("front", "get /", front, ""))
			}
			id := fmt.Sprintf("%016x", 0xaa+i)
			j.report(t, zipkinSpan("orders", "get /orders", id, parent))
			eventually(t, func(ctx context.Context) error { return joined(ctx, j, id, parent) })
		})
	}
}

// parentIn reads the span from B3 headers of either form, if they are of the
// trace.
func parentIn(h http.Header) string {
	if parts := strings.Split(h.Get("B3"), "-"); len(parts) >= 2 && parts[0] == trace {
		return parts[1]
	}
	if h.Get("X-B3-Traceid") == trace {
		return h.Get("X-B3-Spanid")
	}
	return ""
}

// joined wants the chain front (Zipkin) > shop's request > shop's call > orders
// (Zipkin) in Jaeger.
func joined(ctx context.Context, j jaeger, last, parent string) error {
	spans, err := j.Trace(ctx, trace)
	if err != nil {
		return err
	}
	byID := map[string]stores.Span{}
	for _, s := range spans {
		byID[s.SpanID] = s
	}
	var chain []string
	for s, ok := byID[last]; ok; s, ok = byID[s.Parent] {
		chain = append(chain, s.Service)
	}
	if want := []string{"orders", "shop", "shop", "front"}; !slices.Equal(chain, want) || byID[last].Parent != parent {
		return fmt.Errorf("from %s the trace leads through %q, want %q: %v", last, chain, want, spans)
	}
	return nil
}

// withZipkin has the agent speak Zipkin's own format. docs/backends.md has the
// lines in the middle.
func withZipkin(address string) (agent.Config, error) {
	var config agent.Config
	exporter, err := zipkin.New(address + "/api/v2/spans")
	config.Traces.SpanExporter = exporter // the agent shuts it down
	config.Propagators = []string{"b3"}
	return config, err
}

// TestTheDocumentHasTheseLines: documentation whose code is not run is worse
// than none.
func TestTheDocumentHasTheseLines(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(root, "docs/backends.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("zipkin_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(document), "```go\n")
	block, _, closed := strings.Cut(block, "```")
	if !ok || !closed {
		t.Fatal("docs/backends.md has no Go")
	}
	for line := range strings.Lines(block) {
		if !strings.Contains(string(source), "\t"+line) {
			t.Errorf("docs/backends.md has a line that is not run: %s", line)
		}
	}
}
