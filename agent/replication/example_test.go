package replication_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/replication"
)

// The collector alone, with the metrics in a registry of the service's own. An
// agent takes the same nodes in its Config.Replication.
func ExampleNewCollector() {
	ctx := context.Background()
	primary, err := pgxpool.New(ctx, "postgres://shop@pg0.internal/shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer primary.Close()
	registry := prometheus.NewRegistry()
	collector, err := replication.NewCollector(replication.Config{
		// Replicas that are not named are found by what the primary tells.
		Nodes:      []replication.Node{{Name: "pg0", DB: replication.Pgx(primary)}},
		Registerer: registry,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = collector.Shutdown(ctx) }()
}

// Reads that see what their session wrote. The function that is given to Read
// or Write gets the pool to use, and may be called again with another one when
// a replica fails.
func ExampleRouter() {
	ctx := context.Background()
	primary, err := pgxpool.New(ctx, "postgres://shop@pg0.internal/shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer primary.Close()
	replica, err := pgxpool.New(ctx, "postgres://shop@pg1.internal/shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer replica.Close()
	router, err := replication.NewRouter(replication.RouterConfig[*pgxpool.Pool]{
		Primary:  replication.PgxTarget("pg0", primary),
		Replicas: []replication.Target[*pgxpool.Pool]{replication.PgxTarget("pg1", replica)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = router.Shutdown(ctx) }()

	ctx = replication.WithSession(ctx, new(replication.Session))
	err = router.Write(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
		_, err := db.Exec(ctx, "update users set name = $1 where id = $2", "Ada", 7)
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var name string
	err = router.Read(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
		return db.QueryRow(ctx, "select name from users where id = $1", 7).Scan(&name)
	})
	fmt.Println(name, err)
}

// A session that lasts from one request to the next: the answer to a write
// carries a signed position of the database's log, and the next request brings
// it back.
func ExampleSessions_Middleware() {
	sessions, err := replication.NewSessions(replication.SessionsConfig{
		Keys: []replication.Key{{ID: "2026", Secret: []byte("32 random bytes from your vault.")}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := sessions.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := replication.SessionFrom(r.Context())
		if r.Method == http.MethodPost {
			session.Note(0x3000148) // as a Router does after a write
		}
		fmt.Fprint(w, session.Position())
	}))

	written := httptest.NewRecorder()
	handler.ServeHTTP(written, httptest.NewRequest(http.MethodPost, "/profile", nil))
	next := httptest.NewRequest(http.MethodGet, "/profile", nil)
	next.Header.Set(replication.DefaultHeader, written.Header().Get(replication.DefaultHeader))
	read := httptest.NewRecorder()
	handler.ServeHTTP(read, next)
	fmt.Println(read.Body)

	stranger := httptest.NewRecorder()
	handler.ServeHTTP(stranger, httptest.NewRequest(http.MethodGet, "/profile", nil))
	fmt.Println(stranger.Body)
	// Output:
	// 0/3000148
	// 0/0
}
