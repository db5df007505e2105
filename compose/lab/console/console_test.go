package console_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/compose/lab/console"
)

const index = "<!doctype html><title>the page</title>"

// serve starts a console in front of a store that records what reaches it.
func serve(t *testing.T, change func(*console.Config), store http.HandlerFunc) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("page/index.html", index)
	write("page/assets/app-1a2b.js", "plain")
	write("page/assets/app-1a2b.js.gz", "zipped")
	write("secret.txt", "not for the page")
	write("boards/plumbline-b.json", `{"uid":"plumbline-b","title":"B side","tags":["plumbline"],"panels":[]}`)
	write("boards/plumbline-a.json", `{"uid":"plumbline-a","title":"A side","description":"First.","tags":[]}`)
	write("boards/broken.json", `{"title":`)
	config := console.Config{Page: filepath.Join(dir, "page"), Dashboards: filepath.Join(dir, "boards"), Stores: map[string]string{}}
	if store != nil {
		behind := httptest.NewServer(store)
		t.Cleanup(behind.Close)
		for _, name := range console.StoreNames() {
			config.Stores[name] = behind.URL
		}
	}
	if change != nil {
		change(&config)
	}
	handler, err := console.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request and reads the answer as it is: nothing is unpacked.
func ask(t *testing.T, method, url, body string, change func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func TestOnlyQueriesReachAStore(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.RequestURI())
	})
	for name, c := range map[string]struct {
		method, path string
		status       int
		want         string // what the store was asked
	}{
		"an instant query":               {"GET", "prometheus/api/v1/query?query=up", 200, "GET /api/v1/query?query=up"},
		"a long query":                   {"POST", "prometheus/api/v1/query_range", 200, "POST /api/v1/query_range"},
		"values of a label":              {"GET", "prometheus/api/v1/label/http_route/values", 200, "GET /api/v1/label/http_route/values"},
		"log lines":                      {"GET", "loki/loki/api/v1/query_range?query=x&limit=1", 200, "GET /loki/api/v1/query_range?query=x&limit=1"},
		"a trace":                        {"GET", "jaeger/api/traces/0af7651916cd43dd8448eb211c80319c", 200, "GET /api/traces/0af7651916cd43dd8448eb211c80319c"},
		"operations of a service":        {"GET", "jaeger/api/services/a%20b/operations", 200, "GET /api/services/a%20b/operations"},
		"a profile of a span":            {"POST", "pyroscope/querier.v1.QuerierService/SelectMergeSpanProfile", 200, "POST /querier.v1.QuerierService/SelectMergeSpanProfile"},
		"deleting series":                {"POST", "prometheus/api/v1/admin/tsdb/delete_series", 403, ""},
		"a reload":                       {"POST", "prometheus/-/reload", 403, ""},
		"stopping a server":              {"POST", "prometheus/-/quit", 403, ""},
		"writing log lines":              {"POST", "loki/loki/api/v1/push", 403, ""},
		"deleting log lines":             {"DELETE", "loki/loki/api/v1/query_range", 405, ""},
		"writing profiles":               {"POST", "pyroscope/push.v1.PusherService/Push", 403, ""},
		"changing by a path that may":    {"PUT", "prometheus/api/v1/query", 405, ""},
		"another store's path":           {"GET", "loki/api/v1/query", 403, ""},
		"a store that there is not":      {"GET", "alertmanager/api/v1/query", 403, ""},
		"a way out of a label":           {"GET", "prometheus/api/v1/label/%2e%2e/values", 403, ""},
		"a way through an escaped slash": {"GET", "jaeger/api/traces/..%2f..%2fadmin", 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, c.method, server.URL+"/api/stores/"+c.path, "", nil)
			if got.status != c.status || c.want != "" && got.body != c.want {
				t.Errorf("%d %q, want %d %q", got.status, got.body, c.status, c.want)
			}
		})
	}
	if reached.Load() != 7 {
		t.Errorf("%d requests reached a store, want the 7 queries", reached.Load())
	}
}

func TestQueriesAndAnswersPassUnchanged(t *testing.T) {
	t.Parallel()
	server := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
			t.Error("credentials of the browser reach the store")
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write(body)
	})
	got := ask(t, "POST", server.URL+"/api/stores/prometheus/api/v1/query", "query=up%20%3E%200", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", "session=1")
		r.Header.Set("Authorization", "Bearer x")
	})
	if got.status != http.StatusUnprocessableEntity || got.body != "query=up%20%3E%200" || got.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("got %+v", got)
	}
	if got.header.Get("Set-Cookie") != "" {
		t.Error("a store's cookie reaches the browser")
	}
	long := ask(t, "POST", server.URL+"/api/stores/prometheus/api/v1/query", strings.Repeat("x", 300<<10), nil)
	if long.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a query of 300 KiB is answered %d", long.status)
	}
}

func TestStoreThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	server := serve(t, func(c *console.Config) {
		c.QueryTimeout = 50 * time.Millisecond
		c.Stores["loki"] = "http://127.0.0.1:1"
		c.Stores["jaeger"] = ""
	}, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(silent) }) // before the store is closed, which waits for its answers
	for name, c := range map[string]struct{ method, path, store, want string }{
		"one that is down":     {"GET", "loki/loki/api/v1/labels", "loki", "it is not running"},
		"one that hangs":       {"POST", "pyroscope/querier.v1.QuerierService/Diff", "pyroscope", "it did not answer within 50ms"},
		"one that is not here": {"GET", "jaeger/api/services", "jaeger", "it is not part of this lab"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, c.method, server.URL+"/api/stores/"+c.path, "", nil)
			var refusal struct{ Store, Error string }
			if err := json.Unmarshal([]byte(got.body), &refusal); err != nil {
				t.Fatalf("%v: %s", err, got.body)
			}
			if got.status != http.StatusBadGateway || refusal.Store != c.store || refusal.Error != c.want {
				t.Errorf("%d %+v, want %s: %s", got.status, refusal, c.store, c.want)
			}
		})
	}
}

func TestQueriesAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	const limit, queries = 3, 12
	var running, peak atomic.Int64
	arrived, release := make(chan struct{}, queries), make(chan struct{})
	server := serve(t, func(c *console.Config) { c.MaxQueries = limit }, func(w http.ResponseWriter, r *http.Request) {
		now := running.Add(1)
		for {
			most := peak.Load()
			if now <= most || peak.CompareAndSwap(most, now) {
				break
			}
		}
		arrived <- struct{}{}
		<-release
		running.Add(-1)
	})
	done := make(chan int, queries)
	for range queries {
		go func() {
			done <- ask(t, "GET", server.URL+"/api/stores/prometheus/api/v1/query?query=up", "", nil).status
		}()
	}
	for range limit {
		<-arrived
	}
	close(release)
	for range queries {
		if status := <-done; status != http.StatusOK {
			t.Errorf("a query that waited was answered %d", status)
		}
	}
	if peak.Load() != limit {
		t.Errorf("%d queries ran at a time, want %d", peak.Load(), limit)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	server := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {})
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name + port } }
	for name, c := range map[string]struct {
		method string
		change func(*http.Request)
		status int
	}{
		"a program":       {"POST", nil, 200},
		"the page itself": {"POST", header("Sec-Fetch-Site", "same-origin"), 200},
		"localhost":       {"POST", host("localhost"), 200},
		"IPv6's loopback": {"POST", host("[::1]"), 200},
		"a name that somebody points at loopback": {"POST", host("rebound.example.com"), 421},
		"a name that starts like one of ours":     {"POST", host("localhost.example.com"), 421},
		"another machine's address":               {"POST", host("10.0.0.1"), 421},
		"another site's script":                   {"POST", header("Sec-Fetch-Site", "cross-site"), 403},
		"another port of this machine":            {"POST", header("Sec-Fetch-Site", "same-site"), 403},
		"an old browser on another site":          {"POST", header("Origin", "http://example.com"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, c.method, server.URL+"/api/stores/prometheus/api/v1/query", "", c.change); got.status != c.status {
				t.Errorf("%d %s, want %d", got.status, got.body, c.status)
			}
		})
	}
	t.Run("a link on another site opens the page", func(t *testing.T) {
		got := ask(t, "GET", server.URL+"/", "", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		})
		if got.status != http.StatusOK {
			t.Errorf("%d", got.status)
		}
	})
}

func TestPageIsServedCompressedAndCached(t *testing.T) {
	t.Parallel()
	server := serve(t, nil, nil)
	gzip := func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip, br") }
	asset := ask(t, "GET", server.URL+"/assets/app-1a2b.js", "", gzip)
	if asset.body != "zipped" || asset.header.Get("Content-Encoding") != "gzip" || !strings.Contains(asset.header.Get("Cache-Control"), "immutable") ||
		!strings.HasPrefix(asset.header.Get("Content-Type"), "text/javascript") {
		t.Errorf("got %+v", asset)
	}
	if plain := ask(t, "GET", server.URL+"/assets/app-1a2b.js", "", nil); plain.body != "plain" || plain.header.Get("Content-Encoding") != "" {
		t.Errorf("got %+v", plain)
	}
	for _, place := range []string{"/", "/d/plumbline-a", "/trace/0af7", "/logs"} {
		got := ask(t, "GET", server.URL+place, "", gzip)
		if got.status != http.StatusOK || got.body != index || got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: got %+v", place, got)
		}
		if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %q", place, csp)
		}
	}
	for _, nowhere := range []string{"/assets/gone.js", "/api/nothing", "/../secret.txt", "/..%2fsecret.txt"} {
		if got := ask(t, "GET", server.URL+nowhere, "", nil); got.status != http.StatusNotFound || strings.Contains(got.body, "not for the page") {
			t.Errorf("%s: got %d %q", nowhere, got.status, got.body)
		}
	}
}

func TestDashboardsAreTheCommittedBytes(t *testing.T) {
	t.Parallel()
	server := serve(t, nil, nil)
	var list []struct {
		UID, Title, Error string
		Tags              []string
	}
	if err := json.Unmarshal([]byte(ask(t, "GET", server.URL+"/api/dashboards", "", nil).body), &list); err != nil {
		t.Fatal(err)
	}
	var uids []string
	for _, b := range list {
		uids = append(uids, b.UID)
		if (b.Error != "") != (b.UID == "broken") {
			t.Errorf("%s: error %q", b.UID, b.Error)
		}
	}
	if want := []string{"plumbline-a", "plumbline-b", "broken"}; !slices.Equal(uids, want) {
		t.Errorf("listed %q, want %q: by title", uids, want)
	}
	if got := ask(t, "GET", server.URL+"/api/dashboards/plumbline-b", "", nil); got.body != `{"uid":"plumbline-b","title":"B side","tags":["plumbline"],"panels":[]}` {
		t.Errorf("got %s", got.body)
	}
	if got := ask(t, "GET", server.URL+"/api/dashboards/nothing", "", nil); got.status != http.StatusNotFound {
		t.Errorf("got %+v", got)
	}
	if got := ask(t, "GET", server.URL+"/api/dashboards/..%2fsecret", "", nil); got.status != http.StatusBadRequest {
		t.Errorf("got %+v", got)
	}
}

func TestPageLearnsTheAgentsNames(t *testing.T) {
	t.Parallel()
	server := serve(t, func(c *console.Config) { c.Stores["loki"] = "" }, func(http.ResponseWriter, *http.Request) {})
	var got map[string]any
	if err := json.Unmarshal([]byte(ask(t, "GET", server.URL+"/api/config", "", nil).body), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"exemplarTrace": catalog.ExemplarTraceID, "logTrace": catalog.LogTraceID, "profileId": catalog.AttrProfileID,
		"serviceLabel": string(catalog.ServiceName), "routeTag": catalog.AttrHTTPRoute,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if stores := fmt.Sprint(got["stores"]); stores != "[prometheus jaeger pyroscope]" {
		t.Errorf("stores %s", stores)
	}
}

func TestConfigurationOutOfBoundsIsReportedWhole(t *testing.T) {
	t.Parallel()
	_, err := console.New(console.Config{Page: "page", MaxQueries: -1, QueryTimeout: -1, Stores: map[string]string{"mimir": "http://x:1", "loki": "x:1"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Page is", "Dashboards is", `Stores names "mimir"`, `"x:1" for loki`, "MaxQueries is -1", "QueryTimeout is -1ns"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
