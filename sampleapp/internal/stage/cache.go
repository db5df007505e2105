package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/sync/singleflight"

	"github.com/cacheu/plumbline/agent/agentredis"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// hotTTL is how long a summary is kept: short, so that a benchmark sees it
// expire many times. Jitter is the share by which single entries differ.
const (
	hotTTL    = time.Second
	hotJitter = 0.2
)

// Facts of the scenario cache.
const (
	factLoads          = "loads"
	factLoadsAtOnce    = "loads_at_once_max"
	factStaleReads     = "stale_reads"
	factReads          = "reads"
	factLoadsPerExpiry = "loads_per_expiry"
)

// summary is the hot value: what a product sold, and at which price.
type summary struct {
	ID         int64 `json:"id"`
	PriceCents int64 `json:"price_cents"`
	Orders     int64 `json:"orders"`
	Items      int64 `json:"items"`
}

// hot is the cache of summaries in front of a query that is not cheap.
type hot struct {
	env     Env
	redis   *redis.Client
	guarded bool // after: one load at a time, jitter, invalidation
	flights singleflight.Group
	// changes counts writes: a load that one has overtaken keeps nothing.
	changes atomic.Int64
	// price is the newest price that a write has confirmed, against which
	// reads are held to be stale.
	price                         atomic.Int64
	reads, stale, loads, expiries atomic.Int64

	mu sync.Mutex
	// loading counts the loads that run, by the number of changes they began
	// with: one that a write has overtaken is not of use to those who come later.
	loading    map[int64]int
	loadingMax int
}

// hotKey answers the summary of one product that everybody asks for.
func hotKey(_ context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	h := &hot{env: env, guarded: variant != scenario.Before, redis: openRedis(env), loading: map[int64]int{}}
	engine := env.engine()
	engine.GET("/api/products/:id/summary", env.handle(h.get))
	engine.PUT("/api/products/:id", env.handle(h.put))
	return &Set{Handler: engine, Facts: h.facts, Close: h.redis.Close}, nil
}

func openRedis(env Env) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: env.Redis, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	if hook := agentredis.NewHook(env.Agent); hook != nil {
		client.AddHook(hook)
	}
	return client
}

func (h *hot) get(c *gin.Context) error {
	id, err := web.ID("id", c.Param("id"))
	if err != nil {
		return err
	}
	ctx, confirmed := c.Request.Context(), h.price.Load()
	s, err := h.read(ctx, id)
	if err != nil {
		return err
	}
	h.reads.Add(1)
	if s.PriceCents < confirmed { // prices only rise here
		h.stale.Add(1)
	}
	c.JSON(http.StatusOK, s)
	return nil
}

// put raises the price by a cent.
func (h *hot) put(c *gin.Context) error {
	id, err := web.ID("id", c.Param("id"))
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	var price int64
	err = h.env.DB.QueryRow(ctx, "update products set price_cents = price_cents + 1 where id = $1 returning price_cents", id).Scan(&price)
	if err != nil {
		return err
	}
	if h.guarded {
		h.changes.Add(1)
		h.flights.Forget(h.key(id))
		if err := h.redis.Del(ctx, h.key(id)).Err(); err != nil {
			return fmt.Errorf("invalidate: %w", err)
		}
	}
	for {
		known := h.price.Load()
		if known >= price || h.price.CompareAndSwap(known, price) {
			break
		}
	}
	c.JSON(http.StatusOK, gin.H{"id": id, "price_cents": price})
	return nil
}

func (h *hot) key(id int64) string { return fmt.Sprintf("%ssummary:%d", h.env.Prefix, id) }

// read is cache-aside: the cache, else the source.
func (h *hot) read(ctx context.Context, id int64) (s summary, err error) {
	raw, err := h.redis.Get(ctx, h.key(id)).Bytes()
	if err == nil {
		return s, json.Unmarshal(raw, &s)
	}
	if !errors.Is(err, redis.Nil) {
		return s, fmt.Errorf("read the cache: %w", err)
	}
	if !h.guarded {
		return h.load(ctx, id)
	}
	// All who miss at the same time wait for one load. It goes on when the
	// first of them gives up.
	v, err, _ := h.flights.Do(h.key(id), func() (any, error) { return h.load(context.WithoutCancel(ctx), id) })
	if err != nil {
		return s, err
	}
	return v.(summary), nil
}

// begin counts a load, and whether anybody else is loading the same.
func (h *hot) begin(change int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loading[change]++
	if h.loading[change] == 1 {
		h.expiries.Add(1) // this one found the entry expired or invalidated
	}
	h.loadingMax = max(h.loadingMax, h.loading[change])
}

func (h *hot) end(change int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.loading[change]--; h.loading[change] == 0 {
		delete(h.loading, change)
	}
}

// load asks the database and fills the cache.
func (h *hot) load(ctx context.Context, id int64) (s summary, err error) {
	h.loads.Add(1)
	seen := h.changes.Load()
	h.begin(seen)
	defer h.end(seen)
	// order_lines has no index on product_id: this is a scan of all lines.
	err = h.env.DB.QueryRow(ctx, `select p.id, p.price_cents, count(distinct l.order_id), coalesce(sum(l.quantity), 0)
		from products p left join order_lines l on l.product_id = p.id where p.id = $1 group by p.id`, id).
		Scan(&s.ID, &s.PriceCents, &s.Orders, &s.Items)
	if err != nil {
		return s, err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("encode the summary: %w", err)
	}
	ttl := hotTTL
	if h.guarded {
		ttl = time.Duration(float64(ttl) * (1 - hotJitter + 2*hotJitter*rand.Float64()))
		if h.changes.Load() != seen {
			return s, nil // a write has overtaken this load
		}
	}
	if err := h.redis.Set(ctx, h.key(id), raw, ttl).Err(); err != nil {
		return s, fmt.Errorf("fill the cache: %w", err)
	}
	return s, nil
}

func (h *hot) facts(context.Context) (map[string]float64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	loads, expiries := float64(h.loads.Load()), float64(h.expiries.Load())
	return map[string]float64{
		factReads: float64(h.reads.Load()), factStaleReads: float64(h.stale.Load()), factLoads: loads,
		factLoadsAtOnce: float64(h.loadingMax), factLoadsPerExpiry: loads / max(1, expiries),
	}, nil
}
