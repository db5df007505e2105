package stage_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/sampleapp/internal/stage"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// server is the PostgreSQL of the package's tests.
var server *testdb.Server

// copying is held by whoever copies the server for a replica.
var copying sync.Mutex

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(testdb.Main(m, &server))
}

// open sets a variant up, with its other parts in this process.
func open(t *testing.T, name, variant string, rows int) (*stage.Set, *agenttest.Recorder, stage.Env) {
	t.Helper()
	recorder := agenttest.New(t)
	db, err := store.Open(t.Context(), store.Config{URL: server.New(t), Tracer: agentpgx.NewTracer(recorder.Agent())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	env := stage.Env{Agent: recorder.Agent(), DB: db, Redis: testdb.Redis(t), Rows: rows}
	if replicaDelay(name) > 0 {
		env.Replica = replicaOf(t, db)
	}
	env.Start = func(ctx context.Context, part, upstream string) (stage.Part, error) {
		env := env
		env.Upstream = upstream
		set, err := stage.Open(ctx, env, name, variant, part)
		if err != nil {
			return stage.Part{}, err
		}
		s := httptest.NewServer(set.Handler)
		kill := sync.OnceValue(func() error {
			s.CloseClientConnections()
			s.Close()
			if set.Close != nil {
				return set.Close()
			}
			return nil
		})
		t.Cleanup(func() { _ = kill() })
		return stage.Part{URL: s.URL, Kill: kill, Facts: set.Facts}, nil
	}
	set, err := stage.Open(t.Context(), env, name, variant, stage.Main)
	if err != nil {
		t.Fatal(err)
	}
	if set.Close != nil {
		t.Cleanup(func() {
			if err := set.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return set, recorder, env
}

// replicaDelay is the delay of the replica that a scenario asks for.
func replicaDelay(name string) time.Duration {
	spec, err := scenario.Find(name)
	if err != nil {
		return 0
	}
	return spec.ReplicaDelay
}

// replicaOf returns a pool on a replica of the database, which lives as long as
// the test.
func replicaOf(t *testing.T, db *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	// The slot keeps what a replica has not received yet: another test asks for
	// a checkpoint. One at a time, because a copy takes two of the primary's
	// senders.
	database := db.Config().ConnConfig.Database
	copying.Lock()
	replica, err := server.Replica("replica", "slot_of_"+database, "recovery_min_apply_delay=200ms")
	copying.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := replica.Stop(); err != nil {
			t.Error(err)
		}
	})
	pool, err := store.Open(t.Context(), store.Config{URL: replica.URL(database)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// ask sends one request and returns the status and the body.
func ask(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func facts(t *testing.T, set *stage.Set) map[string]float64 {
	t.Helper()
	f, err := set.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}
