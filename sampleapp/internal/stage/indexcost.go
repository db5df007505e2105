package stage

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// rowsPerInsert is how many rows one request inserts.
const rowsPerInsert = 100

// Facts of the scenario index-cost.
const (
	factWALPerRow  = "wal_bytes_per_row"
	factDiskPerRow = "disk_bytes_per_row"
	factIndexes    = "indexes"
)

// indexCost inserts events into a table with ten indexes, or with its primary
// key alone.
func indexCost(ctx context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	statements := []string{
		"drop table if exists events",
		`create table events (id bigint generated always as identity primary key,
			a bigint not null, b bigint not null, c bigint not null, d bigint not null, e bigint not null,
			f bigint not null, g bigint not null, h bigint not null, i bigint not null)`,
	}
	if variant == scenario.Before {
		for column := 'a'; column <= 'i'; column++ {
			statements = append(statements, fmt.Sprintf("create index on events (%c)", column))
		}
	}
	if err := exec(ctx, env.DB, append(statements, "checkpoint")...); err != nil {
		return nil, err
	}
	var begin string
	if err := env.DB.QueryRow(ctx, "select pg_current_wal_insert_lsn()::text").Scan(&begin); err != nil {
		return nil, fmt.Errorf("read the position of the write-ahead log: %w", err)
	}
	engine := env.engine()
	engine.POST("/api/events", env.handle(func(c *gin.Context) error {
		// Random values, as user ids or hashes are: every index gets its new
		// entries in all places.
		_, err := env.DB.Exec(c.Request.Context(), `insert into events (a, b, c, d, e, f, g, h, i)
			select r(), r(), r(), r(), r(), r(), r(), r(), r() from (select 1 from generate_series(1, $1)) as n`, rowsPerInsert)
		if err != nil {
			return err
		}
		c.JSON(http.StatusCreated, gin.H{"inserted": rowsPerInsert})
		return nil
	}))
	if err := exec(ctx, env.DB, "create or replace function r() returns bigint language sql volatile as 'select (random() * 9e15)::bigint'"); err != nil {
		return nil, err
	}
	facts := func(ctx context.Context) (map[string]float64, error) {
		var rows, wal, disk, indexes float64
		err := env.DB.QueryRow(ctx, `select (select count(*) from events),
			pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::float8, pg_total_relation_size('events')::float8,
			(select count(*) from pg_index where indrelid = 'events'::regclass)`, begin).Scan(&rows, &wal, &disk, &indexes)
		if err != nil || rows == 0 {
			return nil, err
		}
		return map[string]float64{factWALPerRow: wal / rows, factDiskPerRow: disk / rows, factIndexes: indexes}, nil
	}
	return &Set{Handler: engine, Facts: facts}, nil
}
