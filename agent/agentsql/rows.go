package agentsql

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/cacheu/plumbline/agent/internal/dbcall"
)

// rows are measured rows, and count themselves. database/sql uses them from one
// goroutine at a time.
//
// They have all optional interfaces: where the inner rows lack one, the answer
// is what database/sql takes for granted then.
type rows struct {
	inner  driver.Rows
	source *source
	call   dbcall.Call
	ctx    context.Context // of the query, to tell why reading has ended
	read   int64
	err    error
	atEnd  bool
	closed bool
}

var (
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// newRows gives the word back to the caller until it asks for a row.
func newRows(ctx context.Context, s *source, call dbcall.Call, inner driver.Rows) *rows {
	r := &rows{inner: inner, source: s, call: call, ctx: ctx}
	r.call.Pause()
	return r
}

// Columns implements [driver.Rows].
func (r *rows) Columns() []string { return r.inner.Columns() }

// Next implements [driver.Rows].
func (r *rows) Next(dest []driver.Value) error {
	step := r.call.Resume()
	err := r.inner.Next(dest)
	r.call.Booked(step)
	switch err { //nolint:errorlint // database/sql compares so
	case nil:
		r.read++
	case io.EOF:
		r.atEnd = true
	default:
		r.err = err
	}
	return err
}

// Close implements [driver.Rows] and ends the operation. database/sql closes at
// the last row, at an error, and when the context ends.
func (r *rows) Close() error {
	if r.closed {
		return r.inner.Close()
	}
	r.closed = true
	step := r.call.Resume()
	err := r.inner.Close()
	r.call.Booked(step)
	failed := r.err
	if failed == nil {
		failed = err
	}
	if failed == nil && !r.atEnd {
		failed = r.ctx.Err()
	}
	r.source.end(r.call, failed, r.read)
	return err
}

// HasNextResultSet implements [driver.RowsNextResultSet].
func (r *rows) HasNextResultSet() bool {
	next, ok := r.inner.(driver.RowsNextResultSet)
	return ok && next.HasNextResultSet()
}

// NextResultSet implements [driver.RowsNextResultSet].
func (r *rows) NextResultSet() error {
	next, ok := r.inner.(driver.RowsNextResultSet)
	if !ok {
		return io.EOF
	}
	step := r.call.Resume()
	err := next.NextResultSet()
	r.call.Booked(step)
	r.atEnd = err != nil
	return err
}

// ColumnTypeScanType implements [driver.RowsColumnTypeScanType].
func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	if t, ok := r.inner.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName implements [driver.RowsColumnTypeDatabaseTypeName].
func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	if t, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

// ColumnTypeLength implements [driver.RowsColumnTypeLength].
func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	if t, has := r.inner.(driver.RowsColumnTypeLength); has {
		return t.ColumnTypeLength(index)
	}
	return 0, false
}

// ColumnTypeNullable implements [driver.RowsColumnTypeNullable].
func (r *rows) ColumnTypeNullable(index int) (nullable, ok bool) {
	if t, has := r.inner.(driver.RowsColumnTypeNullable); has {
		return t.ColumnTypeNullable(index)
	}
	return false, false
}

// ColumnTypePrecisionScale implements [driver.RowsColumnTypePrecisionScale].
func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if t, has := r.inner.(driver.RowsColumnTypePrecisionScale); has {
		return t.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}
