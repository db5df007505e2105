package logs_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
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

// blockedConsole is a terminal that nobody reads: its writes hang.
type blockedConsole struct {
	console
	entered chan struct{} // one value per write
	release chan struct{}
}

func newBlockedConsole() *blockedConsole {
	return &blockedConsole{entered: make(chan struct{}, 1000), release: make(chan struct{})}
}

func (b *blockedConsole) Write(p []byte) (int, error) {
	b.entered <- struct{}{}
	<-b.release
	return b.console.Write(p)
}

// TestABlockedConsoleBlocksNobody logs on while a write to the console hangs:
// were a log call to wait for it, the test would hang too.
func TestABlockedConsoleBlocksNobody(t *testing.T) {
	t.Parallel()
	const capacity, lines = 100, 1000
	b := newBlockedConsole()
	p, _ := start(t, func(c *logs.Config) { c.Console, c.Capacity = b, capacity })
	l := p.Logger(trace.SpanContext{})
	_ = l.Log("n", 0)
	<-b.entered // from here on the console hangs
	for n := 1; n < lines; n++ {
		_ = l.Log("n", n)
	}
	want := batch.Stats{
		Produced: lines, Queued: capacity, Up: true,
		Dropped: map[string]uint64{catalog.ReasonQueueFull: lines - capacity},
	}
	if got := p.Stats()[catalog.Stdout]; !reflect.DeepEqual(got, want) {
		t.Errorf("while the console hangs: %+v, want %+v", got, want)
	}
	close(b.release)
	got := logged(t, p, &b.console)
	if len(got) != capacity {
		t.Fatalf("%d lines, want the %d that were queued", len(got), capacity)
	}
	for n, line := range got {
		if want := fmt.Sprintf("ts=%s n=%d", nowText, n); line != want {
			t.Errorf("line %d is %q, want %q", n, line, want)
		}
	}
}

func TestStopIsBoundedWhenTheConsoleHangs(t *testing.T) {
	t.Parallel()
	leaktest.Run(t, func() {
		b := newBlockedConsole()
		var exported []string
		p, err := logs.Start(logs.Config{Console: b, Exporter: func(_ context.Context, lines []*logs.Line) error {
			for _, l := range lines {
				exported = append(exported, l.Text()[len("ts="+nowText+" "):])
			}
			return nil
		}, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Logger(trace.SpanContext{}).Log("n", 0)
		<-b.entered
		_ = p.Logger(trace.SpanContext{}).Log("n", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "console") {
			t.Errorf("stop: %v, want one that names the console and its context's error", err)
		}
		if want := []string{"n=0", "n=1"}; !reflect.DeepEqual(exported, want) {
			t.Errorf("the other sink got %q, want %q", exported, want)
		}
		if got, want := p.Stats()[catalog.Stdout].Dropped, (map[string]uint64{catalog.ReasonShutdown: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("dropped %v, want %v", got, want)
		}
		_ = p.Logger(trace.SpanContext{}).Log("n", 2) // counted, and nothing else
		if got := p.Stats()[catalog.Logs].Dropped[catalog.ReasonShutdown]; got != 1 {
			t.Errorf("%d lines after the end are counted, want 1", got)
		}
		close(b.release)
	})
}

// TestTheConsoleHearsHowTheEndpointEnds: the line about a backend that refuses
// the last lines must itself come through.
func TestTheConsoleHearsHowTheEndpointEnds(t *testing.T) {
	t.Parallel()
	c := &console{}
	written := make(chan struct{}, 100)
	var p *logs.Pipeline
	p, err := logs.Start(logs.Config{
		Console: writerFunc(func(line []byte) (int, error) {
			defer func() { written <- struct{}{} }()
			return c.Write(line)
		}),
		Exporter: func(context.Context, []*logs.Line) error {
			<-written // the console has what it had, and is closed now if it does not wait
			return errors.New("refused")
		},
		OnState: func(s catalog.Signal, err error) {
			p.Put(p.NewLine(trace.SpanContext{}, logs.Warn).Str("signal", string(s)).Str("err", err.Error()))
		},
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Logger(trace.SpanContext{}).Log("msg", "last")
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	want := "ts=" + nowText + " msg=last\nts=" + nowText + " level=warn signal=logs err=refused\n"
	if got := c.text(); got != want {
		t.Errorf("console\n got %q\nwant %q", got, want)
	}
}

func TestAConsoleThatFailsIsCountedAndReportedOnce(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	var mu sync.Mutex
	var states []error
	p, _ := start(t, func(c *logs.Config) {
		c.Console = writerFunc(func([]byte) (int, error) { return 0, broken })
		c.OnState = func(s catalog.Signal, err error) {
			mu.Lock()
			defer mu.Unlock()
			if s != catalog.Stdout {
				t.Errorf("signal %s", s)
			}
			states = append(states, err)
		}
	})
	for range 3 {
		_ = p.Logger(trace.SpanContext{}).Log("a", 1)
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if len(states) != 1 || !errors.Is(states[0], broken) {
		t.Errorf("states %v, want %v once", states, broken)
	}
	want := batch.Stats{Produced: 3, Dropped: map[string]uint64{catalog.ReasonExport: 3}}
	if got := p.Stats()[catalog.Stdout]; !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestLinesAreWholeUnderLoad has many callers log through both sinks. Lines are
// pooled and shared by the sinks: one that was given back too early would show
// as a line that is torn, twice there or missing.
func TestLinesAreWholeUnderLoad(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 500
	exported := map[string]int{}
	p, c := start(t, func(config *logs.Config) {
		config.Capacity = callers * each
		config.Exporter = func(_ context.Context, lines []*logs.Line) error {
			for _, l := range lines {
				exported[l.Text()]++
			}
			return nil
		}
	})
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			l := p.Logger(trace.SpanContext{})
			for n := range each {
				_ = l.Log("caller", caller, "n", n, "pad", strings.Repeat("x", n%97))
			}
		})
	}
	wg.Wait()
	written := map[string]int{}
	for _, line := range logged(t, p, c) {
		written[line]++
	}
	for caller := range callers {
		for n := range each {
			line := fmt.Sprintf("ts=%s caller=%d n=%d pad=%s", nowText, caller, n, strings.Repeat("x", n%97))
			if n%97 == 0 {
				line += `""`
			}
			if written[line] != 1 || exported[line] != 1 {
				t.Fatalf("%q was written %d and exported %d times", line, written[line], exported[line])
			}
		}
	}
	if len(written) != callers*each || len(exported) != callers*each {
		t.Errorf("%d different lines were written and %d exported, want %d", len(written), len(exported), callers*each)
	}
}

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
		Resource: resource.NewSchemaless(attribute.String("service.name", "shop")),
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
	if got := attributes(from.GetResource().GetAttributes())["service.name"]; got != "shop" {
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
		Resource: resource.NewSchemaless(attribute.String("service.name", "shop")),
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
	if got := attributes(backend.requests[0].GetResourceLogs()[0].GetResource().GetAttributes())["service.name"]; got != "shop" {
		t.Errorf("service.name = %q, want shop", got)
	}
}
