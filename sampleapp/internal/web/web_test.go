package web_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// run runs a server until the returned function is called, which returns what
// [web.Server.Run] did.
func run(t *testing.T, s web.Server) (base string, stop func() error) {
	t.Helper()
	s.Addr = "127.0.0.1:0"
	listening := make(chan string, 1)
	s.OnListen = func(a net.Addr) { listening <- "http://" + a.String() }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(cancel)
	return <-listening, func() error {
		cancel()
		return <-done
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

func TestReadinessNamesEveryDeadDependency(t *testing.T) {
	t.Parallel()
	dead := func(context.Context) error { return errors.New("refused") }
	alive := func(context.Context) error { return nil }
	base, stop := run(t, web.Server{Checks: []web.Check{{"postgres", dead}, {"api", alive}, {"redis", dead}}})
	const want = `{"dead":[{"name":"postgres","error":"refused"},{"name":"redis","error":"refused"}],"status":"not ready"}`
	if status, body := get(t, base+"/readyz"); status != 503 || body != want {
		t.Errorf("readiness is %d %s, want 503 %s", status, body, want)
	}
	if status, body := get(t, base+"/healthz"); status != 200 || body != `{"status":"up"}` {
		t.Errorf("health is %d %s, want 200", status, body)
	}
	if status, _ := get(t, base+"/else"); status != 404 {
		t.Errorf("another path is %d, want 404", status)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestReadinessOfAHangingDependencyEnds(t *testing.T) {
	t.Parallel()
	base, _ := run(t, web.Server{Checks: []web.Check{{"slow", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}}})
	const want = `{"dead":[{"name":"slow","error":"context deadline exceeded"}],"status":"not ready"}`
	if status, body := get(t, base+"/readyz"); status != 503 || body != want {
		t.Errorf("readiness is %d %s, want 503 %s", status, body, want)
	}
}

func TestHTTPCheck(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked %s, want /healthz", r.URL)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "words")
	}))
	c := web.HTTPCheck("api", s.URL, http.DefaultClient)
	if err := c.Probe(t.Context()); err != nil || c.Name != "api" {
		t.Errorf("got %v, want nil", err)
	}
	status = http.StatusServiceUnavailable
	if err := c.Probe(t.Context()); err == nil || err.Error() != s.URL+"/healthz answers 503: words" {
		t.Errorf("got %v, want the status and the words", err)
	}
	s.Close()
	if err := c.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want a refused connection", err)
	}
}

func TestStopWaitsForOpenRequestsAndTakesNoNewOnes(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	base, stop := run(t, web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
		if err := r.Context().Err(); err != nil {
			t.Errorf("the open request's context ended: %v", err)
		}
		_, _ = io.WriteString(w, "finished")
	})})
	answered := make(chan string, 1)
	go func() {
		_, body := get(t, base+"/slow")
		answered <- body
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until it accepts no more
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with %v before the open request had ended", err)
	default:
	}
	close(end)
	if body := <-answered; body != "finished" {
		t.Errorf("the open request got %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestRequestThatOutlastsTheDrainIsCut(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	base, stop := run(t, web.Server{Drain: time.Millisecond, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-end
	})})
	cut := make(chan error, 1)
	go func() {
		response, err := http.Get(base)
		if err == nil {
			response.Body.Close()
		}
		cut <- err
	}()
	<-begun
	if err := stop(); err == nil || err.Error() != "drain for 1ms: context deadline exceeded" {
		t.Errorf("got %v, want a drain that was too short", err)
	}
	if err := <-cut; err == nil {
		t.Error("the request was answered, want it cut")
	}
	close(end)
}

func TestTakenPortSaysHowToChooseAnother(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = web.Server{Addr: l.Addr().String()}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "address already in use (choose another address with --listen or LISTEN_ADDR)") {
		t.Errorf("got %v, want the address and the remedy", err)
	}
}

func TestEngineAnswersWhatGoesWrong(t *testing.T) {
	t.Parallel()
	recorder := agenttest.New(t)
	engine := web.NewEngine(recorder.Agent(), time.Millisecond)
	add := func(path string, f func(*gin.Context) error) {
		engine.GET(path, web.Handle(recorder.Agent(), f))
	}
	add("/panic", func(*gin.Context) error { panic("oh no") })
	add("/error", func(*gin.Context) error { return errors.New("the password is x") })
	add("/slow", func(c *gin.Context) error {
		<-c.Request.Context().Done()
		return c.Request.Context().Err()
	})
	add("/invalid", func(*gin.Context) error { return web.Invalid("name", "want %d", 3) })
	add("/half", func(c *gin.Context) error {
		c.String(http.StatusOK, "half")
		c.Writer.Flush()
		panic("oh no")
	})
	s := httptest.NewServer(engine)
	t.Cleanup(s.Close)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/panic":   {500, `{"error":"internal error"}`},
		"/error":   {500, `{"error":"internal error"}`},
		"/slow":    {504, `{"error":"the request took too long"}`},
		"/invalid": {400, `{"error":"want 3","field":"name"}`},
		"/nowhere": {404, `{"error":"there is no such path"}`},
	} {
		if status, body := get(t, s.URL+path); status != want.status || body != want.body {
			t.Errorf("%s answers %d %s, want %d %s", path, status, body, want.status, want.body)
		}
	}
	response, err := http.Get(s.URL + "/half")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("read %q of a handler that panicked in the middle, want an error", body)
	}
	// The agent saw all of it.
	got := map[string]string{}
	for _, m := range recorder.Metric(catalog.HTTPServerRequestDuration) {
		labels := agenttest.Labels(m)
		got[labels[string(catalog.HTTPRoute)]] = labels[string(catalog.HTTPResponseStatusCode)]
	}
	for route, status := range map[string]string{"/panic": "500", "/error": "500", "/slow": "504", "/invalid": "400", catalog.RouteUnknown: "404"} {
		if got[route] != status {
			t.Errorf("route %s was counted with status %q, want %s", route, got[route], status)
		}
	}
	lines := strings.Join(recorder.Lines(), "\n")
	for _, want := range []string{`err="the password is x"`, `panic="oh no"`} {
		if !strings.Contains(lines, want) {
			t.Errorf("no line has %s:\n%s", want, lines)
		}
	}
}
