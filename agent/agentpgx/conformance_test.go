package agentpgx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agenttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	agenttest.ExerciseSQL(t, agenttest.SQLAdapter{
		Open: func(tb testing.TB, a *agent.Agent, limit int) agenttest.SQLDatabase {
			tb.Helper()
			config, err := pgxpool.ParseConfig(url)
			if err != nil {
				tb.Fatal(err)
			}
			config.MaxConns = int32(limit)
			config.ConnConfig.Tracer = agentpgx.NewTracer(a)
			p, err := pgxpool.NewWithConfig(tb.Context(), config)
			if err != nil {
				tb.Fatal(err)
			}
			return database{p}
		},
	})
}

// database is a pool of pgx as the suite sees it.
type database struct{ pool *pgxpool.Pool }

func (d database) Exec(ctx context.Context, query string, args ...any) error {
	_, err := d.pool.Exec(ctx, query, args...)
	return err
}

func (d database) Query(ctx context.Context, each func(int), query string, args ...any) (n int, err error) {
	rows, err := d.pool.Query(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		if each == nil {
			continue
		}
		var id int
		if err := rows.Scan(&id); err != nil {
			return n, err
		}
		each(id)
	}
	return n, rows.Err()
}

// Prepared leaves the preparing to pgx, which does it once for each connection.
func (d database) Prepared(ctx context.Context, query string, args []int) error {
	for _, arg := range args {
		if _, err := d.Query(ctx, nil, query, arg); err != nil {
			return err
		}
	}
	return nil
}

func (d database) Batch(ctx context.Context, ids []int) error {
	batch := &pgx.Batch{}
	for _, id := range ids {
		batch.Queue("select id from authors where id = $1", id)
	}
	return d.pool.SendBatch(ctx, batch).Close()
}

func (d database) Tx(ctx context.Context, commit bool, query string, args ...any) error {
	tx, err := d.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, query, args...); err != nil {
		return err
	}
	if !commit {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

func (d database) Observe(a *agent.Agent, name string) error {
	return agentpgx.ObservePool(a, name, d.pool)
}

func (d database) Hold(ctx context.Context) (func(), error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return conn.Release, nil
}

func (d database) Close() { d.pool.Close() }
