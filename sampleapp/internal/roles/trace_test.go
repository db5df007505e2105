package roles_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agentredis"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/sampleapp/internal/api"
	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/email"
	"github.com/cacheu/plumbline/sampleapp/internal/gateway"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/load"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
	"github.com/cacheu/plumbline/sampleapp/internal/worker"
)

// patience bounds every wait. Only a defect makes it pass.
const patience = 20 * time.Second

var server *testdb.Server

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(testdb.Main(m, &server))
}

// shop is all services in one process, each with an agent of its own.
type shop struct {
	gateway string
	db      *pgxpool.Pool
	agents  map[string]*agenttest.Recorder
}

func newShop(t *testing.T) shop {
	t.Helper()
	s := shop{agents: map[string]*agenttest.Recorder{}}
	newAgent := func(role string) *agent.Agent {
		r := agenttest.New(t, func(c *agent.Config) { c.Service = role })
		s.agents[role] = r
		return r.Agent()
	}
	serve := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	database := server.New(t)
	open := func(a *agent.Agent) *pgxpool.Pool {
		db, err := store.Open(t.Context(), store.Config{URL: database, Tracer: agentpgx.NewTracer(a)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}

	a := newAgent("email")
	emails := serve(email.New(a, open(a)))

	a = newAgent("api")
	redis := cache.Open(cache.Config{Addr: testdb.Redis(t), Hook: agentredis.NewHook(a)})
	t.Cleanup(func() { redis.Close() })
	s.db = open(nil)
	db := open(a)
	inserter, err := jobs.NewInserter(a, db)
	if err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(serve(api.New(api.Config{Agent: a, DB: db, Cache: redis, Jobs: inserter})))
	if err != nil {
		t.Fatal(err)
	}

	a = newAgent("gateway")
	s.gateway = serve(gateway.New(a, behind, nil))

	a = newAgent("worker")
	sender := worker.EmailSender{Email: emails, Client: &http.Client{Transport: agenthttp.Transport(a, nil), Timeout: patience}}
	w, err := worker.New(worker.Config{Agent: a, DB: open(a), Sender: sender, Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// request sends one request with a trace of its own and expects the status.
func (s shop) request(t *testing.T, method, path, body string, status int) (id trace.TraceID) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.gateway+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	id = trace.TraceID{1, 2, 3}
	request.Header.Set("Traceparent", fmt.Sprintf("00-%s-00000000000000aa-01", id))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		t.Fatalf("%s %s answers %d, want %d", method, path, response.StatusCode, status)
	}
	return id
}

// lineage describes each span of a trace as its services and names from the
// root down, such as "gateway GET /x > api GET /x".
func (s shop) lineage(id trace.TraceID) map[string]bool {
	type named struct {
		name string
		span sdktrace.ReadOnlySpan
	}
	byID := map[trace.SpanID]named{}
	for role, r := range s.agents {
		for _, span := range r.Spans() {
			if span.SpanContext().TraceID() == id {
				byID[span.SpanContext().SpanID()] = named{role + " " + span.Name(), span}
			}
		}
	}
	paths := map[string]bool{}
	for _, n := range byID {
		path := n.name
		for parent, ok := byID[n.span.Parent().SpanID()]; ok; parent, ok = byID[parent.span.Parent().SpanID()] {
			path = parent.name + " > " + path
		}
		paths[path] = true
	}
	return paths
}

// expect waits until the trace has all of the lineages.
func (s shop) expect(t *testing.T, id trace.TraceID, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.lineage(id)
		missing := ""
		for _, w := range want {
			if !got[w] {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the trace lacks %q, it has %v", missing, got)
		}
	}
}

func TestTraceOfARequestReachesPostgresAndRedis(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.request(t, "GET", "/api/users/7", "", 200)
	const inner = "gateway GET /api/users/:id > gateway GET > api GET /api/users/:id"
	s.expect(t, id, inner+" > api GET", inner+" > api SELECT users", inner+" > api SET")
}

func TestTraceOfAnInviteGoesOnInTheWorkerAndTheEmailService(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.request(t, "POST", "/api/invites", `{"inviter_id": 7, "email": "a@example.com"}`, 202)
	const producer = "gateway POST /api/invites > gateway POST > api POST /api/invites > api send invites"
	const consumer = producer + " > worker process invites"
	s.expect(t, id,
		producer+" > api INSERT river_job",
		consumer+" > worker POST > email POST /emails > email INSERT email_messages",
		consumer+" > worker SELECT river_job",
		consumer+" > worker UPDATE invites",
	)
	// What it logs on the way carries the trace.
	for role, words := range map[string]string{"api": "invite queued", "worker": "msg=job queue=invites outcome=ok kind=send_invite", "email": "email sent"} {
		found := false
		for _, line := range s.agents[role].Lines() {
			found = found || strings.Contains(line, words) && strings.Contains(line, "trace_id="+id.String())
		}
		if !found {
			t.Errorf("%s logs no %q with trace %s: %v", role, words, id, s.agents[role].Lines())
		}
	}
	// Polling leaves no traces.
	for _, span := range s.agents["worker"].Spans() {
		if span.SpanContext().TraceID() != id {
			t.Errorf("the worker made the span %s outside of the trace", span.Name())
		}
	}
}

// TestLoadIsServedWithoutErrors sends the load's own requests to the services:
// whatever it asks for must be there.
func TestLoadIsServedWithoutErrors(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	statuses := map[string]int{}
	next := load.Sequence("test", testdb.SmallSizes())
	for range 300 {
		q := next()
		request, err := http.NewRequestWithContext(t.Context(), q.Method, s.gateway+q.Path, strings.NewReader(q.Body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		response.Body.Close()
		statuses[fmt.Sprintf("%s %s %d", q.Method, q.Route, response.StatusCode)]++
	}
	want := map[string]bool{
		"GET /api/users/:id 200": true, "GET /api/products 200": true, "GET /api/products/:id 200": true, "GET /api/orders 200": true,
		"GET /api/posts 200": true, "POST /api/orders 201": true, "POST /api/invites 202": true,
	}
	for got := range statuses {
		if !want[got] {
			t.Errorf("the load got %s", got)
		}
		delete(want, got)
	}
	if len(want) > 0 {
		t.Errorf("the load did not get %v", want)
	}
	var orders int
	if err := s.db.QueryRow(t.Context(), "select count(*)::int from orders where id > $1", testdb.SmallSizes().Orders).Scan(&orders); err != nil {
		t.Fatal(err)
	}
	if orders != statuses["POST /api/orders 201"] {
		t.Errorf("%d orders are in the database, %d were placed", orders, statuses["POST /api/orders 201"])
	}
}
