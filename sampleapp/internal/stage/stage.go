// Package stage runs the scenarios: it holds what each variant does.
//
// [Open] sets one part of a variant up on real servers: a pool of PostgreSQL,
// the address of a Redis, and other parts of the same variant, which are
// started as processes of their own where it matters. The result is a handler
// and, beside it, what only the scenario itself can tell ([Set.Facts]) or do
// ([Set.Event]).
//
// Sets are safe for concurrent use. Setting up may take seconds, for scenarios
// that fill tables.
package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// Main is the part that the load is sent to.
const Main = "main"

// timeout bounds one request. It is above every delay that is simulated.
const timeout = 20 * time.Second

// Env is what a variant works with.
type Env struct {
	// Agent observes the part. Nil observes nothing.
	Agent *agent.Agent
	// DB is a pool on a database of the variant's own, with the shop in it.
	DB *pgxpool.Pool
	// Replica is a pool on a streaming replica of DB that applies changes late.
	// Nil where the scenario asks for none.
	Replica *pgxpool.Pool
	// Redis is the host and port of a Redis; keys begin with Prefix.
	Redis, Prefix string
	// Rows scales the tables that a scenario makes. 0 is its default.
	Rows int
	// Upstream is the base address of the part that this part calls, as it was
	// given to Start. Empty is none.
	Upstream string
	// Start starts another part of the variant, which calls the part at the base
	// address upstream, if that is not empty.
	Start func(ctx context.Context, part, upstream string) (Part, error)
}

// Part is another part that runs.
type Part struct {
	// URL is its base address.
	URL string
	// Kill ends it without warning, as a crash does. Twice is legal.
	Kill func() error
	// Facts asks it for its facts.
	Facts func(context.Context) (map[string]float64, error)
}

// Set is a part that is set up.
type Set struct {
	// Handler answers the load.
	Handler http.Handler
	// Facts tells numbers by name, cumulative since the set was opened. Nil
	// tells none.
	Facts func(context.Context) (map[string]float64, error)
	// Event makes happen what happens in the middle of a round. Nil is nothing.
	Event func(context.Context) error
	// Reset makes good what Event did. Nil is nothing.
	Reset func(context.Context) error
	// Close releases what the set holds, the parts it has started included.
	// Nil is nothing.
	Close func() error
}

// opener sets a part of a variant up.
type opener func(ctx context.Context, env Env, variant, part string) (*Set, error)

// plays returns what programs each scenario.
func plays() map[string]opener {
	return map[string]opener{
		"average-is-a-liar": averageIsALiar,
		"sync-logging":      syncLogging,
		"cpu-profile":       cpuProfile,
		"n-plus-one":        nPlusOne,
		"index":             index,
		"index-cost":        indexCost,
		"sessions":          sessions,
		"microservices":     microservices,
		"cache":             hotKey,
		"async":             async,
		"replication-lag":   replicationLag,
		"utilization":       utilization,
	}
}

// Open sets up a part of a variant.
func Open(ctx context.Context, env Env, scenario, variant, part string) (*Set, error) {
	open, ok := plays()[scenario]
	if !ok {
		return nil, fmt.Errorf("nothing programs the scenario %q", scenario)
	}
	set, err := open(ctx, env, variant, part)
	if err != nil {
		return nil, fmt.Errorf("set up %s, %s, part %s: %w", scenario, variant, part, err)
	}
	return set, nil
}

// unknownPart is the error about a part that a scenario does not have.
func unknownPart(part string) error { return fmt.Errorf("there is no part %q", part) }

// engine returns a measured engine whose spans carry the benchmark's name.
func (e Env) engine() *gin.Engine {
	engine := web.NewEngine(e.Agent, timeout)
	engine.Use(markRun)
	return engine
}

// handle turns a function that returns an error into a handler.
func (e Env) handle(f func(*gin.Context) error) gin.HandlerFunc { return web.Handle(e.Agent, f) }

// markRun copies what the load generator sent as baggage to the server's span,
// so that a run's slow requests are found by its id.
func markRun(c *gin.Context) {
	ctx := c.Request.Context()
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		for _, m := range baggage.FromContext(ctx).Members() {
			switch m.Key() {
			case catalog.AttrBenchRunID, catalog.AttrBenchScenario, catalog.AttrBenchVariant:
				span.SetAttributes(attribute.String(m.Key(), m.Value()))
			}
		}
	}
	c.Next()
}

// parts starts parts and keeps them for closing.
type parts struct {
	env     Env
	running map[string]Part
}

func (e Env) parts() *parts { return &parts{env: e, running: map[string]Part{}} }

// start starts a part, or again one that was killed.
func (p *parts) start(ctx context.Context, name string) (Part, error) {
	return p.startCalling(ctx, name, "")
}

// startCalling is start for a part that calls another one, whose base address
// is given.
func (p *parts) startCalling(ctx context.Context, name, upstream string) (Part, error) {
	if p.env.Start == nil {
		return Part{}, errors.New("this set-up cannot start parts")
	}
	part, err := p.env.Start(ctx, name, upstream)
	if err != nil {
		return Part{}, fmt.Errorf("start the part %s: %w", name, err)
	}
	p.running[name] = part
	return part, nil
}

// facts adds up what the parts tell, under the same names.
func (p *parts) facts(ctx context.Context) map[string]float64 {
	sum := map[string]float64{}
	for _, part := range p.running {
		if part.Facts == nil {
			continue
		}
		facts, err := part.Facts(ctx)
		if err != nil {
			continue // it was killed: what it knew is gone
		}
		for name, v := range facts {
			sum[name] += v
		}
	}
	return sum
}

func (p *parts) close() error {
	var errs []error
	for _, part := range p.running {
		errs = append(errs, part.Kill())
	}
	return errors.Join(errs...)
}

// exec runs statements one after the other.
func exec(ctx context.Context, db *pgxpool.Pool, statements ...string) error {
	for _, sql := range statements {
		if _, err := db.Exec(ctx, sql); err != nil {
			first, _, _ := strings.Cut(strings.TrimSpace(sql), "\n")
			return fmt.Errorf("%s: %w", first, err)
		}
	}
	return nil
}
