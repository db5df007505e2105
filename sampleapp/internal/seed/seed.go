// Package seed fills the shop with data that is the same on every machine.
//
// Rows are made inside PostgreSQL from their number and a hash function, so
// that seeding 200,000 orders takes seconds, and two databases seeded with the
// same [Sizes] are equal row by row. Seeding is one transaction and happens
// once per database: a second call changes nothing, whatever has been written
// since.
package seed

import (
	"context"
	_ "embed" // for the SQL files
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
)

// maxSeedQuantity is the largest quantity of a seeded order line. Twelve
// reaches every discount.
const maxSeedQuantity = 12

//go:embed people.sql
var peopleSQL string

//go:embed products.sql
var productsSQL string

//go:embed lines.sql
var linesSQL string

//go:embed orders.sql
var ordersSQL string

//go:embed posts.sql
var postsSQL string

// Sizes is how many rows of each kind to make. Ids run from 1 to the size.
type Sizes struct {
	Users, Products, Orders, Posts int
}

// Default returns the sizes of the lab.
func Default() Sizes {
	return Sizes{Users: 20_000, Products: 1_000, Orders: 200_000, Posts: 2_000}
}

// Validate reports every size that is not positive.
func (s Sizes) Validate() error {
	var errs []error
	check := func(name string, n int) {
		if n < 1 {
			errs = append(errs, fmt.Errorf("seed size %s is %d, want at least 1", name, n))
		}
	}
	check("Users", s.Users)
	check("Products", s.Products)
	check("Orders", s.Orders)
	check("Posts", s.Posts)
	return errors.Join(errs...)
}

// Run seeds the database of conn, which must have its schema, and reports
// whether it did anything. The caller holds the migration lock.
func Run(ctx context.Context, conn *pgx.Conn, sizes Sizes) (seeded bool, err error) {
	if err := sizes.Validate(); err != nil {
		return false, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		seeded, err = markSeeded(ctx, tx, sizes)
		if err != nil || !seeded {
			return err
		}
		return withoutConstraints(ctx, tx, []string{"orders", "order_lines"}, func() error {
			return fill(ctx, tx, sizes)
		})
	})
	if err != nil {
		return false, fmt.Errorf("seed the database: %w", err)
	}
	if !seeded {
		return false, nil
	}
	// Statistics and the visibility map, so that the first requests get the
	// plans that all later ones get. VACUUM cannot be in the transaction.
	if _, err := conn.Exec(ctx, "vacuum (analyze) users, products, orders, order_lines, posts"); err != nil {
		return true, fmt.Errorf("vacuum the seeded tables: %w", err)
	}
	return true, nil
}

// markSeeded records the seed and reports whether it was missing.
func markSeeded(ctx context.Context, tx pgx.Tx, s Sizes) (bool, error) {
	const table = `create table if not exists seed_runs (
		name text primary key, users integer not null, products integer not null,
		orders integer not null, posts integer not null, applied_at timestamptz not null default now())`
	if _, err := tx.Exec(ctx, table); err != nil {
		return false, fmt.Errorf("create seed_runs: %w", err)
	}
	tag, err := tx.Exec(ctx, `insert into seed_runs (name, users, products, orders, posts)
		values ('shop', $1, $2, $3, $4) on conflict (name) do nothing`, s.Users, s.Products, s.Orders, s.Posts)
	if err != nil {
		return false, fmt.Errorf("record the seed: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// fill makes the rows, parents before children.
func fill(ctx context.Context, tx pgx.Tx, s Sizes) error {
	regions, categories, rates, err := taxes()
	if err != nil {
		return err
	}
	discounts := make([]int64, maxSeedQuantity)
	for i := range discounts {
		discounts[i] = pricing.DiscountFor(i + 1)
	}
	steps := []struct {
		name, sql string
		args      []any
	}{
		{"users", peopleSQL, []any{s.Users, pricing.Regions(), firstNames(), lastNames()}},
		{"products", productsSQL, []any{s.Products, pricing.Categories(), adjectives(), nouns()}},
		{"order lines", linesSQL, []any{s.Orders, s.Users, s.Products, maxSeedQuantity}},
		{"orders", ordersSQL, []any{regions, categories, rates, discounts}},
		{"order lines", "insert into order_lines select order_id, line_no, product_id, category, quantity, unit_price_cents from seed_lines order by order_id, line_no", nil},
		{"posts", postsSQL, []any{s.Posts, s.Users, adjectives(), nouns()}},
		{"id sequences", `select setval(pg_get_serial_sequence(t, 'id'), n) from unnest($1::text[], $2::bigint[]) as s (t, n)`,
			[]any{[]string{"users", "products", "orders", "posts"}, []int{s.Users, s.Products, s.Orders, s.Posts}}},
	}
	for _, step := range steps {
		if _, err := tx.Exec(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("make %s: %w", step.name, err)
		}
	}
	return nil
}

// taxes returns pricing's rates as three parallel columns.
func taxes() (regions, categories []string, rates []int64, err error) {
	all, err := pricing.Rates()
	if err != nil {
		return nil, nil, nil, err
	}
	for _, r := range all {
		regions = append(regions, r.Region)
		categories = append(categories, r.Category)
		rates = append(rates, r.PerHundredThousand)
	}
	return regions, categories, rates, nil
}
