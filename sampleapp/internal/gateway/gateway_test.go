package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/gateway"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// start runs a gateway before the given api.
func start(t *testing.T, api http.HandlerFunc) (base string, r *agenttest.Recorder) {
	t.Helper()
	behind := httptest.NewServer(api)
	t.Cleanup(behind.Close)
	return before(t, behind.URL)
}

func before(t *testing.T, api string) (base string, r *agenttest.Recorder) {
	t.Helper()
	target, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	r = agenttest.New(t)
	s := httptest.NewServer(gateway.New(r.Agent(), target, nil))
	t.Cleanup(s.Close)
	return s.URL, r
}

func call(t *testing.T, method, url, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for key, values := range header {
		request.Header[key] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(answer)
}

func TestEveryRouteReachesTheAPIAsItCame(t *testing.T) {
	t.Parallel()
	base, recorder := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-From", "api")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, body, r.Header.Get("X-Forwarded-For"))
	})
	for _, route := range gateway.Routes() {
		path := strings.ReplaceAll(route.Path, ":id", "5") + "?limit=3&x=%20y"
		body := ""
		if route.Method == http.MethodPost {
			body = `{"a": 1}`
		}
		response, answer := call(t, route.Method, base+path, body, nil)
		want := fmt.Sprintf("%s %s %s 127.0.0.1", route.Method, path, body)
		if response.StatusCode != 418 || answer != want || response.Header.Get("X-From") != "api" {
			t.Errorf("%s %s: the api was asked %q with status %d, want %q with 418", route.Method, path, answer, response.StatusCode, want)
		}
	}
	got := map[string]bool{}
	for _, m := range recorder.Metric(catalog.HTTPServerRequestDuration) {
		labels := agenttest.Labels(m)
		got[labels[string(catalog.HTTPRequestMethod)]+" "+labels[string(catalog.HTTPRoute)]] = true
	}
	for _, route := range gateway.Routes() {
		if !got[route.Method+" "+route.Path] {
			t.Errorf("the metrics lack %s %s; they have %v", route.Method, route.Path, got)
		}
	}
}

func TestWhatIsNotOfferedNeverReachesTheAPI(t *testing.T) {
	t.Parallel()
	base, _ := start(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the api was asked %s %s", r.Method, r.URL)
	})
	for request, want := range map[string]string{
		"GET /":                        `404 {"error":"there is no such path"}`,
		"GET /emails/1":                `404 {"error":"there is no such path"}`,
		"GET /api/users/1/orders":      `404 {"error":"there is no such path"}`,
		"GET /api/users/":              `404 {"error":"there is no such path"}`,
		"GET /api/users/..%2f..%2fx/y": `404 {"error":"there is no such path"}`,
		"DELETE /api/orders":           `405 {"error":"the path does not take this method"}`,
	} {
		method, path, _ := strings.Cut(request, " ")
		response, answer := call(t, method, base+path, "", nil)
		if got := fmt.Sprintf("%d %s", response.StatusCode, answer); got != want {
			t.Errorf("%s answers %s, want %s", request, got, want)
		}
	}
}

func TestTraceContinuesInTheAPI(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	base, recorder := start(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	const trace, client = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	call(t, "GET", base+"/api/posts", "", http.Header{"Traceparent": {"00-" + trace + "-" + client + "-01"}})
	got := (<-seen).Values("Traceparent")
	spans := map[string]string{} // name to "parent span"
	for _, s := range recorder.Spans() {
		spans[s.Name()] = s.Parent().SpanID().String() + " " + s.SpanContext().SpanID().String()
		if s.SpanContext().TraceID().String() != trace {
			t.Errorf("span %s is in trace %s, want %s", s.Name(), s.SpanContext().TraceID(), trace)
		}
	}
	incoming, outgoing := strings.Fields(spans["GET /api/posts"]), strings.Fields(spans["GET"])
	if len(incoming) != 2 || len(outgoing) != 2 || incoming[0] != client || outgoing[0] != incoming[1] {
		t.Fatalf("spans %v, want client -> server span -> client span", spans)
	}
	if want := "00-" + trace + "-" + outgoing[1] + "-01"; len(got) != 1 || got[0] != want {
		t.Errorf("the api was sent traceparent %v, want %s alone", got, want)
	}
}

func TestAPIThatIsDownIsABadGateway(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	base, recorder := before(t, "http://"+l.Addr().String())
	response, answer := call(t, "GET", base+"/api/posts", "", nil)
	if response.StatusCode != 502 || answer != `{"error":"the api did not answer"}` {
		t.Errorf("got %d %s, want 502", response.StatusCode, answer)
	}
	found := false
	for _, line := range recorder.Lines() {
		found = found || strings.Contains(line, `level=error msg="the api did not answer"`) && strings.Contains(line, "connection refused")
	}
	if !found {
		t.Errorf("no line names the cause: %v", recorder.Lines())
	}
}

func TestBodyThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	base, _ := start(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
	response, answer := call(t, "POST", base+"/api/orders", strings.Repeat("x", 64<<10+1), nil)
	if response.StatusCode != 413 || answer != `{"error":"want at most 65536 bytes","field":"body"}` {
		t.Errorf("got %d %s, want 413", response.StatusCode, answer)
	}
}

func TestHalfAnAnswerIsNotPassedOnAsAWholeOne(t *testing.T) {
	t.Parallel()
	base, _ := start(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // cuts the connection
	})
	response, err := http.Get(base + "/api/posts")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("read %q without an error, want one", body)
	}
}

func TestClientThatGoesAwayIsNoFailureOfTheAPI(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	base, recorder := start(t, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release
	})
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/posts", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			t.Error("got an answer, want none")
		}
	}()
	<-asked
	cancel()
	<-gone
	for {
		series := recorder.Metric(catalog.HTTPServerRequestDuration)
		if len(series) == 0 {
			continue // the gateway has yet to notice
		}
		if status := agenttest.Labels(series[0])[string(catalog.HTTPResponseStatusCode)]; status != "499" {
			t.Errorf("counted as %s, want 499", status)
		}
		return
	}
}
