package agentsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/internal/testpg"
)

var url string // of the server that all tests share

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	server, err := testpg.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	url = server.URL("postgres")
	if err := schema(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func schema() error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(agenttest.SQLSchema)
	return err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	agenttest.ExerciseSQL(t, agenttest.SQLAdapter{
		SeesRows: true,
		Open: func(tb testing.TB, a *agent.Agent, limit int) agenttest.SQLDatabase {
			tb.Helper()
			return database{open(tb, a, limit)}
		},
	})
}

func open(tb testing.TB, a *agent.Agent, limit int) *sql.DB {
	tb.Helper()
	db, err := agentsql.Open(a, "pgx", url)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(limit)
	db.SetMaxIdleConns(limit)
	return db
}

// database is database/sql as the suite sees it.
type database struct{ db *sql.DB }

func (d database) Exec(ctx context.Context, query string, args ...any) error {
	_, err := d.db.ExecContext(ctx, query, args...)
	return err
}

func (d database) Query(ctx context.Context, each func(int), query string, args ...any) (int, error) {
	rows, err := d.db.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return read(rows, each)
}

func read(rows *sql.Rows, each func(int)) (n int, err error) {
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

func (d database) Prepared(ctx context.Context, query string, args []int) error {
	stmt, err := d.db.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, arg := range args {
		rows, err := stmt.QueryContext(ctx, arg)
		if err != nil {
			return err
		}
		if _, err := read(rows, nil); err != nil {
			return err
		}
	}
	return nil
}

func (d database) Batch(ctx context.Context, ids []int) error {
	_, err := d.Query(ctx, nil, "select id from authors where id = any($1)", ids)
	return err
}

func (d database) Tx(ctx context.Context, commit bool, query string, args ...any) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return err
	}
	if !commit {
		return tx.Rollback()
	}
	return tx.Commit()
}

func (d database) Observe(a *agent.Agent, name string) error {
	return agentsql.ObserveDB(a, name, d.db)
}

func (d database) Hold(ctx context.Context) (func(), error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return func() { _ = conn.Close() }, nil
}

func (d database) Close() { _ = d.db.Close() }
