package stage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// routes send reads where they see what their user wrote.
type routes struct {
	account   *account
	router    *replication.Router[*pgxpool.Pool]
	sessions  *replication.Sessions
	collector *replication.Collector
	watching  []*pgxpool.Pool
}

// startRoutes begins to watch where both servers stand, on pools of its own.
func (a *account) startRoutes(ctx context.Context) (r *routes, err error) {
	r = &routes{account: a}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	target := func(name string, db *pgxpool.Pool) (t replication.Target[*pgxpool.Pool], err error) {
		watch, err := store.Open(ctx, store.Config{URL: db.Config().ConnString(), Application: "replication", MaxConns: 4})
		if err != nil {
			return t, err
		}
		r.watching = append(r.watching, watch)
		return replication.Target[*pgxpool.Pool]{Name: name, DB: db, Querier: replication.Pgx(watch)}, nil
	}
	primary, err := target("primary", a.env.DB)
	if err != nil {
		return r, err
	}
	replica, err := target("replica", a.env.Replica)
	if err != nil {
		return r, err
	}
	key := replication.Key{ID: "lab", Secret: []byte(rand.Text() + rand.Text())}
	if r.sessions, err = replication.NewSessions(replication.SessionsConfig{Keys: []replication.Key{key}}); err != nil {
		return r, err
	}
	registerer := a.env.Agent.Registerer()
	r.collector, err = replication.NewCollector(replication.Config{
		Nodes: []replication.Node{{Name: primary.Name, DB: primary.Querier}, {Name: replica.Name, DB: replica.Querier}}, Registerer: registerer,
	})
	if err != nil {
		return r, err
	}
	r.router, err = replication.NewRouter(replication.RouterConfig[*pgxpool.Pool]{
		Primary: primary, Replicas: []replication.Target[*pgxpool.Pool]{replica}, Registerer: registerer,
		Wait: replication.NoWait, // this replica is late by design: waiting would be in vain
	})
	return r, err
}

// session returns ctx with the user's session in it. A browser brings the token
// along as a cookie; here it is kept with the user's session in Redis.
func (r *routes) session(ctx context.Context, id int64) (context.Context, *replication.Exchange, error) {
	token, err := r.account.redis.Get(ctx, r.account.key("token", id)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, nil, fmt.Errorf("read the session of user %d: %w", id, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("make a request: %w", err)
	}
	if token != "" {
		request.Header.Set(replication.DefaultHeader, token)
	}
	request, exchange := r.sessions.Begin(request)
	return request.Context(), exchange, nil
}

// write writes to the primary and keeps the position in the user's session.
func (r *routes) write(ctx context.Context, id int64, f func(context.Context, *pgxpool.Pool) error) error {
	ctx, exchange, err := r.session(ctx, id)
	if err != nil {
		return err
	}
	if err := r.router.Write(ctx, f); err != nil {
		return err
	}
	header := http.Header{}
	exchange.Finish(header)
	err = r.account.redis.Set(ctx, r.account.key("token", id), header.Get(replication.DefaultHeader), replication.DefaultTTL).Err()
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	return nil
}

// routed reads from the replica where it has what the user wrote, else from the
// primary.
func (a *account) routed(ctx context.Context, id int64) (p profile, err error) {
	ctx, _, err = a.routes.session(ctx, id)
	if err != nil {
		return p, err
	}
	err = a.routes.router.Read(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
		if db == a.env.DB {
			a.fromPrimary.Add(1)
		}
		p, err = selectProfile(ctx, db, id)
		return err
	})
	return p, err
}

func (r *routes) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := r.collector.Shutdown(ctx)
	if r.router != nil {
		err = errors.Join(err, r.router.Shutdown(ctx))
	}
	for _, pool := range r.watching {
		pool.Close()
	}
	return err
}
