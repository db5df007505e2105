package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// orderView is an order as clients see it. The amounts of the lines are in no
// table: they are calculated for every answer, exactly as when the order was
// placed.
type orderView struct {
	ID         int64      `json:"id"`
	UserID     int64      `json:"user_id"`
	Region     string     `json:"region"`
	Status     string     `json:"status"`
	NetCents   int64      `json:"net_cents"`
	TaxCents   int64      `json:"tax_cents"`
	TotalCents int64      `json:"total_cents"`
	CreatedAt  time.Time  `json:"created_at"`
	Lines      []lineView `json:"lines"`
}

type lineView struct {
	ProductID      int64  `json:"product_id"`
	Category       string `json:"category"`
	Quantity       int    `json:"quantity"`
	UnitPriceCents int64  `json:"unit_price_cents"`
	NetCents       int64  `json:"net_cents"`
	TaxCents       int64  `json:"tax_cents"`
}

// listOrders answers GET /api/orders?user_id=&limit=&before=.
func (h handlers) listOrders(c *gin.Context) error {
	ctx := c.Request.Context()
	userID, err := web.ID("user_id", c.Query("user_id"))
	if err != nil {
		return err
	}
	limit, err := web.Limit(c.Query("limit"), defaultPage, maxPage)
	if err != nil {
		return err
	}
	before, err := web.OptionalID("before", c.Query("before"), newest)
	if err != nil {
		return err
	}
	orders, err := read(ctx, h, func(ctx context.Context, db store.DB) ([]store.Order, error) {
		return store.ListOrders(ctx, db, userID, before, limit)
	})
	if err != nil {
		return err
	}
	if len(orders) == 0 {
		// Only now does it matter whether there is such a user.
		if _, err := h.user(ctx, "user_id", userID); err != nil {
			return err
		}
	}
	views := make([]orderView, len(orders))
	for i, o := range orders {
		if views[i], err = viewOf(o); err != nil {
			return fmt.Errorf("price order %d: %w", o.ID, err)
		}
	}
	page := gin.H{"orders": views}
	if len(orders) == limit {
		page["next_before"] = orders[limit-1].ID
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// viewOf adds the amounts of the lines, and checks that they still add up to
// what the order says.
func viewOf(o store.Order) (orderView, error) {
	items, sum, err := pricing.Itemise(o.Region, pricingLines(o.Lines))
	if err != nil {
		return orderView{}, err
	}
	if sum.Net != o.NetCents || sum.Tax != o.TaxCents || sum.Total != o.TotalCents {
		return orderView{}, fmt.Errorf("its lines add up to %+v, the order says net %d, tax %d, total %d",
			sum, o.NetCents, o.TaxCents, o.TotalCents)
	}
	v := orderView{o.ID, o.UserID, o.Region, o.Status, o.NetCents, o.TaxCents, o.TotalCents, o.CreatedAt, make([]lineView, len(o.Lines))}
	for i, l := range o.Lines {
		v.Lines[i] = lineView{l.ProductID, l.Category, l.Quantity, l.UnitPriceCents, items[i].Net, items[i].Tax}
	}
	return v, nil
}

func pricingLines(lines []store.OrderLine) []pricing.Line {
	out := make([]pricing.Line, len(lines))
	for i, l := range lines {
		out[i] = pricing.Line{Category: l.Category, UnitPriceCents: l.UnitPriceCents, Quantity: l.Quantity}
	}
	return out
}

// newOrder is the body of POST /api/orders.
type newOrder struct {
	UserID int64     `json:"user_id"`
	Lines  []newLine `json:"lines"`
}

type newLine struct {
	ProductID int64 `json:"product_id"`
	Quantity  int   `json:"quantity"`
}

// check returns the first thing that is wrong, naming its field.
func (o newOrder) check() error {
	if o.UserID < 1 {
		return web.Invalid("user_id", "want a whole number of at least 1")
	}
	if n := len(o.Lines); n < 1 || n > maxLines {
		return web.Invalid("lines", "want 1 to %d lines, got %d", maxLines, n)
	}
	for i, l := range o.Lines {
		if l.ProductID < 1 {
			return web.Invalid(fmt.Sprintf("lines[%d].product_id", i), "want a whole number of at least 1")
		}
		if l.Quantity < 1 || l.Quantity > pricing.MaxQuantity {
			return web.Invalid(fmt.Sprintf("lines[%d].quantity", i), "want a whole number of 1 to %d", pricing.MaxQuantity)
		}
	}
	return nil
}

// createOrder answers POST /api/orders.
func (h handlers) createOrder(c *gin.Context) error {
	ctx := c.Request.Context()
	var body newOrder
	if err := web.Body(c.Writer, c.Request, &body); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	user, err := h.user(ctx, "user_id", body.UserID)
	if err != nil {
		return err
	}
	order := store.Order{UserID: user.ID, Region: user.Region}
	if order.Lines, err = h.priceLines(ctx, body.Lines); err != nil {
		return err
	}
	_, sum, err := pricing.Itemise(order.Region, pricingLines(order.Lines))
	if err != nil {
		return fmt.Errorf("price the order: %w", err)
	}
	order.NetCents, order.TaxCents, order.TotalCents = sum.Net, sum.Tax, sum.Total
	err = h.write(ctx, func(tx pgx.Tx) error { return store.CreateOrder(ctx, tx, &order) })
	if errors.Is(err, store.ErrNotFound) {
		// Deleted since it was read, or still in the cache: the user, since
		// products were read from the database just now.
		return web.NotFound("user_id", body.UserID)
	}
	if err != nil {
		return err
	}
	level.Info(h.Agent.Logger(ctx)).Log(catalog.LogMessage, "order placed", "order_id", order.ID,
		"user_id", order.UserID, "lines", len(order.Lines), "total_cents", order.TotalCents)
	view, err := viewOf(order)
	if err != nil {
		return fmt.Errorf("price order %d: %w", order.ID, err)
	}
	c.JSON(http.StatusCreated, view)
	return nil
}

// priceLines adds today's price and category to the lines. They are read from
// the primary: a price in the cache, or on a replica, may be old.
func (h handlers) priceLines(ctx context.Context, lines []newLine) ([]store.OrderLine, error) {
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.ProductID
	}
	slices.Sort(ids)
	products, err := store.ProductsByID(ctx, h.DB, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	priced := make([]store.OrderLine, len(lines))
	for i, l := range lines {
		p, ok := products[l.ProductID]
		if !ok {
			return nil, web.NotFound(fmt.Sprintf("lines[%d].product_id", i), l.ProductID)
		}
		priced[i] = store.OrderLine{ProductID: p.ID, Category: p.Category, Quantity: l.Quantity, UnitPriceCents: p.PriceCents}
	}
	return priced, nil
}
