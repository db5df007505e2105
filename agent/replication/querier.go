package replication

import (
	"context"
	"database/sql"
)

// Querier runs one query. It is what the package needs of a database handle:
// [SQL] makes one of database/sql, [Pgx] one of pgx.
type Querier interface {
	// Query returns the rows of a query, which the caller closes. It must
	// return when ctx ends.
	Query(ctx context.Context, query string) (Rows, error)
}

// Rows are the rows of a query, in the manner of pgx.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// SQL makes a Querier of a database/sql handle. The handle stays the caller's.
func SQL(db *sql.DB) Querier { return sqlQuerier{db} }

// Pgx makes a Querier of a pgx handle: a *pgxpool.Pool, or anything else with
// the method Query of pgx that is safe for concurrent use, which a *pgx.Conn is
// not. R is pgx.Rows, and is inferred: the package need not import pgx to take
// its handles. The handle stays the caller's.
func Pgx[R Rows](db interface {
	Query(ctx context.Context, query string, args ...any) (R, error)
}) Querier {
	return pgxQuerier[R]{db.Query}
}

type sqlQuerier struct{ db *sql.DB }

// Query implements [Querier].
func (q sqlQuerier) Query(ctx context.Context, query string) (Rows, error) {
	rows, err := q.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return sqlRows{rows}, nil
}

// sqlRows drops the error of Close, which Err returns as well.
type sqlRows struct{ *sql.Rows }

// Close implements [Rows].
func (r sqlRows) Close() { _ = r.Rows.Close() }

type pgxQuerier[R Rows] struct {
	query func(ctx context.Context, query string, args ...any) (R, error)
}

// Query implements [Querier].
func (q pgxQuerier[R]) Query(ctx context.Context, query string) (Rows, error) {
	rows, err := q.query(ctx, query)
	if err != nil {
		return nil, err // not rows: pgx returns some with an error, too
	}
	return rows, nil
}

// each calls f for every row of a query. f scans.
func each(ctx context.Context, q Querier, query string, f func(Rows) error) error {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
