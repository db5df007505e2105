package agenthttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/replication"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	agenttest.ExerciseHTTP(t, agenttest.HTTPAdapter{
		Route: "/items/{id}",
		New: func(a *agent.Agent, h http.HandlerFunc) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/items/{id}", h)
			return agenthttp.Middleware(a)(mux)
		},
	})
}

func TestRouteOfAnotherRouter(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	handler := agenthttp.Middleware(rec.Agent(), agenthttp.WithRoute(func(*http.Request) string { return "/mine/{x}" }))(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/mine/1", nil))
	if got := rec.Spans()[0].Name(); got != "GET /mine/{x}" {
		t.Errorf("span %q", got)
	}
}

// client makes one request inside a measured server request and returns what
// was recorded.
func client(t *testing.T, url string) (*agenttest.Recorder, *http.Response, error) {
	t.Helper()
	rec := agenttest.New(t)
	var response *http.Response
	var err error
	handler := agenthttp.Middleware(rec.Agent())(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c := &http.Client{Transport: agenthttp.Transport(rec.Agent(), nil)}
		var out *http.Request
		if out, err = http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil); err != nil {
			return
		}
		if response, err = c.Do(out); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return rec, response, err
}

func TestClientPassesTheTraceOnAndChargesTheTimeToHTTP(t *testing.T) {
	t.Parallel()
	var traceparent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		traceparent = r.Header.Get("traceparent")
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	rec, response, err := client(t, server.URL)
	if err != nil || response.StatusCode != http.StatusTeapot {
		t.Fatalf("%v, %v", response, err)
	}
	spans := rec.Spans() // the client's ends first
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	sc := spans[0].SpanContext()
	if want := fmt.Sprintf("00-%s-%s-01", sc.TraceID(), sc.SpanID()); traceparent != want {
		t.Errorf("traceparent %q, want %q", traceparent, want)
	}
	if spans[0].Status().Code != codes.Error {
		t.Error("a refusal is not an error of the client's span")
	}
	m := rec.Metric(catalog.HTTPClientRequestDuration)
	if len(m) != 1 || agenttest.Labels(m[0])[string(catalog.HTTPResponseStatusCode)] != "418" {
		t.Errorf("series %v, want one of status 418", m)
	}
	for _, m := range rec.Metric(catalog.HTTPServerComponentCalls) {
		if l := agenttest.Labels(m); l["component"] == "http" && m.GetCounter().GetValue() != 1 {
			t.Errorf("%v http calls, want 1", m.GetCounter().GetValue())
		}
	}
}

func TestClientErrorsAreRecordedAndReturned(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	rec, _, err := client(t, url)
	if err == nil {
		t.Fatal("no error from a closed port")
	}
	if spans := rec.Spans(); spans[0].Status().Code != codes.Error || agenttest.Attribute(spans[0], catalog.AttrErrorType) != "transport" {
		t.Errorf("client span %v", spans[0].Status())
	}
	if m := rec.Metric(catalog.HTTPClientRequestDuration); len(m) != 1 || agenttest.Labels(m[0])[string(catalog.HTTPResponseStatusCode)] != "error" {
		t.Errorf("series %v, want one with status error", m)
	}
}

func TestTheCallersRequestIsNotChanged(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	rec := agenttest.New(t)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	response, err := agenthttp.Transport(rec.Agent(), nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if len(r.Header) != 0 {
		t.Errorf("headers %v were added to the caller's request", r.Header)
	}
}

func TestANilAgentAddsNoLayer(t *testing.T) {
	t.Parallel()
	if got := agenthttp.Transport(nil, nil); got != http.DefaultTransport {
		t.Errorf("Transport(nil, nil) = %T", got)
	}
}

func TestSessionsTravelWithAndWithoutAnAgent(t *testing.T) {
	t.Parallel()
	sessions, err := replication.NewSessions(replication.SessionsConfig{
		Keys: []replication.Key{{ID: "k", Secret: []byte(strings.Repeat("s", 32))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*agent.Agent{"with an agent": agenttest.New(t).Agent(), "without": nil} {
		var came replication.LSN
		handler := agenthttp.Middleware(a, agenthttp.WithSessions(sessions))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session := replication.SessionFrom(r.Context())
			came = session.Position()
			session.Note(came + 100)
			w.WriteHeader(http.StatusNoContent)
		}))
		token := ""
		for _, want := range []replication.LSN{0, 100, 200} {
			r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
			r.Header.Set(replication.DefaultHeader, token)
			handler.ServeHTTP(w, r)
			if token = w.Header().Get(replication.DefaultHeader); came != want || token == "" {
				t.Errorf("%s: the request came with position %d, want %d; the answer has the token %q", name, came, want, token)
			}
		}
	}
}
