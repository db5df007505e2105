package logs_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/logs"
	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// collector is an OTLP endpoint that keeps what it is sent.
type collector struct {
	mu       sync.Mutex
	requests []*collogpb.ExportLogsServiceRequest
	headers  []http.Header
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	request := &collogpb.ExportLogsServiceRequest{}
	if err = errors.Join(err, proto.Unmarshal(data, request)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, request)
	c.headers = append(c.headers, r.Header)
}

func TestOTLPExport(t *testing.T) {
	t.Parallel()
	for name, zipped := range map[string]bool{"as it is": false, "compressed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := &collector{}
			mux := http.NewServeMux()
			mux.Handle("POST /otlp/v1/logs", backend)
			server := httptest.NewServer(mux)
			defer server.Close()
			leaktest.Run(t, func() { exportTest(t, backend, server.URL, zipped) })
		})
	}
}

func exportTest(t *testing.T, backend *collector, url string, zipped bool) {
	p, err := logs.Start(logs.Config{
		Endpoint: &otlp.Endpoint{
			URL: url + "/otlp/v1/logs", Headers: map[string]string{"X-Scope-OrgID": "lab"},
			Timeout: 10 * time.Second, Gzip: zipped,
		},
		Resource: resource.NewSchemaless(attribute.String(catalog.ResServiceName, "shop")),
		Now:      func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Logger(testSpan).Log("level", "error", "msg", "a \xff b")
	_ = p.Logger(trace.SpanContext{}).Log("msg", "plain", "long", strings.Repeat("日", 30_000))
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	want := batch.Stats{Produced: 2, Sent: 2, Up: true, Dropped: map[string]uint64{}}
	if got := p.Stats()[catalog.Logs]; !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if p.BytesSent() == 0 {
		t.Error("no bytes are counted")
	}
	if len(backend.requests) != 1 {
		t.Fatalf("%d requests, want 1", len(backend.requests))
	}
	if got := backend.headers[0].Get("X-Scope-OrgID"); got != "lab" {
		t.Errorf("header X-Scope-OrgID = %q, want lab", got)
	}
	if got, want := backend.headers[0].Get("Content-Encoding"), map[bool]string{true: "gzip"}[zipped]; got != want {
		t.Errorf("header Content-Encoding = %q, want %q", got, want)
	}
	checkRequest(t, backend.requests[0])
}

func checkRequest(t *testing.T, request *collogpb.ExportLogsServiceRequest) {
	t.Helper()
	if n := len(request.GetResourceLogs()); n != 1 {
		t.Fatalf("%d resources, want 1", n)
	}
	from := request.GetResourceLogs()[0]
	if got := attributes(from.GetResource().GetAttributes())[catalog.ResServiceName]; got != "shop" {
		t.Errorf("service.name = %q, want shop", got)
	}
	scope := from.GetScopeLogs()[0]
	if got := scope.GetScope().GetName(); got != "github.com/cacheu/plumbline/agent" {
		t.Errorf("scope %q", got)
	}
	records := scope.GetLogRecords()
	if len(records) != 2 {
		t.Fatalf("%d records, want 2", len(records))
	}
	first := records[0]
	if got, want := first.GetBody().GetStringValue(), "ts="+nowText+` level=error msg="a \ufffd b" `+spanPairs; got != want {
		t.Errorf("body\n got %s\nwant %s", got, want)
	}
	if first.GetSeverityNumber() != 17 || first.GetSeverityText() != "error" {
		t.Errorf("severity %d %q, want 17 error", first.GetSeverityNumber(), first.GetSeverityText())
	}
	traceID, spanID := testSpan.TraceID(), testSpan.SpanID()
	if string(first.GetTraceId()) != string(traceID[:]) || string(first.GetSpanId()) != string(spanID[:]) {
		t.Errorf("trace %x, span %x", first.GetTraceId(), first.GetSpanId())
	}
	if got := first.GetTimeUnixNano(); got != uint64(now.UnixNano()) {
		t.Errorf("time %d, want %d", got, now.UnixNano())
	}
	second := records[1]
	if len(second.GetTraceId()) != 0 || len(second.GetSpanId()) != 0 {
		t.Errorf("a line without a span has trace %x and span %x", second.GetTraceId(), second.GetSpanId())
	}
	if second.GetSeverityNumber() != 9 || second.GetSeverityText() != "info" {
		t.Errorf("severity %d %q, want 9 info", second.GetSeverityNumber(), second.GetSeverityText())
	}
	if body := second.GetBody().GetStringValue(); !strings.HasSuffix(body, "日...truncated") {
		t.Errorf("a long body ends with %q", body[len(body)-30:])
	}
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		m[kv.GetKey()] = kv.GetValue().GetStringValue()
	}
	return m
}

func TestStartNamesAnUnusableCertificate(t *testing.T) {
	t.Parallel()
	_, err := logs.Start(logs.Config{Endpoint: &otlp.Endpoint{URL: "https://localhost/v1/logs", CAFile: "/nowhere/ca.pem"}})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// TestTheEnvironmentIsNotRead sets variables that the exporter below would
// follow: the pipeline's configuration is complete without them.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	backend := &collector{}
	server := httptest.NewServer(backend)
	defer server.Close()
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_CERTIFICATE":      certtest.New(t).File,
		"OTEL_EXPORTER_OTLP_ENDPOINT":         "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT":    "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_HEADERS":          "X-Secret=hunter2",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":     "X-Secret=hunter2",
		"OTEL_EXPORTER_OTLP_COMPRESSION":      "gzip",
		"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "gzip",
		"OTEL_SERVICE_NAME":                   "environment",
	} {
		t.Setenv(name, value)
	}
	p, err := logs.Start(logs.Config{
		Endpoint: &otlp.Endpoint{URL: server.URL, Timeout: 10 * time.Second},
		Resource: resource.NewSchemaless(attribute.String(catalog.ResServiceName, "shop")),
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Logger(trace.SpanContext{}).Log("msg", "hi")
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if len(backend.requests) != 1 {
		t.Fatalf("%d requests, want 1", len(backend.requests))
	}
	h := backend.headers[0]
	if h.Get("X-Secret") != "" || h.Get("Content-Encoding") != "" {
		t.Errorf("headers %v", h)
	}
	if got := attributes(backend.requests[0].GetResourceLogs()[0].GetResource().GetAttributes())[catalog.ResServiceName]; got != "shop" {
		t.Errorf("service.name = %q, want shop", got)
	}
}
