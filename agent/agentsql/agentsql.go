// Package agentsql measures any database through database/sql.
//
//	db, err := agentsql.Open(a, "pgx", dsn)
//	err = agentsql.ObserveDB(a, "primary", db)
//
// or, where the driver has a connector of its own:
//
//	db := sql.OpenDB(agentsql.WrapConnector(a, connector))
//
// Each query, execution, ping and step of a transaction gets a client span with
// the query's signature (never its values), an observation in
// db_client_operation_duration_seconds, and is charged to the component "db" of
// the request that made it. Preparing a statement and opening a connection are
// charged and have no span. A query that the driver declines with
// [driver.ErrSkip], so that database/sql prepares it first, is one operation.
//
// A query that returns rows lasts until its rows are closed, and the rows that
// were read are counted: N+1 detection needs to know over what a loop ran.
// Between two rows the caller has the word. Its time there is not the
// database's, neither in the component time nor in the histogram; the span
// covers it.
//
// What cannot be seen from a driver is the wait for a connection of a pool that
// is used up. It counts as the request's own time; [ObserveDB] exports how long
// the pool has made callers wait in all. agentpgx sees that wait, and batches;
// it does not see the time between rows.
//
// To database/sql a wrapped driver behaves as the bare one does, for every
// combination of the optional interfaces that a driver may have by Go 1.26;
// those of later releases are hidden. [sql.Conn.Raw] hands out the wrapper: see
// [Unwrap].
//
// Everything here is as safe for concurrent use as the driver is, starts no
// goroutine, and returns the driver's errors as they are. With a nil agent
// nothing is wrapped.
//
// For maintainers: connector.go, conn.go, stmt.go and rows.go wrap what their
// names say; shape.go keeps apart the interfaces that a connection may lack;
// detect.go reads names and addresses, class.go errors; pool.go is [ObserveDB].
package agentsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/dbcall"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

// Option changes what is recorded.
type Option func(*options)

type options struct {
	system string
	server endpoint
	class  func(error) string
}

// WithSystem sets the db.system.name, by the OpenTelemetry conventions, for
// example "postgresql". Defaults to what the driver's name and package say, and
// to "other_sql" where they say nothing.
func WithSystem(name string) Option { return func(o *options) { o.system = name } }

// WithServer sets the address of the server, for spans. Defaults to what the
// data source name says, where there is one in a form that is known.
func WithServer(host string, port uint16) Option {
	return func(o *options) { o.server.host, o.server.port = host, port }
}

// WithDatabase sets the name of the database, for spans. Its default is found
// as that of [WithServer] is.
func WithDatabase(name string) Option { return func(o *options) { o.server.database = name } }

// WithErrorClass names the class of a driver's errors, which is all that is
// recorded of an error; for example the number of a MySQL error. It must return
// one of few values and never the text of an error, which may quote a value of
// the query. The empty string means the default: the SQL state where the error
// has one, "timeout", "canceled", "connection", or the error's type.
func WithErrorClass(f func(error) string) Option { return func(o *options) { o.class = f } }

// Open is [sql.Open] with a driver that is measured. The driver must have been
// registered under the name, by its package's import as usual.
func Open(a *agent.Agent, driverName, dsn string, opts ...Option) (*sql.DB, error) {
	db, err := sql.Open(driverName, dsn)
	if err != nil || a == nil {
		return db, err
	}
	// database/sql tells a registered driver only through a pool. This one has
	// opened no connection.
	found := db.Driver()
	if err := db.Close(); err != nil {
		return nil, fmt.Errorf("open %s: %w", driverName, err)
	}
	inner := driver.Connector(dsnConnector{dsn, found})
	if d, ok := found.(driver.DriverContext); ok {
		if inner, err = d.OpenConnector(dsn); err != nil {
			return nil, err
		}
	}
	return sql.OpenDB(newSource(a, found, driverName, dsn, opts).connector(inner)), nil
}

// WrapConnector returns a connector for [sql.OpenDB] whose connections are
// measured.
func WrapConnector(a *agent.Agent, c driver.Connector, opts ...Option) driver.Connector {
	if a == nil {
		return c
	}
	return newSource(a, c.Driver(), "", "", opts).connector(c)
}

// WrapDriver returns a driver whose connections are measured, to be registered
// under another name, for libraries that open databases by name themselves.
func WrapDriver(a *agent.Agent, d driver.Driver, opts ...Option) driver.Driver {
	if a == nil {
		return d
	}
	w := wrappedDriver{a, d, opts}
	if _, ok := d.(driver.DriverContext); ok {
		return contextDriver{w}
	}
	return w
}

// Unwrap returns the driver's connection inside the one that [sql.Conn.Raw]
// hands out. What is done with it directly is not measured. Anything that is
// not a wrapped connection is returned as it is.
func Unwrap(driverConn any) any {
	if c, ok := driverConn.(interface{ unwrap() driver.Conn }); ok {
		return c.unwrap()
	}
	return driverConn
}

// source is what the connections of one database have in common.
type source struct {
	recorder *dbcall.Recorder
	server   endpoint
	class    func(error) string
}

func newSource(a *agent.Agent, d driver.Driver, name, dsn string, opts []Option) *source {
	o := options{system: systemOf(name, d), server: endpointOf(dsn)}
	for _, set := range opts {
		set(&o)
	}
	return &source{
		recorder: dbcall.New(a, dbcall.Target{Component: catalog.DB, System: o.system}),
		server:   o.server, class: o.class,
	}
}

// start begins to measure an operation.
func (s *source) start(ctx context.Context, signature sqlsig.Signature) (context.Context, dbcall.Call) {
	if signature.Summary == "" { // an empty query
		signature.Summary, signature.Operation = opPing, opPing
	}
	return s.recorder.Start(ctx, dbcall.Query{
		Signature: signature, Namespace: s.server.database, Host: s.server.host, Port: s.server.port,
	})
}

// end books an operation. Rows are those that were returned.
func (s *source) end(call dbcall.Call, err error, rows int64) {
	if err == nil {
		call.End(nil, "", rows)
		return
	}
	class := ""
	if s.class != nil {
		class = s.class(err)
	}
	if class == "" {
		class = classOf(err)
	}
	call.End(err, class, -1)
}
