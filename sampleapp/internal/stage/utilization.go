package stage

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/saturation"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// What the service can do: so many queries at a time, each of which takes so
// long at the database, make its capacity of 100 requests per second on any
// machine.
const (
	desks    = 4
	deskTime = 40 * time.Millisecond
	// deskQueue is how many requests the limiter lets wait.
	deskQueue = 8
)

// Facts of the scenario utilization.
const (
	factWaitingMost = "requests_waiting_max"
	factTurnedAway  = "requests_turned_away"
	factServed      = "requests_served"
)

// counter counts requests at the door.
type counter struct {
	inside, most, turnedAway, served atomic.Int64
}

// count sees a request before the limiter does.
func (n *counter) count(c *gin.Context) {
	inside := n.inside.Add(1)
	defer n.inside.Add(-1)
	for {
		most := n.most.Load()
		if inside <= most || n.most.CompareAndSwap(most, inside) {
			break
		}
	}
	c.Next()
	if c.Writer.Status() == http.StatusTooManyRequests {
		n.turnedAway.Add(1)
	} else {
		n.served.Add(1)
	}
}

func (n *counter) facts(context.Context) (map[string]float64, error) {
	return map[string]float64{
		factWaitingMost: float64(max(0, n.most.Load()-desks)), factTurnedAway: float64(n.turnedAway.Load()), factServed: float64(n.served.Load()),
	}, nil
}

// utilization answers with a query that takes its time, on a pool of four
// connections: everybody waits for one, or a limiter turns away who would wait
// in vain.
func utilization(ctx context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	config := env.DB.Config()
	config.MaxConns, config.MinConns, config.MinIdleConns = desks, desks, 0
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the desks: %w", err)
	}
	if err := agentpgx.ObservePool(env.Agent, "desks", pool); err != nil {
		pool.Close()
		return nil, err
	}
	n := &counter{}
	engine := env.engine()
	engine.Use(n.count)
	if variant != scenario.Before {
		limiter, err := saturation.NewLimiter(saturation.LimiterConfig{
			Concurrency: desks, Queue: deskQueue, Registerer: env.Agent.Registerer(),
		})
		if err != nil {
			pool.Close()
			return nil, err
		}
		engine.Use(web.Shed(env.Agent, limiter))
	}
	engine.GET("/api/quotes/:id", env.handle(func(c *gin.Context) error {
		id, err := web.ID("id", c.Param("id"))
		if err != nil {
			return err
		}
		var cents int64
		err = pool.QueryRow(c.Request.Context(), "select price_cents from products, pg_sleep($2) where id = $1", id, deskTime.Seconds()).Scan(&cents)
		if err != nil {
			return fmt.Errorf("quote product %d: %w", id, err)
		}
		c.JSON(http.StatusOK, gin.H{"id": id, "price_cents": cents})
		return nil
	}))
	return &Set{Handler: engine, Facts: n.facts, Close: func() error { pool.Close(); return nil }}, nil
}
