package agentsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/agenttest"
)

// TestAWrappedDriverIsUsedAsTheBareOneIs runs the same script against a driver
// of every shape, bare and wrapped: the driver must be called in the same way,
// and the script must see the same results.
func TestAWrappedDriverIsUsedAsTheBareOneIs(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	for _, old := range []bool{false, true} {
		for shape := range shapes {
			if old && !slices.Contains(oldShapes(), shape) {
				continue
			}
			for variant := range 8 {
				t.Run(fmt.Sprintf("parts %05b, variant %03b, without context: %v", shape, variant, old), func(t *testing.T) {
					t.Parallel()
					driver := func() *fake {
						return &fake{shape: shape, old: old, stmts: variant&1 > 0, convs: variant&2 > 0, rows: variant&4 > 0}
					}
					bare, wrapped := driver(), driver()
					want := script(sql.OpenDB(bare), bare)
					got := script(sql.OpenDB(agentsql.WrapConnector(rec.Agent(), wrapped)), wrapped)
					compare(t, got, want)
				})
			}
		}
	}
}

// compare shows the first line that differs.
func compare(t *testing.T, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-5)
			t.Fatalf("wrapped:\n  %s\nbare:\n  %s", strings.Join(a[from:i+1], "\n  "), strings.Join(b[from:i+1], "\n  "))
		}
	}
	if len(a) != len(b) {
		t.Fatalf("wrapped: %d lines, bare: %d", len(a), len(b))
	}
}

// script uses a database in every way that touches an optional interface, and
// returns the calls of the driver with the results among them.
func script(db *sql.DB, f *fake) string {
	defer db.Close()
	db.SetMaxOpenConns(1) // the order of calls is that of the script
	ctx := context.Background()
	f.note("ping: %v", db.PingContext(ctx))
	for _, query := range []string{"plain", "skip", "bad", "fail", "skip unpreparable", "skip fail", "break"} {
		exec(ctx, db, f, query, nil)
		query1(ctx, db, f, query, nil)
	}
	for _, query := range []string{"plain ?", "skip ?"} {
		for _, args := range [][]any{{1}, {sql.Named("n", 1)}, {custom{"x"}}, {nil}, {struct{}{}}, {1, 2}} {
			exec(ctx, db, f, query, args)
			query1(ctx, db, f, query, args)
		}
		query1(ctx, db, f, query+" uncounted", []any{1, custom{"y"}})
	}
	skipSet(ctx, db, f)
	prepared(ctx, db, f)
	transactions(ctx, db, f)
	done, cancel := context.WithCancel(ctx)
	cancel()
	exec(done, db, f, "plain", nil)
	conn, err := db.Conn(ctx)
	if err != nil {
		f.note("conn: %v", err)
		return f.calls()
	}
	f.note("raw: %v", conn.Raw(func(c any) error {
		_, ok := agentsql.Unwrap(c).(interface{ Begin() (driver.Tx, error) })
		f.note("unwrapped: %T, %v", agentsql.Unwrap(c), ok)
		return driver.ErrBadConn
	}))
	f.note("%v", conn.Close())
	exec(ctx, db, f, "last", nil)
	return f.calls()
}

func exec(ctx context.Context, db *sql.DB, f *fake, query string, args []any) {
	result, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		f.note("error %v", err)
		return
	}
	n, err := result.RowsAffected()
	f.note("affected %d, %v", n, err)
}

func query1(ctx context.Context, db *sql.DB, f *fake, query string, args []any) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		f.note("error %v", err)
		return
	}
	readAll(f, rows)
	var one string
	f.note("row: %v %q", db.QueryRowContext(ctx, query, args...).Scan(&one), one)
}

// skipSet leaves a set of results before its end.
func skipSet(ctx context.Context, db *sql.DB, f *fake) {
	rows, err := db.QueryContext(ctx, "skipped set")
	if err != nil {
		f.note("error %v", err)
		return
	}
	f.note("first row: %v", rows.Next())
	f.note("next set: %v, %v", rows.NextResultSet(), rows.Err())
	f.note("its first row: %v", rows.Next())
	f.note("close: %v", rows.Close())
}

func readAll(f *fake, rows *sql.Rows) {
	defer rows.Close()
	types, err := rows.ColumnTypes()
	f.note("types %d, %v", len(types), err)
	for _, c := range types {
		length, hasLength := c.Length()
		nullable, hasNullable := c.Nullable()
		precision, scale, hasDecimal := c.DecimalSize()
		f.note("%s %s %v %v %v %v %v %v %v %v", c.Name(), c.DatabaseTypeName(), c.ScanType(),
			length, hasLength, nullable, hasNullable, precision, scale, hasDecimal)
	}
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var value string
			f.note("row %v %q", rows.Scan(&value), value)
		}
	}
	f.note("err %v", rows.Err())
}

func prepared(ctx context.Context, db *sql.DB, f *fake) {
	for _, query := range []string{"prepared ?", "prepared fail ?", "prepared break ?", "prepared uncounted ?"} {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			f.note("prepare: %v", err)
			continue
		}
		for _, arg := range []any{1, custom{"z"}, sql.Named("n", 1), nil} {
			_, err := stmt.ExecContext(ctx, arg)
			f.note("exec: %v", err)
			rows, err := stmt.QueryContext(ctx, arg)
			if err != nil {
				f.note("query: %v", err)
				continue
			}
			readAll(f, rows)
		}
		f.note("close: %v", stmt.Close())
	}
}

func transactions(ctx context.Context, db *sql.DB, f *fake) {
	for _, opts := range []*sql.TxOptions{nil, {}, {Isolation: sql.LevelSerializable}, {ReadOnly: true}} {
		for _, commit := range []bool{true, false} {
			tx, err := db.BeginTx(ctx, opts)
			if err != nil {
				f.note("begin: %v", err)
				continue
			}
			_, err = tx.ExecContext(ctx, "in tx")
			f.note("exec: %v", err)
			if commit {
				f.note("commit: %v", tx.Commit())
			} else {
				f.note("rollback: %v", tx.Rollback())
			}
		}
	}
	// A context that ends rolls back, and keeps the connection only where it
	// can be reset and validated. The next query waits until that is done.
	inner, cancel := context.WithCancel(ctx)
	if _, err := db.BeginTx(inner, nil); err != nil {
		f.note("begin: %v", err)
	}
	cancel()
	exec(ctx, db, f, "after a cancelled transaction", nil)
}
