// Package store reads and writes the shop's tables in PostgreSQL.
//
// Every statement is parameterised. Functions take a [DB], so that the caller
// decides whether a statement runs by itself or inside a transaction (see
// [InTx]). They are safe for concurrent use when their DB is, bounded by the
// context and by the statement timeout of [Open], and wrap [ErrNotFound] where
// a row is missing.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Defaults of [Config].
const (
	// DefaultMaxConns is the size of a pool.
	DefaultMaxConns = 10
	// DefaultStatementTimeout bounds one statement, on the server.
	DefaultStatementTimeout = 5 * time.Second
	// DefaultConnectTimeout bounds the making of one connection.
	DefaultConnectTimeout = 3 * time.Second
)

// ErrNotFound says that a row, or one that it refers to, does not exist.
var ErrNotFound = errors.New("not found")

// ErrBadURL says that a connection string cannot be read. It does not repeat the
// string, which holds a password.
var ErrBadURL = errors.New("the database URL is not valid: want postgres://user:password@host:port/database")

// DB is what statements run on: a pool, a connection or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Beginner starts transactions: a pool or a connection.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

var (
	_ DB       = (*pgxpool.Pool)(nil)
	_ Beginner = (*pgxpool.Pool)(nil)
)

// Config configures [Open].
type Config struct {
	// URL is the connection string. Required, and never printed: it holds a
	// password.
	URL string
	// Application is the name that the server shows for the connections.
	Application string
	// Tracer observes every statement. Nil observes none.
	Tracer pgx.QueryTracer
	// MaxConns is the most connections of the pool. Defaults to 10.
	MaxConns int32
	// StatementTimeout bounds one statement. Defaults to 5 seconds.
	StatementTimeout time.Duration
}

// Open returns a pool of connections. It does not connect: a database that is
// down is found by the first statement, and used as soon as it is up.
func Open(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, ErrBadURL
	}
	pool.MaxConns = DefaultMaxConns
	if c.MaxConns > 0 {
		pool.MaxConns = c.MaxConns
	}
	timeout := DefaultStatementTimeout
	if c.StatementTimeout > 0 {
		timeout = c.StatementTimeout
	}
	pool.MinIdleConns = 1
	pool.MaxConnLifetime = time.Hour
	pool.MaxConnLifetimeJitter = 5 * time.Minute // so that connections do not all end at once
	pool.PingTimeout = DefaultConnectTimeout
	pool.ConnConfig.ConnectTimeout = DefaultConnectTimeout
	pool.ConnConfig.Tracer = c.Tracer
	params := pool.ConnConfig.RuntimeParams
	params["application_name"] = c.Application
	params["statement_timeout"] = milliseconds(timeout)
	params["idle_in_transaction_session_timeout"] = milliseconds(2 * timeout)
	p, err := pgxpool.NewWithConfig(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("open the database pool: %w", err)
	}
	return p, nil
}

// InTx runs f in a transaction, which is committed when f returns nil and
// rolled back otherwise.
func InTx(ctx context.Context, db Beginner, f func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db, f)
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10)
}

// foreignKeyViolation is PostgreSQL's code for a reference to nothing.
const foreignKeyViolation = "23503"

// missing turns "no rows" and a broken reference into [ErrNotFound].
func missing(err error) error {
	var pgErr *pgconn.PgError
	if errors.Is(err, pgx.ErrNoRows) || errors.As(err, &pgErr) && pgErr.Code == foreignKeyViolation {
		return ErrNotFound
	}
	return err
}
