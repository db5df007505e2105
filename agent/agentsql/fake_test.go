package agentsql_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
)

// fake is a driver that writes down how it is called. What a query does is in
// its text: "skip" is declined, "bad" finds the connection broken the first two
// times, "fail" fails, "break" fails while rows are read.
type fake struct {
	mu    sync.Mutex
	log   []string
	conns int
	bad   int
	shape int  // of connections; see shaped
	stmts bool // statements have all optional interfaces
	convs bool // statements have a ColumnConverter
	rows  bool // rows have all optional interfaces
	old   bool // Execer and Queryer have no context
}

var errFake = errors.New("fake failure")

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *fake) calls() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "\n")
}

func (f *fake) Driver() driver.Driver { return fakeDriver{} }

func (f *fake) Connect(context.Context) (driver.Conn, error) {
	f.mu.Lock()
	f.conns++
	id := f.conns
	f.mu.Unlock()
	f.note("connect %d", id)
	return shaped(f, &fakeConn{f, id}), nil
}

type fakeDriver struct{}

func (fakeDriver) Open(string) (driver.Conn, error) { return nil, errFake }

// custom is an argument that only a driver knows how to convert.
type custom struct{ s string }

// outcome is what a query's text asks for.
func (f *fake) outcome(query string) error {
	switch {
	case strings.Contains(query, "skip"):
		return driver.ErrSkip
	case strings.Contains(query, "fail"):
		return errFake
	case strings.Contains(query, "bad"):
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.bad++; f.bad <= 2 {
			return driver.ErrBadConn
		}
	}
	return nil
}

type fakeConn struct {
	f  *fake
	id int
}

func (c *fakeConn) Prepare(query string) (driver.Stmt, error) {
	c.f.note("%d prepare %s", c.id, query)
	return c.stmt(query)
}

func (c *fakeConn) stmt(query string) (driver.Stmt, error) {
	if strings.Contains(query, "unpreparable") {
		return nil, errFake
	}
	s := &fakeStmt{c, query}
	switch {
	case c.f.stmts && c.f.convs:
		return struct {
			*fakeStmt
			stmtParts
			stmtConverter
		}{s, stmtParts{s}, stmtConverter{s}}, nil
	case c.f.stmts:
		return struct {
			*fakeStmt
			stmtParts
		}{s, stmtParts{s}}, nil
	case c.f.convs:
		return struct {
			*fakeStmt
			stmtConverter
		}{s, stmtConverter{s}}, nil
	}
	return s, nil
}

func (c *fakeConn) Close() error {
	c.f.note("%d close", c.id)
	return nil
}

func (c *fakeConn) Begin() (driver.Tx, error) {
	c.f.note("%d begin", c.id)
	return fakeTx{c}, nil
}

type fakeTx struct{ c *fakeConn }

func (t fakeTx) Commit() error {
	t.c.f.note("%d commit", t.c.id)
	return nil
}

func (t fakeTx) Rollback() error {
	t.c.f.note("%d rollback", t.c.id)
	return nil
}

// The optional parts of a connection.
type (
	withExec     struct{ c *fakeConn }
	withOldExec  struct{ c *fakeConn }
	withQuery    struct{ c *fakeConn }
	withOldQuery struct{ c *fakeConn }
	withReset    struct{ c *fakeConn }
	withValid    struct{ c *fakeConn }
	withRest     struct{ c *fakeConn }
)

func (w withExec) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	w.c.f.note("%d exec context %s %v", w.c.id, query, args)
	return driver.RowsAffected(1), w.c.f.outcome(query)
}

func (w withOldExec) Exec(query string, args []driver.Value) (driver.Result, error) {
	w.c.f.note("%d exec %s %v", w.c.id, query, args)
	return driver.RowsAffected(1), w.c.f.outcome(query)
}

func (w withQuery) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	w.c.f.note("%d query context %s %v", w.c.id, query, args)
	return w.c.rowsOf(query, w.c.f.outcome(query))
}

func (w withOldQuery) Query(query string, args []driver.Value) (driver.Rows, error) {
	w.c.f.note("%d query %s %v", w.c.id, query, args)
	return w.c.rowsOf(query, w.c.f.outcome(query))
}

func (w withReset) ResetSession(context.Context) error {
	w.c.f.note("%d reset", w.c.id)
	return nil
}

func (w withValid) IsValid() bool {
	w.c.f.note("%d is valid", w.c.id)
	return w.c.id != 2
}

func (w withRest) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	w.c.f.note("%d prepare context %s", w.c.id, query)
	return w.c.stmt(query)
}

func (w withRest) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	w.c.f.note("%d begin %+v", w.c.id, opts)
	return fakeTx{w.c}, nil
}

func (w withRest) Ping(context.Context) error {
	w.c.f.note("%d ping", w.c.id)
	return errFake
}

func (w withRest) CheckNamedValue(v *driver.NamedValue) error { return convert(v, "conn") }

// convert knows custom values, drops nil ones and leaves the rest to
// database/sql.
func convert(v *driver.NamedValue, by string) error {
	switch value := v.Value.(type) {
	case custom:
		v.Value = value.s + " by " + by
		return nil
	case nil:
		return driver.ErrRemoveArgument
	}
	return driver.ErrSkip
}

type fakeStmt struct {
	c     *fakeConn
	query string
}

func (s *fakeStmt) Close() error {
	s.c.f.note("%d close stmt %s", s.c.id, s.query)
	return nil
}

func (s *fakeStmt) NumInput() int {
	if strings.Contains(s.query, "uncounted") {
		return -1
	}
	return strings.Count(s.query, "?")
}

func (s *fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.c.f.note("%d stmt exec %s %v", s.c.id, s.query, args)
	return driver.RowsAffected(1), s.outcome()
}

func (s *fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.c.f.note("%d stmt query %s %v", s.c.id, s.query, args)
	return s.c.rowsOf(s.query, s.outcome())
}

// outcome of a statement is that of its query, but for declining.
func (s *fakeStmt) outcome() error {
	if err := s.c.f.outcome(s.query); err != driver.ErrSkip {
		return err
	}
	return nil
}

type (
	stmtParts     struct{ s *fakeStmt }
	stmtConverter struct{ s *fakeStmt }
)

func (p stmtParts) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	p.s.c.f.note("%d stmt exec context %s %v", p.s.c.id, p.s.query, args)
	return driver.RowsAffected(1), p.s.outcome()
}

func (p stmtParts) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	p.s.c.f.note("%d stmt query context %s %v", p.s.c.id, p.s.query, args)
	return p.s.c.rowsOf(p.s.query, p.s.outcome())
}

func (p stmtParts) CheckNamedValue(v *driver.NamedValue) error { return convert(v, "stmt") }

func (c stmtConverter) ColumnConverter(int) driver.ValueConverter { return c }

func (c stmtConverter) ConvertValue(v any) (driver.Value, error) {
	if value, ok := v.(custom); ok {
		return value.s + " by column", nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

func (c *fakeConn) rowsOf(query string, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	r := &fakeRows{c: c, query: query}
	if c.f.rows {
		return fullRows{r}, nil
	}
	return r, nil
}

// fakeRows are two sets of two rows each; without NextResultSet the first.
type fakeRows struct {
	c      *fakeConn
	query  string
	at, in int
}

func (r *fakeRows) Columns() []string { return []string{"a"} }

func (r *fakeRows) Close() error {
	r.c.f.note("%d close rows %s", r.c.id, r.query)
	return nil
}

func (r *fakeRows) Next(dest []driver.Value) error {
	r.c.f.note("%d next %s", r.c.id, r.query)
	if r.at == 2 {
		return io.EOF
	}
	if r.at == 1 && strings.Contains(r.query, "break") {
		return errFake
	}
	r.at++
	dest[0] = fmt.Sprint(r.in, r.at)
	return nil
}

type fullRows struct{ *fakeRows }

func (r fullRows) HasNextResultSet() bool { return r.in == 0 }

func (r fullRows) NextResultSet() error {
	if r.in == 1 {
		return io.EOF
	}
	r.in, r.at = 1, 0
	return nil
}

func (r fullRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[string]() }
func (r fullRows) ColumnTypeDatabaseTypeName(int) string             { return "TEXT" }
func (r fullRows) ColumnTypeLength(int) (int64, bool)                { return 7, true }
func (r fullRows) ColumnTypeNullable(int) (nullable, ok bool)        { return true, true }
func (r fullRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 3, 2, true }
