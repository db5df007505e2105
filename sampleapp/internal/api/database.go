package api

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// read runs f where it sees what the request's user wrote: on a replica, if one
// has it.
func read[T any](ctx context.Context, h handlers, f func(context.Context, store.DB) (T, error)) (value T, err error) {
	if h.Router == nil {
		return f(ctx, h.DB)
	}
	err = h.Router.Read(ctx, func(ctx context.Context, db *pgxpool.Pool) error {
		value, err = f(ctx, db)
		return err
	})
	return value, err
}

// write runs f in a transaction on the primary, and notes for the user how far
// the replicas must come to show it.
func (h handlers) write(ctx context.Context, f func(pgx.Tx) error) error {
	if h.Router == nil {
		return store.InTx(ctx, h.DB, f)
	}
	return h.Router.Write(ctx, func(ctx context.Context, db *pgxpool.Pool) error { return store.InTx(ctx, db, f) })
}
