package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/sampleapp/internal/api"
	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

// TestUsersSeeTheirOrdersThoughTheReplicaLags places orders, and lists them from
// a replica that replays nothing any more.
func TestUsersSeeTheirOrdersThoughTheReplicaLags(t *testing.T) {
	t.Parallel()
	url := server.New(t)
	replica, err := server.Replica("behind", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := replica.Stop(); err != nil {
			t.Error(err)
		}
	})
	primary, copied := openAt(t, url), openAt(t, replica.URL(url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")]))
	router, err := replication.NewRouter(replication.RouterConfig[*pgxpool.Pool]{
		Primary:  replication.PgxTarget("primary", primary),
		Replicas: []replication.Target[*pgxpool.Pool]{replication.PgxTarget("behind", copied)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Shutdown(context.Background()) })
	sessions, err := replication.NewSessions(replication.SessionsConfig{
		Insecure: true, Keys: []replication.Key{{ID: "k", Secret: []byte(strings.Repeat("s", 32))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := cache.Open(cache.Config{Addr: testdb.Redis(t)})
	t.Cleanup(func() { c.Close() })
	inserter, err := jobs.NewInserter(nil, primary)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(api.New(api.Config{DB: primary, Router: router, Sessions: sessions, Cache: c, Jobs: inserter}))
	t.Cleanup(h.Close)
	if _, err := copied.Exec(t.Context(), "select pg_wal_replay_pause()"); err != nil {
		t.Fatal(err)
	}

	orders := func(cookie string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/api/orders?user_id=1&limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Cookie", cookie)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var page struct{ Orders []struct{ ID int64 } }
		decode(t, response.Body, &page)
		return fmt.Sprint(response.StatusCode, " ", page.Orders)
	}
	before := orders("")
	response, err := http.Post(h.URL+"/api/orders", "application/json", strings.NewReader(`{"user_id":1,"lines":[{"product_id":1,"quantity":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var placed struct{ ID int64 }
	decode(t, response.Body, &placed)
	response.Body.Close()
	cookie, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";")
	if got, want := orders(cookie), fmt.Sprintf("200 [{%d}]", placed.ID); got != want {
		t.Errorf("the user sees %s, want %s", got, want)
	}
	if got := orders(""); got != before {
		t.Errorf("somebody else sees %s, want what the replica has: %s", got, before)
	}
}

func openAt(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func decode(t *testing.T, from io.Reader, into any) {
	t.Helper()
	if err := json.NewDecoder(from).Decode(into); err != nil {
		t.Fatal(err)
	}
}
