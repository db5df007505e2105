package agentsql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/agenttest"
)

// instant is a driver that answers at once, so that what is measured is
// database/sql and the wrapper.
type instant struct{ rows int }

func (c instant) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (instant) Driver() driver.Driver                          { return fakeDriver{} }
func (instant) Prepare(string) (driver.Stmt, error)            { return nil, errFake }
func (instant) Close() error                                   { return nil }
func (instant) Begin() (driver.Tx, error)                      { return nil, errFake }

func (instant) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

func (c instant) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &instantRows{left: c.rows}, nil
}

type instantRows struct{ left int }

func (*instantRows) Columns() []string { return nil }
func (*instantRows) Close() error      { return nil }

func (r *instantRows) Next([]driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	return nil
}

// BenchmarkQuery is one query of a measured request, bare and measured. What a
// row costs is the difference between 1000 rows and 1, by 999.
func BenchmarkQuery(b *testing.B) {
	rec := agenttest.New(b, func(c *agent.Config) { c.Traces.SampleRatio, c.Traces.Keep = -1, -1 })
	for _, c := range []struct {
		name string
		rows int
	}{{"exec", -1}, {"1 row", 1}, {"1000 rows", 1000}} {
		for name, a := range map[string]*agent.Agent{"bare": nil, "measured": rec.Agent()} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				db := sql.OpenDB(agentsql.WrapConnector(a, instant{c.rows}))
				defer db.Close()
				request, r := rec.Agent().StartRequest(httptest.NewRequest(http.MethodGet, "/", nil), "/")
				defer request.End(agent.Response{})
				ctx := r.Context()
				b.ReportAllocs()
				for b.Loop() {
					if c.rows < 0 {
						_, _ = db.ExecContext(ctx, "update t set x = 1")
						continue
					}
					rows, err := db.QueryContext(ctx, "select x from t")
					if err != nil {
						b.Fatal(err)
					}
					for rows.Next() {
					}
				}
			})
		}
	}
}
