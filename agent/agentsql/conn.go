package agentsql

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/cacheu/plumbline/agent/internal/dbcall"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

// Operations that are not SQL text of the service's.
const (
	opPing     = "PING"
	opBegin    = "BEGIN"
	opCommit   = "COMMIT"
	opRollback = "ROLLBACK"
)

// conn is a measured connection. database/sql uses it from one goroutine at a
// time.
//
// Of the optional interfaces it has all those whose absence in the inner
// connection can be answered as database/sql itself does when they are absent.
// The others are in shape.go.
type conn struct {
	inner    driver.Conn
	source   *source
	declined *declined
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// declined is an operation whose query the driver has declined: database/sql
// prepares it next, on the same connection.
type declined struct {
	call  dbcall.Call
	query string
}

// errNotRun ends an operation that was declined and then not run, because its
// arguments do not fit the statement.
var errNotRun = errors.New("the statement was not run")

func (c *conn) unwrap() driver.Conn { return c.inner }

// plain turns arguments into those of the interfaces without a context, with
// the checks that database/sql makes before it calls those.
func plain(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}

func (c *conn) decline(call dbcall.Call, query string) {
	c.settle()
	c.declined = &declined{call, query}
}

// settle ends an operation that was declined and not taken up.
func (c *conn) settle() {
	if c.declined != nil {
		c.source.end(c.declined.call, errNotRun, -1)
		c.declined = nil
	}
}

// Prepare implements [driver.Conn].
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements [driver.ConnPrepareContext]. The time is charged;
// the operation is what the statement is run for.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	taken := c.declined
	if taken != nil && taken.query == query {
		c.declined = nil
	} else {
		c.settle()
		taken = nil
	}
	step := c.source.recorder.Step(ctx)
	inner, err := c.prepare(ctx, query)
	step.End()
	if err != nil {
		if taken != nil {
			c.source.end(taken.call, err, -1)
		}
		return nil, err
	}
	return newStmt(c, inner, query, taken), nil
}

func (c *conn) prepare(ctx context.Context, query string) (driver.Stmt, error) {
	if p, ok := c.inner.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	s, err := c.inner.Prepare(query)
	if err == nil && ctx.Err() != nil {
		_ = s.Close() // what the caller wants to hear of is the context
		return nil, ctx.Err()
	}
	return s, err
}

// Close implements [driver.Conn].
func (c *conn) Close() error {
	c.settle()
	return c.inner.Close()
}

// Begin implements [driver.Conn].
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	inside, call := c.source.start(ctx, control(opBegin))
	inner, err := c.begin(inside, opts)
	c.source.end(call, err, 0)
	if err != nil {
		return nil, err
	}
	return &tx{inner, c.source, ctx}, nil
}

func (c *conn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.inner.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	t, err := c.inner.Begin() //nolint:staticcheck // drivers still have it
	if err == nil && ctx.Err() != nil {
		_ = t.Rollback() // what the caller wants to hear of is the context
		return nil, ctx.Err()
	}
	return t, err
}

// Ping implements [driver.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	p, ok := c.inner.(driver.Pinger)
	if !ok {
		return nil
	}
	ctx, call := c.source.start(ctx, control(opPing))
	err := p.Ping(ctx)
	c.source.end(call, err, 0)
	return err
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.inner.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// tx is a measured transaction.
type tx struct {
	inner  driver.Tx
	source *source
	ctx    context.Context // of its begin: a driver's transaction is given no other
}

var _ driver.Tx = (*tx)(nil)

// Commit implements [driver.Tx].
func (t *tx) Commit() error {
	_, call := t.source.start(t.ctx, control(opCommit))
	err := t.inner.Commit()
	t.source.end(call, err, 0)
	return err
}

// Rollback implements [driver.Tx].
func (t *tx) Rollback() error {
	_, call := t.source.start(t.ctx, control(opRollback))
	err := t.inner.Rollback()
	t.source.end(call, err, 0)
	return err
}

func control(operation string) sqlsig.Signature {
	return sqlsig.Signature{Text: operation, Operation: operation, Summary: operation}
}
