package agentsql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
)

func TestTheSystemIsKnownByTheDriversName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"pgx": "postgresql", "pgx/v5": "postgresql", "postgres": "postgresql", "cloudsqlpostgres": "postgresql",
		"cockroach": "cockroachdb", "mysql": "mysql", "MySQL": "mysql", "mariadb": "mariadb",
		"sqlite3": "sqlite", "sqlite": "sqlite", "libsql": "sqlite",
		"sqlserver": "microsoft.sql_server", "mssql": "microsoft.sql_server", "azuresql": "microsoft.sql_server",
		"oracle": "oracle.db", "godror": "oracle.db", "clickhouse": "clickhouse", "snowflake": "snowflake",
		"spanner": "gcp.spanner", "duckdb": "duckdb", "": "other_sql", "mine": "other_sql",
	} {
		if got := systemOf(name, nil); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

func TestTheAddressIsReadFromTheDataSourceName(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]endpoint{
		"postgres://me:secret@db.internal:5433/shop?sslmode=disable":     {"db.internal", 5433, "shop"},
		"postgres://me:p%40ss@[::1]/shop":                                {"::1", 0, "shop"},
		"postgres://a:5432,b:5432/shop":                                  {},
		"sqlserver://sa:secret@localhost:1433?database=shop":             {"localhost", 1433, ""},
		"me:s@cr:e/t@tcp(db.internal:3307)/shop?parseTime=true":          {"db.internal", 3307, "shop"},
		"me:secret@tcp(db.internal)/shop":                                {"db.internal", 0, "shop"},
		"me@unix(/run/mysql.sock)/shop":                                  {},
		"host=db.internal port=5432 user=me password=secret dbname=shop": {"db.internal", 5432, "shop"},
		"password='host=evil' host=db.internal":                          {},
		"file:shop.db?cache=shared":                                      {},
		"":                                                               {},
		"postgres://%zz":                                                 {},
	} {
		if got := endpointOf(dsn); got != want {
			t.Errorf("%s: %+v, want %+v", dsn, got, want)
		}
	}
}

type stateError string

func (stateError) Error() string      { return "a text with hunter2" }
func (s stateError) SQLState() string { return string(s) }

type typedError struct{}

func (*typedError) Error() string { return "a text with hunter2" }

func TestTheClassOfAnErrorHasNoText(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"23505":                fmt.Errorf("insert hunter2: %w", stateError("23505")),
		"agentsql.stateError":  stateError("not a state: hunter2"),
		"timeout":              fmt.Errorf("hunter2: %w", context.DeadlineExceeded),
		"canceled":             fmt.Errorf("hunter2: %w", context.Canceled),
		"connection":           fmt.Errorf("hunter2: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}),
		"*agentsql.typedError": fmt.Errorf("hunter2: %w", &typedError{}),
		"_OTHER":               fmt.Errorf("hunter2: %w", errors.New("hunter2")),
	} {
		if got := classOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	for _, err := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF} {
		if got := classOf(err); got != "connection" {
			t.Errorf("%v: %q", err, got)
		}
	}
}

// FuzzEndpointOf: whatever a password holds, escaped or not, nothing of it is
// taken for an address.
func FuzzEndpointOf(f *testing.F) {
	for _, password := range []string{"secret", "a/b", "1/b", "x@y/z?", "a?b#c", "a\\ host=evil", "a host=evil", "'a host=evil", "@tcp(evil)/x"} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		for _, form := range []string{"postgres://me:%s@db:5432/shop", "me:%s@tcp(db:5432)/shop", "dbname=shop host=db port=5432 password='%s'"} {
			got := endpointOf(fmt.Sprintf(form, password))
			if got != (endpoint{}) && got != (endpoint{"db", 5432, "shop"}) {
				t.Errorf(form+": %+v", password, got)
			}
		}
	})
}
