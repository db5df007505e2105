// Package api is the shop itself: it answers the gateway's requests from
// PostgreSQL, with Redis as a cache of users and products.
//
// It keeps no state of its own, so that any number of it can run. Every handler
// is bounded in time by [web.NewEngine], in rows by its page size, and in bytes
// by [web.MaxBody].
package api

import (
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/replication"
	"github.com/cacheu/plumbline/agent/saturation"
	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/faults"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// Limits and times of the handlers.
const (
	timeout = 5 * time.Second
	// cacheTTL is how old an answer about users and products may be.
	cacheTTL = 30 * time.Second
	// defaultPage and maxPage are the page sizes of all lists.
	defaultPage, maxPage = 20, 100
	// maxLines is the most lines of one order.
	maxLines = 50
	// newest is above every id: a list that starts there starts at the newest.
	newest = int64(1) << 62
)

// Config is what the api works with. All fields but Agent, Router, Sessions,
// Limiter and Faults are required.
type Config struct {
	// Agent observes the api. Nil observes nothing.
	Agent *agent.Agent
	// DB is the shop's database.
	DB *pgxpool.Pool
	// Router sends reads to replicas that show a user what they wrote. Nil reads
	// from DB.
	Router *replication.Router[*pgxpool.Pool]
	// Sessions carry what a user wrote to their next request. Nil carries
	// nothing.
	Sessions *replication.Sessions
	// Cache holds users and products.
	Cache *cache.Cache
	// Jobs enqueues the sending of invites.
	Jobs *jobs.Inserter
	// Limiter sheds load. Nil sheds none.
	Limiter *saturation.Limiter
	// Faults are drills of misbehaviour. Nil has none.
	Faults *faults.Source
}

// handlers holds what the handlers share.
type handlers struct {
	Config
}

// New returns the api's handler.
func New(c Config) http.Handler {
	h := handlers{c}
	engine := web.NewEngine(c.Agent, timeout)
	routes := engine.Group("/api", c.Faults.Middleware(c.Agent), web.Shed(c.Agent, c.Limiter), agentgin.Sessions(c.Sessions))
	routes.GET("/users/:id", web.Handle(c.Agent, h.getUser))
	routes.GET("/products", web.Handle(c.Agent, h.listProducts))
	routes.GET("/products/:id", web.Handle(c.Agent, h.getProduct))
	routes.GET("/orders", web.Handle(c.Agent, h.listOrders))
	routes.POST("/orders", web.Handle(c.Agent, h.createOrder))
	routes.GET("/posts", web.Handle(c.Agent, h.listPosts))
	routes.POST("/invites", web.Handle(c.Agent, h.createInvite))
	return engine
}
