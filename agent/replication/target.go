package replication

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"
)

// Target is a server that reads can be sent to.
type Target[DB any] struct {
	// Name is the value of the label replica.
	Name string
	// DB is the handle that reads and writes are given. It stays the caller's.
	DB DB
	// Querier asks the server where it stands; on the same handle or another.
	Querier Querier
}

// SQLTarget is a server behind a handle of database/sql.
func SQLTarget(name string, db *sql.DB) Target[*sql.DB] {
	return Target[*sql.DB]{Name: name, DB: db, Querier: SQL(db)}
}

// PgxTarget is a server behind a handle of pgx, such as a *pgxpool.Pool. R is
// pgx.Rows, and is inferred.
func PgxTarget[DB interface {
	Query(ctx context.Context, query string, args ...any) (R, error)
}, R Rows](name string, db DB) Target[DB] {
	return Target[DB]{Name: name, DB: db, Querier: Pgx[R](db)}
}

// server is what the router knows of one target. Reads look at it without a
// lock.
type server[DB any] struct {
	Target[DB]
	replayed atomic.Uint64 // LSN; never falls while the server is in rotation
	lag      atomic.Int64  // nanoseconds
	up       atomic.Bool   // in rotation
	hurry    chan struct{} // somebody waits: ask again soon
}

func newServer[DB any](t Target[DB]) *server[DB] {
	return &server[DB]{Target: t, hurry: make(chan struct{}, 1)}
}

// serves reports whether a read may go to the replica: it answers, and has
// replayed up to the position.
func (s *server[DB]) serves(at LSN) bool { return s.up.Load() && s.replayed.Load() >= uint64(at) }

// nudge has the server asked at once.
func (s *server[DB]) nudge() {
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

// position asks a server where it stands, and whether it is a replica.
func position(ctx context.Context, q Querier, timeout time.Duration) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = errPanic
		}
	}()
	return askPosition(ctx, q)
}
