package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Order is what a user bought. Amounts are whole cents.
type Order struct {
	ID         int64
	UserID     int64
	Region     string
	Status     string
	NetCents   int64
	TaxCents   int64
	TotalCents int64
	CreatedAt  time.Time
	Lines      []OrderLine
}

// OrderLine is a number of equal items of an order, with the price and the
// category that the product had when it was bought.
type OrderLine struct {
	ProductID      int64
	Category       string
	Quantity       int
	UnitPriceCents int64
}

// ListOrders returns up to limit orders of a user with their lines, newest
// first, with ids below before. It is two statements, however many orders there are.
func ListOrders(ctx context.Context, db DB, userID, before int64, limit int) ([]Order, error) {
	const sql = `select id, user_id, region, status, net_cents, tax_cents, total_cents, created_at
		from orders where user_id = $1 and id < $2 order by created_at desc, id desc limit $3`
	rows, err := db.Query(ctx, sql, userID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list orders of user %d: %w", userID, err)
	}
	orders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Order, err error) {
		err = row.Scan(&o.ID, &o.UserID, &o.Region, &o.Status, &o.NetCents, &o.TaxCents, &o.TotalCents, &o.CreatedAt)
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("list orders of user %d: %w", userID, err)
	}
	if err := addLines(ctx, db, orders); err != nil {
		return nil, fmt.Errorf("list order lines of user %d: %w", userID, err)
	}
	return orders, nil
}

// addLines reads the lines of all orders at once.
func addLines(ctx context.Context, db DB, orders []Order) error {
	if len(orders) == 0 {
		return nil
	}
	ids := make([]int64, len(orders))
	index := make(map[int64]int, len(orders))
	for i, o := range orders {
		ids[i], index[o.ID] = o.ID, i
	}
	rows, err := db.Query(ctx, `select order_id, product_id, category, quantity, unit_price_cents
		from order_lines where order_id = any ($1) order by order_id, line_no`, ids)
	if err != nil {
		return err
	}
	var id int64
	var l OrderLine
	_, err = pgx.ForEachRow(rows, []any{&id, &l.ProductID, &l.Category, &l.Quantity, &l.UnitPriceCents}, func() error {
		o := &orders[index[id]]
		o.Lines = append(o.Lines, l)
		return nil
	})
	return err
}

// CreateOrder saves an order and its lines and fills in its id, status and
// time. Run it in a transaction (see [InTx]). It wraps [ErrNotFound] when the
// user or a product does not exist.
func CreateOrder(ctx context.Context, db DB, o *Order) error {
	err := db.QueryRow(ctx, `insert into orders (user_id, region, status, net_cents, tax_cents, total_cents)
		values ($1, $2, 'placed', $3, $4, $5) returning id, status, created_at`,
		o.UserID, o.Region, o.NetCents, o.TaxCents, o.TotalCents).Scan(&o.ID, &o.Status, &o.CreatedAt)
	if err != nil {
		return fmt.Errorf("save the order: %w", missing(err))
	}
	n := len(o.Lines)
	products, prices := make([]int64, n), make([]int64, n)
	categories, quantities := make([]string, n), make([]int, n)
	for i, l := range o.Lines {
		products[i], categories[i], quantities[i], prices[i] = l.ProductID, l.Category, l.Quantity, l.UnitPriceCents
	}
	_, err = db.Exec(ctx, `insert into order_lines (order_id, line_no, product_id, category, quantity, unit_price_cents)
		select $1, n, product, category, quantity, price
		from unnest($2::bigint[], $3::text[], $4::integer[], $5::bigint[]) with ordinality as l (product, category, quantity, price, n)`,
		o.ID, products, categories, quantities, prices)
	if err != nil {
		return fmt.Errorf("save the order's lines: %w", missing(err))
	}
	return nil
}
