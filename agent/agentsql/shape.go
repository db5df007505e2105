package agentsql

import (
	"context"
	"database/sql/driver"
)

// Interfaces of a connection whose mere presence makes database/sql behave
// differently: arguments are converted before and not after a statement is
// prepared, and a connection is kept after a rollback only where it has both of
// the last two. A wrapper has exactly those that the inner connection has.
const (
	executes = 1 << iota
	queries
	resets
	validates
)

// The parts of a connection that are there or not.
type (
	execer    struct{ c *conn }
	queryer   struct{ c *conn }
	resetter  struct{ c *conn }
	validator struct{ c *conn }
)

var (
	_ driver.ExecerContext   = execer{}
	_ driver.QueryerContext  = queryer{}
	_ driver.SessionResetter = resetter{}
	_ driver.Validator       = validator{}
)

func shapeOf(inner driver.Conn) (shape int) {
	switch inner.(type) {
	case driver.ExecerContext, driver.Execer: //nolint:staticcheck // drivers still have it
		shape |= executes
	}
	switch inner.(type) {
	case driver.QueryerContext, driver.Queryer: //nolint:staticcheck // drivers still have it
		shape |= queries
	}
	if _, ok := inner.(driver.SessionResetter); ok {
		shape |= resets
	}
	if _, ok := inner.(driver.Validator); ok {
		shape |= validates
	}
	return shape
}

// conn wraps a connection.
func (s *source) conn(inner driver.Conn) driver.Conn {
	c := &conn{inner: inner, source: s}
	e, q, r, v := execer{c}, queryer{c}, resetter{c}, validator{c}
	switch shapeOf(inner) {
	case executes:
		return struct {
			*conn
			execer
		}{c, e}
	case queries:
		return struct {
			*conn
			queryer
		}{c, q}
	case executes | queries:
		return struct {
			*conn
			execer
			queryer
		}{c, e, q}
	case resets:
		return struct {
			*conn
			resetter
		}{c, r}
	case executes | resets:
		return struct {
			*conn
			execer
			resetter
		}{c, e, r}
	case queries | resets:
		return struct {
			*conn
			queryer
			resetter
		}{c, q, r}
	case executes | queries | resets:
		return struct {
			*conn
			execer
			queryer
			resetter
		}{c, e, q, r}
	case validates:
		return struct {
			*conn
			validator
		}{c, v}
	case executes | validates:
		return struct {
			*conn
			execer
			validator
		}{c, e, v}
	case queries | validates:
		return struct {
			*conn
			queryer
			validator
		}{c, q, v}
	case executes | queries | validates:
		return struct {
			*conn
			execer
			queryer
			validator
		}{c, e, q, v}
	case resets | validates:
		return struct {
			*conn
			resetter
			validator
		}{c, r, v}
	case executes | resets | validates:
		return struct {
			*conn
			execer
			resetter
			validator
		}{c, e, r, v}
	case queries | resets | validates:
		return struct {
			*conn
			queryer
			resetter
			validator
		}{c, q, r, v}
	case executes | queries | resets | validates:
		return struct {
			*conn
			execer
			queryer
			resetter
			validator
		}{c, e, q, r, v}
	}
	return c
}

// ExecContext implements [driver.ExecerContext].
func (e execer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c := e.c
	ctx, call := c.source.start(ctx, c.source.recorder.Signature(query))
	result, err := c.exec(ctx, query, args)
	if err == driver.ErrSkip { //nolint:errorlint // database/sql compares so
		c.decline(call, query)
		return nil, err
	}
	c.source.end(call, err, 0)
	return result, err
}

func (c *conn) exec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := c.inner.(driver.ExecerContext); ok {
		return e.ExecContext(ctx, query, args)
	}
	values, err := plain(ctx, args)
	if err != nil {
		return nil, err
	}
	return c.inner.(driver.Execer).Exec(query, values) //nolint:staticcheck // drivers still have it
}

// QueryContext implements [driver.QueryerContext].
func (q queryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c := q.c
	ctx, call := c.source.start(ctx, c.source.recorder.Signature(query))
	inner, err := c.query(ctx, query, args)
	switch {
	case err == driver.ErrSkip: //nolint:errorlint // database/sql compares so
		c.decline(call, query)
		return nil, err
	case err != nil:
		c.source.end(call, err, -1)
		return nil, err
	}
	return newRows(ctx, c.source, call, inner), nil
}

func (c *conn) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := c.inner.(driver.QueryerContext); ok {
		return q.QueryContext(ctx, query, args)
	}
	values, err := plain(ctx, args)
	if err != nil {
		return nil, err
	}
	return c.inner.(driver.Queryer).Query(query, values) //nolint:staticcheck // drivers still have it
}

// ResetSession implements [driver.SessionResetter]. The time is charged,
// because some drivers ask the server here.
func (r resetter) ResetSession(ctx context.Context) error {
	defer r.c.source.recorder.Step(ctx).End()
	return r.c.inner.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid implements [driver.Validator].
func (v validator) IsValid() bool { return v.c.inner.(driver.Validator).IsValid() }
