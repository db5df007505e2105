package roles

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// primaryName is the primary in metrics of replication.
const primaryName = "primary"

// replicas are what the api needs to read from replicas: their pools, who
// watches them, and who chooses among them. The zero value reads from the
// primary.
type replicas struct {
	router    *replication.Router[*pgxpool.Pool]
	sessions  *replication.Sessions
	collector *replication.Collector
	pools     []*pgxpool.Pool
	reads     []*pgxpool.Pool // those of pools that serve requests
	log       func(error)
}

// openReplicas connects the replicas that are configured. None is asked yet, and
// one that does not answer is not waited for.
func openReplicas(ctx context.Context, c config.Config, a *agent.Agent, primary *pgxpool.Pool) (r *replicas, err error) {
	r = &replicas{log: func(err error) {
		level.Warn(a.Logger(ctx)).Log(catalog.LogMessage, "closing the replicas", catalog.LogError, err)
	}}
	if len(c.Replicas) == 0 {
		return r, nil
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	routes := replication.RouterConfig[*pgxpool.Pool]{Registerer: a.Registerer(), Logger: a.Logger(ctx)}
	if routes.Primary, err = r.target(ctx, primaryName, c.DatabaseURL, primary); err != nil {
		return nil, err
	}
	nodes := []replication.Node{{Name: primaryName, DB: routes.Primary.Querier}}
	for _, replica := range c.Replicas {
		db, err := openPool(ctx, c, a, replica.Name, replica.URL)
		if err != nil {
			return nil, fmt.Errorf("replica %s: %w", replica.Name, err)
		}
		r.pools, r.reads = append(r.pools, db), append(r.reads, db)
		target, err := r.target(ctx, replica.Name, replica.URL, db)
		if err != nil {
			return nil, fmt.Errorf("replica %s: %w", replica.Name, err)
		}
		routes.Replicas = append(routes.Replicas, target)
		nodes = append(nodes, replication.Node{Name: replica.Name, DB: target.Querier})
	}
	// A key of this process: whoever comes with a token of another one reads
	// from the primary once. Several instances would share one.
	key := replication.Key{ID: rand.Text()[:8], Secret: []byte(rand.Text() + rand.Text())}
	r.sessions, err = replication.NewSessions(replication.SessionsConfig{Keys: []replication.Key{key}, Insecure: true})
	if err != nil {
		return nil, err
	}
	r.collector, err = replication.NewCollector(replication.Config{Nodes: nodes, Registerer: a.Registerer(), Logger: a.Logger(ctx)})
	if err != nil {
		return nil, err
	}
	r.router, err = replication.NewRouter(routes)
	return r, err
}

// target is a server with a second pool to ask it where it stands: untraced,
// because nobody asked for that, and never waiting behind the service's own
// queries.
func (r *replicas) target(ctx context.Context, name, url string, db *pgxpool.Pool) (replication.Target[*pgxpool.Pool], error) {
	watch, err := store.Open(ctx, store.Config{URL: url, Application: "replication", MaxConns: 4})
	if err != nil {
		return replication.Target[*pgxpool.Pool]{}, err
	}
	r.pools = append(r.pools, watch)
	return replication.Target[*pgxpool.Pool]{Name: name, DB: db, Querier: replication.Pgx(watch)}, nil
}

// close ends everything that openReplicas began.
func (r *replicas) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := r.collector.Shutdown(ctx)
	if r.router != nil {
		err = errors.Join(err, r.router.Shutdown(ctx))
	}
	if err != nil {
		r.log(err)
	}
	for _, pool := range r.pools {
		pool.Close()
	}
}
