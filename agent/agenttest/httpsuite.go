package agenttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
)

// HTTPAdapter is an adapter under test.
type HTTPAdapter struct {
	// Route is the template, as the adapter reports it, that New serves: one
	// parameter under /items/.
	Route string
	// New returns a handler that measures with a, and serves h at Route with
	// every method, and 404 elsewhere.
	New func(a *agent.Agent, h http.HandlerFunc) http.Handler
}

// httpCase is one rule that every adapter must follow.
type httpCase struct {
	name    string
	why     string
	handler http.HandlerFunc
	method  string // GET when empty
	path    string // /items/7 when empty
	header  http.Header
	abort   bool // the client sees a broken answer
	// What must be recorded.
	status int
	route  string // the adapter's when empty
	size   string
	panics any
	errors bool
}

// ExerciseHTTP runs the rules against an adapter, each through a real server
// and client on loopback.
func ExerciseHTTP(t *testing.T, adapter HTTPAdapter) {
	t.Helper()
	for _, c := range httpCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, adapter)
		})
	}
	t.Run("a nil agent only passes on", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(adapter.New(nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
		defer server.Close()
		if body := get(t, server.URL+"/items/7"); body != "hello" {
			t.Errorf("body = %q", body)
		}
	})
	t.Run("the time in a call is not the handler's own", func(t *testing.T) {
		t.Parallel()
		exerciseComponents(t, adapter)
	})
	t.Run("a client that goes away ends the handler's context and is recorded", func(t *testing.T) {
		t.Parallel()
		exerciseClientGone(t, adapter)
	})
}

func httpCases() []httpCase {
	write := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if status != 0 {
				w.WriteHeader(status)
			}
			_, _ = io.WriteString(w, body)
		}
	}
	return []httpCase{
		{name: "a body without a status is 200", handler: write(0, "hello"), status: 200, size: "5",
			why: "net/http sends 200 with the first byte"},
		{name: "nothing written is 200", handler: func(http.ResponseWriter, *http.Request) {}, status: 200, size: "0",
			why: "net/http sends 200 when the handler returns"},
		{name: "an explicit status is kept", handler: write(201, "x"), status: 201, size: "1",
			why: "the first status is the one that is sent"},
		{name: "a client's fault is not the server's error", handler: write(404, ""), status: 404, size: "0",
			why: "4xx leaves the span's status unset"},
		{name: "a server's fault is an error", handler: write(503, ""), status: 503, size: "0", errors: true,
			why: "5xx makes the span an error"},
		{name: "a panic before the first byte is 500 and raised again", handler: func(http.ResponseWriter, *http.Request) { panic("boom") },
			status: 500, size: "0", panics: "boom", errors: true, abort: true,
			why: "nothing was sent, and a server in front of it answers 500"},
		{name: "a panic after the first byte keeps the status and is raised again", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic("boom")
		}, status: 200, size: "4", panics: "boom", errors: true, abort: true,
			why: "the status was sent already"},
		{name: "an aborted handler is raised again and is no error", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			status: 200, size: "0", panics: http.ErrAbortHandler, abort: true,
			why: "http.ErrAbortHandler is how net/http lets a handler give up on purpose"},
		{name: "a path that no route matches is one label value", path: "/nowhere/at/all", handler: write(0, ""),
			status: 404, route: catalog.RouteUnknown, size: "",
			why: "a scanner must not create a series for each path it tries"},
		{name: "an invented method is one label value", method: "BREW", handler: write(0, ""), status: 200, size: "0",
			why: "a client must not create a series for each method it invents"},
		{name: "hostile headers do no harm", handler: write(0, ""), status: 200, size: "0",
			header: http.Header{"User-Agent": {"\xff\xfe" + strings.Repeat("x", 8000)}},
			why:    "one attribute that is not UTF-8 would have a whole batch refused"},
		{name: "a stream is flushed through", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "two")
		}, status: 200, size: "6", why: "server-sent events need http.Flusher"},
		{name: "a connection can be hijacked", handler: func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = rw.Flush()
		}, status: 101, why: "websockets need http.Hijacker",
			header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"test"}}},
	}
}

func (c httpCase) run(t *testing.T, adapter HTTPAdapter) {
	t.Helper()
	rec := New(t)
	seen := make(chan any, 1) // what left the adapter
	inner := adapter.New(rec.Agent(), c.handler)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			seen <- p
			if p != nil {
				panic(http.ErrAbortHandler) // keeps the server's log quiet
			}
		}()
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r, err := http.NewRequest(cmp.Or(c.method, http.MethodGet), server.URL+cmp.Or(c.path, "/items/7"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.header != nil {
		r.Header = c.header
	}
	r.Header.Set("traceparent", "00-"+trace+"-"+parent+"-01")
	response, err := server.Client().Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	if (err != nil) != c.abort {
		t.Errorf("client: error %v, want one: %v", err, c.abort)
	}
	if p := <-seen; p != c.panics {
		t.Errorf("panic %v left the adapter, want %v", p, c.panics)
	}
	c.check(t, rec, cmp.Or(c.route, adapter.Route), trace, parent)
}

func (c httpCase) check(t *testing.T, rec *Recorder, route, trace, parent string) {
	t.Helper()
	method := agent.HTTPMethod(cmp.Or(c.method, http.MethodGet))
	series := rec.Metric(catalog.HTTPServerRequestDuration)
	if len(series) != 1 || series[0].GetHistogram().GetSampleCount() != 1 {
		t.Fatalf("%d series, want 1 with one observation (%s)", len(series), c.why)
	}
	want := map[string]string{
		string(catalog.ServiceName): "test", string(catalog.HTTPRequestMethod): method,
		string(catalog.HTTPRoute): route, string(catalog.HTTPResponseStatusCode): fmt.Sprint(c.status),
	}
	if got := Labels(series[0]); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("labels %v, want %v (%s)", got, want, c.why)
	}
	for _, m := range rec.Metric(catalog.HTTPServerActiveRequests) {
		if m.GetGauge().GetValue() != 0 {
			t.Errorf("%v requests of %v are still active", m.GetGauge().GetValue(), Labels(m))
		}
	}
	spans := rec.Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	span := spans[0]
	if span.SpanContext().TraceID().String() != trace || span.Parent().SpanID().String() != parent {
		t.Errorf("span is of trace %s under %s, want %s under %s",
			span.SpanContext().TraceID(), span.Parent().SpanID(), trace, parent)
	}
	if got := span.Status().Code == codes.Error; got != c.errors {
		t.Errorf("span is an error: %v, want %v (%s)", got, c.errors, c.why)
	}
	if got := Attribute(span, catalog.AttrHTTPStatusCode); got != fmt.Sprint(c.status) {
		t.Errorf("span's status %s, want %d", got, c.status)
	}
	if got := Attribute(span, catalog.AttrHTTPResponseSize); c.size != "" && got != c.size {
		t.Errorf("size %s, want %s", got, c.size)
	}
	access := 0
	for _, line := range rec.Lines() {
		if strings.Contains(line, " "+catalog.LogMessage+"=request ") && strings.Contains(line, catalog.LogTraceID+"="+trace) {
			access++
		}
	}
	if access != 1 {
		t.Errorf("%d access log lines with the trace, want 1: %q", access, rec.Lines())
	}
}

func exerciseComponents(t *testing.T, adapter HTTPAdapter) {
	t.Helper()
	rec := New(t)
	server := httptest.NewServer(adapter.New(rec.Agent(), func(_ http.ResponseWriter, r *http.Request) {
		_, call := rec.Agent().StartCall(r.Context(), agent.CallInfo{Component: catalog.DB, Name: "SELECT"})
		call.End(nil)
	}))
	defer server.Close()
	get(t, server.URL+"/items/7")
	calls := make(map[string]float64)
	for _, m := range rec.Metric(catalog.HTTPServerComponentCalls) {
		calls[Labels(m)[string(catalog.ComponentLabel)]] += m.GetCounter().GetValue()
	}
	if calls["db"] != 1 || calls["self"] != 1 || calls["cache"] != 0 {
		t.Errorf("calls by component %v, want 1 of db and 1 of self", calls)
	}
	spans := rec.Spans()
	if len(spans) != 2 || spans[0].Parent().SpanID() != spans[1].SpanContext().SpanID() {
		t.Errorf("the call's span is not a child of the server's: %d spans", len(spans))
	}
}

func exerciseClientGone(t *testing.T, adapter HTTPAdapter) {
	t.Helper()
	rec := New(t)
	started, ended := make(chan struct{}), make(chan error, 1)
	inner := adapter.New(rec.Agent(), func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/items/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-started
		cancel()
	}()
	if response, err := server.Client().Do(r); err == nil {
		_ = response.Body.Close()
		t.Error("the client got an answer")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("handler's context ended with %v", err)
	}
	<-done
	if n := len(rec.Spans()); n != 1 {
		t.Errorf("%d spans, want 1", n)
	}
}

// Attribute returns an attribute of a span as text, or "" where it is absent.
func Attribute(span sdktrace.ReadOnlySpan, key string) string {
	for _, a := range span.Attributes() {
		if string(a.Key) == key {
			return a.Value.Emit()
		}
	}
	return ""
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // bounded by the test
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
