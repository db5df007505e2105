package agentsql

import (
	"context"
	"database/sql/driver"

	"github.com/cacheu/plumbline/agent/internal/dbcall"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

// stmt is a measured prepared statement. Of the optional interfaces only
// ColumnConverter needs to be kept apart; see [conn].
type stmt struct {
	inner     driver.Stmt
	conn      *conn
	signature sqlsig.Signature
	declined  *declined // the operation that the first run belongs to
}

var (
	_ driver.Stmt              = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

func newStmt(c *conn, inner driver.Stmt, query string, taken *declined) driver.Stmt {
	s := &stmt{inner, c, c.source.recorder.Signature(query), taken}
	if converter, ok := inner.(driver.ColumnConverter); ok { //nolint:staticcheck // drivers still have it
		return convertingStmt{s, converter}
	}
	return s
}

// convertingStmt is a statement that converts its arguments by column.
type convertingStmt struct {
	*stmt
	converter driver.ColumnConverter //nolint:staticcheck // drivers still have it
}

// ColumnConverter implements [driver.ColumnConverter].
func (s convertingStmt) ColumnConverter(column int) driver.ValueConverter {
	return s.converter.ColumnConverter(column)
}

// start begins the operation of a run, or goes on with the one that made
// database/sql prepare the statement.
func (s *stmt) start(ctx context.Context) (context.Context, dbcall.Call) {
	if s.declined != nil {
		call := s.declined.call
		s.declined = nil
		return ctx, call
	}
	return s.conn.source.start(ctx, s.signature)
}

// Close implements [driver.Stmt].
func (s *stmt) Close() error {
	if s.declined != nil {
		s.conn.source.end(s.declined.call, errNotRun, -1)
		s.declined = nil
	}
	return s.inner.Close()
}

// NumInput implements [driver.Stmt].
func (s *stmt) NumInput() int { return s.inner.NumInput() }

// Exec implements [driver.Stmt]. database/sql calls ExecContext.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.inner.Exec(args) //nolint:staticcheck // the interface has it
}

// Query implements [driver.Stmt]. database/sql calls QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.inner.Query(args) //nolint:staticcheck // the interface has it
}

// ExecContext implements [driver.StmtExecContext].
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	ctx, call := s.start(ctx)
	result, err := s.exec(ctx, args)
	s.conn.source.end(call, err, 0)
	return result, err
}

func (s *stmt) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := s.inner.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	values, err := plain(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Exec(values) //nolint:staticcheck // drivers still have it
}

// QueryContext implements [driver.StmtQueryContext].
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	ctx, call := s.start(ctx)
	inner, err := s.query(ctx, args)
	if err != nil {
		s.conn.source.end(call, err, -1)
		return nil, err
	}
	return newRows(ctx, s.conn.source, call, inner), nil
}

func (s *stmt) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := s.inner.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	values, err := plain(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Query(values) //nolint:staticcheck // drivers still have it
}

// CheckNamedValue implements [driver.NamedValueChecker]. A statement without
// one has its connection's, which database/sql asks next.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.inner.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}
