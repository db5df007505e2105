package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/testpg"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

// asMain makes the test binary run as sampleapp itself: the tests below start
// real processes, signal them, and kill them.
const asMain = "SAMPLEAPP_RUN_MAIN"

var server *testdb.Server

func TestMain(m *testing.M) {
	if os.Getenv(asMain) == "1" {
		main()
		return
	}
	os.Exit(testdb.Main(m, &server))
}

// call makes a request and returns status and decoded answer.
func call(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s %s answers %d with %q, not JSON: %v", method, url, response.StatusCode, raw, err)
	}
	return response.StatusCode, answer
}

func query[T any](t *testing.T, url, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var value T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return value
}

func TestAllRolesServeAShopTogether(t *testing.T) {
	t.Parallel()
	db, redis := "DATABASE_URL="+server.New(t), "REDIS_ADDR="+testdb.Redis(t)
	email := start(t, "email", db).ready()
	api := start(t, "api", db, redis).ready()
	worker := start(t, "worker", db, "EMAIL_URL="+email.url).ready()
	gateway := start(t, "gateway", "API_URL="+api.url).ready()

	status, user := call(t, "GET", gateway.url+"/api/users/7", "")
	if status != 200 || user["email"] != "user7@example.com" {
		t.Errorf("user 7 is %d %v, want the email user7@example.com", status, user)
	}
	status, order := call(t, "POST", gateway.url+"/api/orders", `{"user_id": 7, "lines": [{"product_id": 1, "quantity": 5}]}`)
	if status != 201 || order["total_cents"] != order["net_cents"].(float64)+order["tax_cents"].(float64) {
		t.Errorf("order is %d %v, want one whose total is net plus tax", status, order)
	}
	status, invite := call(t, "POST", gateway.url+"/api/invites", `{"inviter_id": 7, "email": "New.Friend@example.com"}`)
	if status != 202 || invite["status"] != "queued" || invite["id"] != 1.0 {
		t.Errorf("invite is %d %v, want number 1, queued", status, invite)
	}
	waitFor(t, "the email", worker.ended, func() bool {
		status, message := call(t, "GET", email.url+"/emails/1", "")
		return status == 200 && message["recipient"] == "new.friend@example.com"
	})
	load := start(t, "load", "GATEWAY_URL="+gateway.url, "LOAD_RATE=200")
	load.wait("requests of the load", func() bool {
		return strings.Count(gateway.output.String(), "route=/api/posts") > 2
	})
	for _, p := range []*process{load, gateway, worker, api, email} {
		p.stop()
	}
	if out := load.output.String(); !strings.Contains(out, "load summary") || !strings.Contains(out, "server_errors=0 failed=0 skipped=0") {
		t.Errorf("the load's summary is missing or shows failures:\n%s", out)
	}
}

// blockingEmail is an email service that records what it is asked to send, and
// answers only when told to.
type blockingEmail struct {
	asked  chan struct{}
	answer chan struct{}
	sends  func(body string)
}

func (b *blockingEmail) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.sends(string(body))
	b.asked <- struct{}{}
	select {
	case <-b.answer:
		w.WriteHeader(http.StatusCreated)
	case <-r.Context().Done():
	}
}

func TestInviteOfAKilledWorkerIsSentByTheNext(t *testing.T) {
	t.Parallel()
	url := server.New(t)
	db := "DATABASE_URL=" + url
	email := start(t, "email", db).ready()
	api := start(t, "api", db, "REDIS_ADDR="+testdb.Redis(t)).ready()
	// This one passes the message on and then hangs: the worrying case, a
	// message that was sent by a worker that never got to know.
	hanging := &blockingEmail{asked: make(chan struct{}, 1), answer: make(chan struct{}), sends: func(body string) {
		response, err := http.Post(email.url+"/emails", "application/json", strings.NewReader(body))
		if err != nil || response.StatusCode != http.StatusCreated {
			t.Errorf("the first attempt: %v %v, want 201", response, err)
			return
		}
		response.Body.Close()
	}}
	between := httptest.NewServer(hanging)
	t.Cleanup(between.Close)

	victim := start(t, "worker", db, "EMAIL_URL="+between.URL).ready()
	if status, answer := call(t, "POST", api.url+"/api/invites", `{"inviter_id": 3, "email": "x@example.com"}`); status != 202 {
		t.Fatalf("invite is %d %v, want 202", status, answer)
	}
	<-hanging.asked
	if err := victim.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-victim.ended
	if state := query[string](t, url, "select state || ' ' || attempt from river_job"); state != "running 1" {
		t.Fatalf("the job is %q after the kill, want it running, tried once", state)
	}
	// Time passes: the dead worker leads no more, and its job runs for too long.
	query[int](t, url, "delete from river_leader returning 1")
	query[int](t, url, "update river_job set attempted_at = now() - interval '1 minute' returning 1")
	start(t, "worker", db, "EMAIL_URL="+email.url).ready().wait("the second attempt", func() bool {
		return query[string](t, url, "select state || ' ' || attempt from river_job") == "completed 2"
	})
	if got := query[string](t, url, "select count(*) || ' ' || min(recipient) from email_messages"); got != "1 x@example.com" {
		t.Errorf("messages: %q, want exactly one to x@example.com", got)
	}
	if got := query[string](t, url, "select status from invites"); got != "sent" {
		t.Errorf("the invite is %q, want sent", got)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	url := server.New(t)
	hanging := &blockingEmail{asked: make(chan struct{}, 1), answer: make(chan struct{}), sends: func(string) {}}
	email := httptest.NewServer(hanging)
	t.Cleanup(email.Close)
	worker := start(t, "worker", "DATABASE_URL="+url, "EMAIL_URL="+email.URL).ready()
	query[int](t, url, `insert into river_job (queue, kind, args, max_attempts)
		values ('invites', 'send_invite', '{"invite_id": 1, "email": "x@example.com"}', 3) returning 1`)
	<-hanging.asked
	for range 2 {
		// The first one makes it drain, for which it would take seconds.
		if err := worker.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		worker.wait("the first signal to be noticed", func() bool {
			response, err := http.Get(worker.url + "/readyz")
			if err != nil {
				return true
			}
			response.Body.Close()
			return response.StatusCode != http.StatusOK
		})
	}
	if code := worker.exit(); code != exitKilled {
		t.Errorf("exit code %d, want %d", code, exitKilled)
	}
}

func TestReadinessNamesTheDeadDependency(t *testing.T) {
	t.Parallel()
	port, err := testpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	nobody := "127.0.0.1:" + port
	api := start(t, "api", "DATABASE_URL="+server.New(t), "REDIS_ADDR="+nobody)
	api.wait("the server", func() bool {
		response, err := http.Get(api.url + "/healthz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	status, answer := call(t, "GET", api.url+"/readyz", "")
	dead, ok := answer["dead"].([]any)
	if status != 503 || !ok || len(dead) != 1 || dead[0].(map[string]any)["name"] != "redis" {
		t.Errorf("readiness is %d %v, want 503 naming redis alone", status, answer)
	}
}

func TestMetricsNeedNoPrivateHook(t *testing.T) {
	t.Parallel()
	email := start(t, "email", "DATABASE_URL="+server.New(t)).ready()
	call(t, "GET", email.url+"/emails/5", "")
	admin := ""
	email.wait("the line that names the admin address", func() bool {
		_, rest, found := strings.Cut(email.output.String(), "admin=")
		if found {
			admin = strings.Fields(rest)[0]
		}
		return found
	})
	want := fmt.Sprintf(`%s_count{%s="GET",%s="404",%s="/emails/:invite_id",%s="email"} 1`, catalog.HTTPServerRequestDuration.Desc().Name,
		catalog.HTTPRequestMethod, catalog.HTTPResponseStatusCode, catalog.HTTPRoute, catalog.ServiceName)
	metrics := ""
	email.wait("the request in the metrics", func() bool {
		response, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		metrics = string(body)
		return strings.Contains(metrics, want+"\n")
	})
	if strings.Contains(metrics, "readyz") {
		t.Errorf("health checks are in the metrics:\n%s", metrics)
	}
}

func TestRunReportsBadInputAtOnce(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	env := map[string]string{"REDIS_ADDR": "nowhere", "LISTEN_ADDR": "8081"}
	err := Run(t.Context(), []string{"--role", "api"}, func(k string) string { return env[k] }, io.Discard, &help)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"LISTEN_ADDR: ", "DATABASE_URL: required", "REDIS_ADDR: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if code := exitCode(err, io.Discard); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
}
