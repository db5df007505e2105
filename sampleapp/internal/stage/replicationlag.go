package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// The variants of the scenario replication-lag.
const (
	afterRouting  = "after-routing"
	afterCache    = "after-cache"
	afterEventual = "after-eventual"
)

const (
	// profiles is how many users have one.
	profiles = 100
	// ownWriteTTL is how long a user's own write is kept: longer than a replica
	// is ever behind, or it is not of use.
	ownWriteTTL = 10 * time.Second
)

// Facts of the scenario replication-lag.
const (
	factStaleShown   = "stale_reads_shown_as_current"
	factStaleMarked  = "stale_reads_marked_as_such"
	factPrimaryReads = "reads_from_the_primary"
	factCacheReads   = "reads_from_the_cache"
)

// profile is what a user sees after saving it.
type profile struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Version int64  `json:"version"`
	// Pending says that a newer version was saved and is not shown yet.
	Pending bool `json:"pending"`
}

// account writes profiles to the primary and reads them from a replica.
type account struct {
	env    Env
	redis  *redis.Client
	routes *routes // of the variant with routing, else nil
	wrote  func(ctx context.Context, p profile) error
	read   func(ctx context.Context, id int64) (profile, error)

	mu sync.Mutex
	// confirmed is the newest version of each profile that a write has
	// confirmed, against which reads are held to be stale.
	confirmed                                              map[int64]int64
	reads, staleShown, staleMarked, fromPrimary, fromCache atomic.Int64
}

// replicationLag lets users save their profile, and shows it to them right
// afterwards from a replica that is behind.
func replicationLag(ctx context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	if env.Replica == nil {
		return nil, errors.New("this set-up has no replica")
	}
	if err := makeProfiles(ctx, env); err != nil {
		return nil, err
	}
	a := &account{env: env, redis: openRedis(env), confirmed: map[int64]int64{}}
	a.wrote, a.read = func(context.Context, profile) error { return nil }, a.fromReplica
	set := &Set{Facts: a.facts, Close: a.redis.Close}
	switch variant {
	case afterRouting:
		routes, err := a.startRoutes(ctx)
		if err != nil {
			return nil, errors.Join(err, a.redis.Close())
		}
		a.routes, a.read = routes, a.routed
		set.Close = func() error { return errors.Join(routes.close(), a.redis.Close()) }
	case afterCache:
		a.wrote, a.read = a.keep, a.ownWrite
	case afterEventual:
		a.wrote, a.read = a.note, a.marked
	}
	engine := env.engine()
	engine.PUT("/api/profiles/:id", env.handle(a.put))
	engine.GET("/api/profiles/:id", env.handle(a.get))
	set.Handler = engine
	return set, nil
}

// makeProfiles returns when the replica has them too.
func makeProfiles(ctx context.Context, env Env) error {
	err := exec(ctx, env.DB,
		"create table if not exists profiles (id bigint primary key, name text not null, version bigint not null)",
		fmt.Sprintf("insert into profiles select n, 'user ' || n, 0 from generate_series(1, %d) as n on conflict do nothing", profiles))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var n int
		err := env.Replica.QueryRow(ctx, "select count(*) from profiles").Scan(&n)
		if err == nil && n == profiles {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the replica does not get the profiles"), err)
		case <-tick.C:
		}
	}
}

// put saves a profile on the primary.
func (a *account) put(c *gin.Context) error {
	id, err := web.ID("id", c.Param("id"))
	if err != nil {
		return err
	}
	save := func(ctx context.Context, db *pgxpool.Pool) (p profile, err error) {
		err = db.QueryRow(ctx, "update profiles set version = version + 1, name = 'user ' || id || ', version ' || version + 1 where id = $1 returning id, name, version", id).
			Scan(&p.ID, &p.Name, &p.Version)
		return p, err
	}
	ctx := c.Request.Context()
	var saved profile
	if a.routes != nil {
		err = a.routes.write(ctx, id, func(ctx context.Context, db *pgxpool.Pool) error { saved, err = save(ctx, db); return err })
	} else {
		saved, err = save(ctx, a.env.DB)
	}
	if err == nil {
		err = a.wrote(ctx, saved)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.confirmed[id] = max(a.confirmed[id], saved.Version)
	a.mu.Unlock()
	c.JSON(http.StatusOK, saved)
	return nil
}

// get shows a profile, and counts what was older than a write that had been
// confirmed before.
func (a *account) get(c *gin.Context) error {
	id, err := web.ID("id", c.Param("id"))
	if err != nil {
		return err
	}
	a.mu.Lock()
	confirmed := a.confirmed[id]
	a.mu.Unlock()
	p, err := a.read(c.Request.Context(), id)
	if err != nil {
		return err
	}
	a.reads.Add(1)
	switch {
	case p.Version >= confirmed:
	case p.Pending:
		a.staleMarked.Add(1)
	default:
		a.staleShown.Add(1)
	}
	c.JSON(http.StatusOK, p)
	return nil
}

func (a *account) facts(context.Context) (map[string]float64, error) {
	return map[string]float64{
		factReads: float64(a.reads.Load()), factStaleShown: float64(a.staleShown.Load()), factStaleMarked: float64(a.staleMarked.Load()),
		factPrimaryReads: float64(a.fromPrimary.Load()), factCacheReads: float64(a.fromCache.Load()),
	}, nil
}

func selectProfile(ctx context.Context, db store.DB, id int64) (p profile, err error) {
	err = db.QueryRow(ctx, "select id, name, version from profiles where id = $1", id).Scan(&p.ID, &p.Name, &p.Version)
	if err != nil {
		return p, fmt.Errorf("read profile %d: %w", id, err)
	}
	return p, nil
}

// fromReplica reads as if the replica were the primary.
func (a *account) fromReplica(ctx context.Context, id int64) (profile, error) {
	return selectProfile(ctx, a.env.Replica, id)
}

// key is where something about a user's last write is kept for a short time.
func (a *account) key(what string, id int64) string {
	return fmt.Sprintf("%s%s:%d", a.env.Prefix, what, id)
}

// keep caches what the user saved.
func (a *account) keep(ctx context.Context, p profile) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode a profile: %w", err)
	}
	if err := a.redis.Set(ctx, a.key("profile", p.ID), raw, ownWriteTTL).Err(); err != nil {
		return fmt.Errorf("keep the user's own write: %w", err)
	}
	return nil
}

// ownWrite shows what the user saved of late, else what the replica has.
func (a *account) ownWrite(ctx context.Context, id int64) (p profile, err error) {
	raw, err := a.redis.Get(ctx, a.key("profile", id)).Bytes()
	switch {
	case err == nil:
		a.fromCache.Add(1)
		return p, json.Unmarshal(raw, &p)
	case errors.Is(err, redis.Nil):
		return a.fromReplica(ctx, id)
	}
	return p, fmt.Errorf("read the user's own write: %w", err)
}

// note remembers which version the user saved.
func (a *account) note(ctx context.Context, p profile) error {
	if err := a.redis.Set(ctx, a.key("version", p.ID), p.Version, ownWriteTTL).Err(); err != nil {
		return fmt.Errorf("note the user's own write: %w", err)
	}
	return nil
}

// marked shows what the replica has, and says when the user saved something
// newer.
func (a *account) marked(ctx context.Context, id int64) (profile, error) {
	saved, err := a.redis.Get(ctx, a.key("version", id)).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return profile{}, fmt.Errorf("read the user's own version: %w", err)
	}
	p, err := a.fromReplica(ctx, id)
	p.Pending = p.Version < saved
	return p, err
}
