package replication_test

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/cacheu/plumbline/agent/replication"
)

// stuckQuerier does not heed the end of its context.
type stuckQuerier struct {
	calls   atomic.Int32
	release chan struct{}
}

func (q *stuckQuerier) Query(context.Context, string) (replication.Rows, error) {
	q.calls.Add(1)
	<-q.release
	return nil, fmt.Errorf("released")
}

// panicQuerier is a driver with a defect.
type panicQuerier struct{}

func (panicQuerier) Query(context.Context, string) (replication.Rows, error) { panic("a defect") }

// errorQuerier refuses everything.
type errorQuerier struct{ err error }

func (q errorQuerier) Query(context.Context, string) (replication.Rows, error) { return nil, q.err }

// stateError is a server's error with a SQLSTATE.
type stateError string

func (e stateError) Error() string    { return "SQLSTATE " + string(e) }
func (e stateError) SQLState() string { return string(e) }

// rowQuerier answers each query with one row: servers of versions that are not
// at hand.
type rowQuerier []any

func (q rowQuerier) Query(context.Context, string) (replication.Rows, error) {
	return &row{values: q}, nil
}

type row struct {
	values []any
	read   bool
}

func (r *row) Next() bool {
	first := !r.read
	r.read = true
	return first
}

func (r *row) Scan(dest ...any) error {
	for i, d := range dest {
		if r.values[i] != nil {
			reflect.ValueOf(d).Elem().Set(reflect.ValueOf(r.values[i]))
		}
	}
	return nil
}

func (*row) Err() error { return nil }
func (*row) Close()     {}

// fakeServer says where it stands as it is told to, for what real servers
// cannot be made to do at will.
type fakeServer struct {
	replica bool
	at      atomic.Uint64
	broken  atomic.Pointer[error]
	asked   atomic.Int64
}

func (s *fakeServer) Query(ctx context.Context, _ string) (replication.Rows, error) {
	s.asked.Add(1)
	if err := s.broken.Load(); err != nil {
		return nil, *err
	}
	at := replication.LSN(s.at.Load()).String()
	return rowQuerier{15_00_00, s.replica, true, "x", &at, "00000001", int64(16 << 20)}.Query(ctx, "")
}

func (s *fakeServer) fail(err error) {
	if err == nil {
		s.broken.Store(nil)
		return
	}
	s.broken.Store(&err)
}

// fakeTarget is a target whose handle is its name.
func fakeTarget(name string, s *fakeServer) replication.Target[string] {
	return replication.Target[string]{Name: name, DB: name, Querier: s}
}

// countingQuerier counts the questions that are under way.
type countingQuerier struct {
	replication.Querier
	now, most atomic.Int32
}

func (q *countingQuerier) Query(ctx context.Context, query string) (replication.Rows, error) {
	if n := q.now.Add(1); n > q.most.Load() {
		q.most.Store(n)
	}
	defer q.now.Add(-1)
	return q.Querier.Query(ctx, query)
}
