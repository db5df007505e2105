package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/internal/overhead/stacks"
)

// poolSize is the number of connections that a service has: small, so that the
// pool is what limits it and its utilization is that of the pool.
const poolSize = 2

// The table that the handler reads: a page of one user's orders.
const (
	createTable = `CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, total_cents bigint, status text, note text, created_at timestamptz);
INSERT INTO orders SELECT n, n % 100, n * 7 % 10000, 'paid', 'left with the neighbour', now() - n * interval '1 minute' FROM generate_series(1, 20000) n;
CREATE INDEX ON orders (user_id, created_at); ANALYZE orders`
	// The sleep stands for the disk that this table never touches: it is what
	// makes the query take about 2 ms.
	selectPage = `WITH disk AS MATERIALIZED (SELECT pg_sleep(0.0015))
SELECT id, total_cents, status, note, created_at FROM orders, disk WHERE user_id = $1 ORDER BY created_at DESC LIMIT 50`
)

// runService is a gin service as a team has it, with the agent or without.
func runService(ctx context.Context, args []string, out io.Writer) error {
	signalsAreTheParents()
	var withAgent bool
	var sinkURL, database string
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.BoolVar(&withAgent, "agent", false, "embed the agent, all four signals, everything sampled")
	flags.StringVar(&sinkURL, "sink", "", "where telemetry goes")
	flags.StringVar(&database, "database", "", "PostgreSQL; empty answers without it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	var a *agent.Agent
	router := gin.New()
	if withAgent {
		var closeConsole func() error
		var err error
		if a, closeConsole, err = stacks.NewAgent(stacks.Config{SampleRatio: 1, Sink: sinkURL}, 0); err != nil {
			return err
		}
		defer func() { _ = errors.Join(a.Shutdown(context.Background()), closeConsole()) }()
		router.Use(agentgin.Middleware(a))
		router.GET("/metrics", gin.WrapH(a.MetricsHandler()))
	}
	answer := func(c *gin.Context) { c.String(http.StatusOK, "ok") }
	if database != "" {
		pool, err := openPool(ctx, a, database)
		if err != nil {
			return err
		}
		defer pool.Close()
		answer = page(pool)
	}
	router.GET(stacks.Route, answer)
	return serveUntilEOF(router, out)
}

func openPool(ctx context.Context, a *agent.Agent, database string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	config.MaxConns, config.MinConns = poolSize, poolSize
	if a != nil {
		config.ConnConfig.Tracer = agentpgx.NewTracer(a)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the pool: %w", err)
	}
	if err := agentpgx.ObservePool(a, "main", pool); err != nil {
		return nil, err
	}
	return pool, nil
}

type order struct {
	ID         int64  `json:"id"`
	TotalCents int64  `json:"total_cents"`
	Status     string `json:"status"`
	Note       string `json:"note"`
	CreatedAt  any    `json:"created_at"`
}

// page answers with the newest orders of a user as JSON.
func page(pool *pgxpool.Pool) gin.HandlerFunc {
	return func(c *gin.Context) {
		user, err := strconv.ParseInt(c.Param("id"), 10, 64)
		if err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		rows, err := pool.Query(c.Request.Context(), selectPage, user)
		if err == nil {
			var orders []order
			if orders, err = pgx.CollectRows(rows, pgx.RowToStructByPos[order]); err == nil {
				c.JSON(http.StatusOK, orders)
				return
			}
		}
		_ = c.AbortWithError(http.StatusInternalServerError, err)
	}
}
