package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// rowsPerInsert is how many rows one request inserts.
const rowsPerInsert = 100

// Facts of the scenario index-cost.
const (
	factWALPerRow  = "wal_bytes_per_row"
	factDiskPerRow = "disk_bytes_per_row"
	factIndexes    = "indexes"
	factRowsRate   = "rows_per_second_of_inserting"
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
	var inserts, spent atomic.Int64 // requests, and nanoseconds at the database
	engine := env.engine()
	engine.POST("/api/events", env.handle(func(c *gin.Context) error {
		// Random values, as user ids or hashes are: every index gets its new
		// entries in all places.
		begin := time.Now()
		if _, err := env.DB.Exec(c.Request.Context(), insertEvents); err != nil {
			return err
		}
		inserts.Add(1)
		spent.Add(int64(time.Since(begin)))
		c.JSON(http.StatusCreated, gin.H{"inserted": rowsPerInsert})
		return nil
	}))
	if err := exec(ctx, env.DB, "create or replace function r() returns bigint language sql volatile as 'select (random() * 9e15)::bigint'"); err != nil {
		return nil, err
	}
	facts := func(ctx context.Context) (map[string]float64, error) {
		wal, err := walOfInsert(ctx, env)
		if err != nil {
			return nil, err
		}
		var rows, disk, indexes float64
		err = env.DB.QueryRow(ctx, `select (select count(*) from events), pg_total_relation_size('events')::float8,
			(select count(*) from pg_index where indrelid = 'events'::regclass)`).Scan(&rows, &disk, &indexes)
		if err != nil {
			return nil, fmt.Errorf("measure the table: %w", err)
		}
		return map[string]float64{
			factWALPerRow: wal / rowsPerInsert, factDiskPerRow: disk / max(1, rows), factIndexes: indexes,
			factRowsRate: float64(inserts.Load()) * rowsPerInsert / max(1e-9, time.Duration(spent.Load()).Seconds()),
		}, nil
	}
	return &Set{Handler: engine, Facts: facts}, nil
}

// insertEvents inserts rowsPerInsert rows.
var insertEvents = fmt.Sprintf(`insert into events (a, b, c, d, e, f, g, h, i)
	select r(), r(), r(), r(), r(), r(), r(), r(), r() from generate_series(1, %d)`, rowsPerInsert)

// errUndo takes back what was only tried.
var errUndo = errors.New("taken back")

// walOfInsert returns how many bytes of write-ahead log one insert writes, and
// takes the insert back. PostgreSQL counts them for the statement itself: the
// position of the log moves with everything else on the server as well.
func walOfInsert(ctx context.Context, env Env) (bytes float64, err error) {
	err = pgx.BeginFunc(ctx, env.DB, func(tx pgx.Tx) error {
		plan, err := explainOn(ctx, tx, "analyze, wal", insertEvents)
		bytes = plan.WALBytes
		return errors.Join(err, errUndo)
	})
	if errors.Is(err, errUndo) && bytes > 0 {
		err = nil
	}
	return bytes, err
}
