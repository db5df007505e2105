package agent_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/go-logfmt/logfmt"
	"github.com/prometheus/client_golang/prometheus"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/catalog"
)

// receiver decodes OTLP as a backend does. What is not UTF-8 does not decode.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	spans []map[string]string // attributes, and the name as ""
	lines []string
	errs  []error
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements [http.Handler].
func (r *receiver) ServeHTTP(_ http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := gzip.NewReader(request.Body)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	data, err := io.ReadAll(body)
	var traces coltracepb.ExportTraceServiceRequest
	var logs collogspb.ExportLogsServiceRequest
	if request.URL.Path == "/v1/traces" {
		err = errors.Join(err, proto.Unmarshal(data, &traces))
	} else {
		err = errors.Join(err, proto.Unmarshal(data, &logs))
	}
	if err != nil {
		r.errs = append(r.errs, err)
	}
	for _, resource := range traces.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				attributes := map[string]string{"": s.GetName()}
				for _, a := range s.GetAttributes() {
					attributes[a.GetKey()] = a.GetValue().GetStringValue()
				}
				r.spans = append(r.spans, attributes)
			}
		}
	}
	for _, resource := range logs.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, l := range scope.GetLogRecords() {
				r.lines = append(r.lines, l.GetBody().GetStringValue())
			}
		}
	}
}

const megabyte = 1 << 20

// hostile are strings that a client may send wherever it may send one.
var hostile = map[string]string{
	"a forged line":         "/x\ntime=2026-01-01T00:00:00Z level=error msg=forged route=/admin",
	"a forged key":          `/x level=error msg=forged`,
	"quotes and backslash":  `"/x\" msg="forged`,
	"carriage return":       "/x\r\nmsg=forged",
	"line separators":       "/x\u2028msg=forged\u2029\u0085",
	"a zero byte":           "/x\x00y",
	"an escape sequence":    "/x\x1b[2J\x1b]0;forged\x07",
	"no UTF-8":              "/\xff\xfe\xc3(",
	"half a character":      "/x\xe2\x82",
	"one megabyte":          "/" + strings.Repeat("x", megabyte),
	"a megabyte of no text": "/" + strings.Repeat("\xff", megabyte),
	"a megabyte of lines":   "/" + strings.Repeat("\nmsg=forged", megabyte/11),
	"nothing":               "",
	"a label's syntax":      `/{http_route="forged"} 1`,
}

// hostileRequests puts each string into each place.
func hostileRequests() []*http.Request {
	request := func(change func(r *http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/items/7", nil)
		change(r)
		return r
	}
	var all []*http.Request
	for _, s := range hostile {
		all = append(all,
			request(func(r *http.Request) { r.URL = &url.URL{Path: "/items/" + s} }),
			request(func(r *http.Request) { r.URL = &url.URL{Path: s} }),
			request(func(r *http.Request) { r.Method = s }),
			request(func(r *http.Request) { r.Host = s }),
			request(func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(s)) }),
		)
		for _, header := range []string{"User-Agent", "Traceparent", "Tracestate", "Baggage", "B3", "X-Forwarded-For", "Referer", "Content-Length", "Upgrade"} {
			all = append(all, request(func(r *http.Request) { r.Header[header] = []string{s} }))
		}
	}
	for i := range 300 { // a scanner
		all = append(all,
			request(func(r *http.Request) { r.Method = fmt.Sprintf("BREW%d", i) }),
			request(func(r *http.Request) { r.URL = &url.URL{Path: fmt.Sprintf("/wp-admin/%d.php", i)} }))
	}
	huge := request(func(r *http.Request) { r.Method = http.MethodPost })
	huge.Body, huge.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 64*megabyte)), 64*megabyte
	return append(all, huge)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestHostileRequests sends everything that a client may invent through both
// HTTP adapters: labels stay bounded, each request makes one log line whose keys
// are the agent's own, and the backend can decode all of it.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	read := func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	for name, build := range map[string]func(a *agent.Agent) http.Handler{
		"agentgin": func(a *agent.Agent) http.Handler {
			router := gin.New()
			router.Use(agentgin.Middleware(a))
			router.Any("/items/:id", func(c *gin.Context) {
				read(c.Request)
				_ = c.Error(errors.New(c.Request.URL.Path)) // an error that quotes what the client sent
			})
			return router
		},
		"agenthttp": func(a *agent.Agent) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("/items/{id}", func(_ http.ResponseWriter, r *http.Request) { read(r) })
			return agenthttp.Middleware(a)(mux)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, out, registry := newReceiver(t), &console{}, prometheus.NewPedanticRegistry()
			c := agent.Config{Service: "shop", AdminAddr: agent.Off, Registry: registry}
			c.Propagators = []string{"tracecontext", "baggage", "b3", "jaeger"}
			c.Traces.Endpoint, c.Traces.Gzip, c.Traces.QueueCapacity = r.URL+"/v1/traces", true, 100_000
			c.Logs.Endpoint, c.Logs.Gzip, c.Logs.QueueCapacity, c.Logs.Console = r.URL+"/v1/logs", true, 100_000, out
			c.Profiles.Disabled = true
			a := start(t, c)
			handler, requests := build(a), hostileRequests()
			for _, q := range requests {
				handler.ServeHTTP(httptest.NewRecorder(), q)
			}
			flush(t, a)
			checkAccounts(t, registry)
			r.mu.Lock()
			defer r.mu.Unlock()
			if err := errors.Join(r.errs...); err != nil {
				t.Errorf("the backend cannot decode what it is sent: %v", err)
			}
			checkHostileLabels(t, registry)
			checkHostileLines(t, "console", out.lines(), len(requests))
			checkHostileLines(t, "OTLP", r.lines, len(requests))
			checkHostileSpans(t, r.spans, len(requests))
		})
	}
}

// checkHostileLabels wants none of the labels to be something a client invented.
func checkHostileLabels(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	routes := []string{catalog.RouteUnknown, "/items/:id", "/items/{id}"}
	series := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				bad := false
				switch l.GetName() {
				case string(catalog.HTTPRoute):
					bad = !slices.Contains(routes, l.GetValue())
				case string(catalog.HTTPRequestMethod):
					series++
					bad = l.GetValue() != catalog.MethodOther && agent.HTTPMethod(l.GetValue()) != l.GetValue()
				}
				if bad || !utf8.ValidString(l.GetValue()) {
					t.Errorf("%s has %s=%q", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
	if series == 0 || series > 12 {
		t.Errorf("%d series of requests, want a few", series)
	}
}

// accessKeys are all the keys that an access log line may have.
var accessKeys = []string{
	catalog.LogTime, catalog.LogLevel, catalog.LogMessage, catalog.LogMethod, catalog.LogRoute, catalog.LogPath, catalog.LogStatus,
	catalog.LogBytes, catalog.LogDuration, catalog.LogError, catalog.LogTraceID, catalog.LogSpanID, catalog.LogComponentPrefix + string(catalog.Self),
}

func checkHostileLines(t *testing.T, where string, lines []string, want int) {
	t.Helper()
	if len(lines) != want {
		t.Errorf("%s: %d lines for %d requests", where, len(lines), want)
	}
	for _, line := range lines {
		decoder := logfmt.NewDecoder(strings.NewReader(line))
		records, keys := 0, map[string]string{}
		for decoder.ScanRecord() {
			records++
			for decoder.ScanKeyval() {
				key := string(decoder.Key())
				if _, twice := keys[key]; twice || !slices.Contains(accessKeys, key) {
					t.Errorf("%s: the key %q does not belong into %.300q", where, key, line)
				}
				keys[key] = string(decoder.Value())
			}
		}
		if decoder.Err() != nil || records != 1 || keys[catalog.LogMessage] != "request" || strings.ContainsFunc(line, unprintable) || len(line) >= 64<<10 {
			t.Errorf("%s: %v, %d records, %d bytes: %.300q", where, decoder.Err(), records, len(line), line)
		}
	}
}

// unprintable finds what would act on a terminal or break a line.
func unprintable(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}

func checkHostileSpans(t *testing.T, spans []map[string]string, want int) {
	t.Helper()
	// A client may say that its trace is not sampled.
	if len(spans) > want || len(spans) < want*9/10 {
		t.Errorf("%d spans for %d requests", len(spans), want)
	}
	names := map[string]bool{}
	for _, s := range spans {
		names[s[""]] = true
		for key, value := range s {
			if len(value) > 4096 {
				t.Errorf("attribute %s has %d bytes", key, len(value))
			}
		}
	}
	if len(names) > 8 {
		t.Errorf("the spans have the names %q, want a few", slices.Sorted(maps.Keys(names)))
	}
}
