package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Sizes of the table of the index scenarios.
const (
	defaultPurchases = 2_000_000
	purchasers       = 20_000
)

// Facts of the scenario index.
const (
	factRowsRead       = "rows_read_per_query"
	factSeqScan        = "seq_scan"
	factBlocks         = "blocks_per_query"
	factCompositeFirst = "composite_blocks_user"
	factCompositeBoth  = "composite_blocks_user_and_time"
	factCompositeLast  = "composite_blocks_time_alone"
)

// index answers the newest purchases of a user, from a table without and with
// an index on (user_id, created_at).
func index(ctx context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	if err := makePurchases(ctx, env); err != nil {
		return nil, err
	}
	if variant != scenario.Before {
		if err := exec(ctx, env.DB, "create index if not exists purchases_user_created on purchases (user_id, created_at)",
			"analyze purchases"); err != nil {
			return nil, err
		}
	}
	engine := env.engine()
	engine.GET("/api/users/:id/purchases", env.handle(func(c *gin.Context) error {
		id, err := web.ID("id", c.Param("id"))
		if err != nil {
			return err
		}
		purchases, err := newest(c.Request.Context(), env, id)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, gin.H{"purchases": purchases})
		return nil
	}))
	return &Set{Handler: engine, Facts: func(ctx context.Context) (map[string]float64, error) { return indexFacts(ctx, env) }}, nil
}

// makePurchases fills the table, once per database.
func makePurchases(ctx context.Context, env Env) error {
	rows := env.Rows
	if rows <= 0 {
		rows = defaultPurchases
	}
	return pgx.BeginFunc(ctx, env.DB, func(tx pgx.Tx) error {
		for _, sql := range []string{
			"set local statement_timeout = 0",
			"select pg_advisory_xact_lock(7105812244)",
			// One process per query, so that what is counted does not depend on
			// the machine's processors.
			"do $$ begin execute 'alter database ' || current_database() || ' set max_parallel_workers_per_gather = 0'; end $$",
			`create table if not exists purchases (id bigint not null, user_id bigint not null, total_cents bigint not null, created_at timestamptz not null)`,
			fmt.Sprintf(`insert into purchases
				select n, 1 + (hashint8extended(n, 7) & 2147483647) %% %d, 100 + n %% 20000,
					timestamptz '2025-01-01 00:00:00+00' + n * interval '15 seconds'
				from generate_series(1, %d) as n where not exists (select from purchases)`, purchasers, rows),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("make purchases: %w", err)
			}
		}
		return nil
	})
}

type purchase struct {
	ID         int64     `json:"id"`
	TotalCents int64     `json:"total_cents"`
	CreatedAt  time.Time `json:"created_at"`
}

const newestSQL = "select id, total_cents, created_at from purchases where user_id = $1 order by created_at desc limit 20"

func newest(ctx context.Context, env Env, user int64) ([]purchase, error) {
	rows, err := env.DB.Query(ctx, newestSQL, user)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[purchase])
}

// indexFacts asks PostgreSQL what it does for each query.
func indexFacts(ctx context.Context, env Env) (map[string]float64, error) {
	const literal = "select id, total_cents, created_at from purchases where user_id = 42 order by created_at desc limit 20"
	plan, err := explain(ctx, env, literal)
	if err != nil {
		return nil, err
	}
	facts := map[string]float64{factRowsRead: plan.rowsRead(), factBlocks: plan.blocks(), factSeqScan: 0}
	if plan.has("Seq Scan") {
		facts[factSeqScan] = 1
	}
	for fact, where := range map[string]string{
		factCompositeFirst: "user_id = 42",
		factCompositeBoth:  "user_id = 42 and created_at > timestamptz '2025-03-01 00:00:00+00'",
		factCompositeLast:  "created_at > (select max(created_at) - interval '1 hour' from purchases where id > 0)",
	} {
		plan, err := explain(ctx, env, "select count(*) from purchases where "+where)
		if err != nil {
			return nil, err
		}
		facts[fact] = plan.blocks()
	}
	return facts, nil
}

// planNode is a node of EXPLAIN's output.
type planNode struct {
	NodeType      string  `json:"Node Type"`
	ActualRows    float64 `json:"Actual Rows"`
	RemovedFilter float64 `json:"Rows Removed by Filter"`
	SharedHit     float64 `json:"Shared Hit Blocks"`
	SharedRead    float64 `json:"Shared Read Blocks"`
	WALBytes      float64 `json:"WAL Bytes"`
	Plans         []planNode
}

// explain runs the query and returns its plan with what it counted.
func explain(ctx context.Context, env Env, sql string) (planNode, error) {
	return explainOn(ctx, env.DB, "analyze, buffers", sql)
}

// explainOn is explain with other options, in a transaction for instance.
func explainOn(ctx context.Context, db store.DB, options, sql string) (planNode, error) {
	var text []byte
	if err := db.QueryRow(ctx, "explain ("+options+", format json) "+sql).Scan(&text); err != nil {
		return planNode{}, fmt.Errorf("explain: %w", err)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		return planNode{}, fmt.Errorf("read the plan %s: %w", text, err)
	}
	return plans[0].Plan, nil
}

// rowsRead counts what the scans looked at.
func (n planNode) rowsRead() (rows float64) {
	if len(n.Plans) == 0 {
		return n.ActualRows + n.RemovedFilter
	}
	for _, p := range n.Plans {
		rows += p.rowsRead()
	}
	return rows
}

// blocks is how many pages of 8 KiB the whole plan looked at.
func (n planNode) blocks() float64 { return n.SharedHit + n.SharedRead }

func (n planNode) has(nodeType string) bool {
	if n.NodeType == nodeType {
		return true
	}
	for _, p := range n.Plans {
		if p.has(nodeType) {
			return true
		}
	}
	return false
}
