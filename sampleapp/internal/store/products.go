package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Product is something that can be ordered.
type Product struct {
	ID         int64     `json:"id"`
	Name       string    `json:"name"`
	Category   string    `json:"category"`
	PriceCents int64     `json:"price_cents"`
	CreatedAt  time.Time `json:"created_at"`
}

const productColumns = "id, name, category, price_cents, created_at"

// GetProduct returns one product.
func GetProduct(ctx context.Context, db DB, id int64) (Product, error) {
	rows, err := db.Query(ctx, "select "+productColumns+" from products where id = $1", id)
	if err != nil {
		return Product{}, fmt.Errorf("read product %d: %w", id, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Product])
	if err != nil {
		return Product{}, fmt.Errorf("read product %d: %w", id, missing(err))
	}
	return p, nil
}

// ListProducts returns up to limit products with ids above after, in the order
// of their ids.
func ListProducts(ctx context.Context, db DB, after int64, limit int) ([]Product, error) {
	rows, err := db.Query(ctx, "select "+productColumns+" from products where id > $1 order by id limit $2", after, limit)
	if err != nil {
		return nil, fmt.Errorf("list products: %w", err)
	}
	products, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
	if err != nil {
		return nil, fmt.Errorf("list products: %w", err)
	}
	return products, nil
}

// ProductsByID returns the products with the given ids, by id. Ids that do not
// exist are missing from the map.
func ProductsByID(ctx context.Context, db DB, ids []int64) (map[int64]Product, error) {
	rows, err := db.Query(ctx, "select "+productColumns+" from products where id = any ($1)", ids)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	products := make(map[int64]Product, len(found))
	for _, p := range found {
		products[p.ID] = p
	}
	return products, nil
}
