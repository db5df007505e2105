// Package pricing calculates what an order costs: discounts for quantity and
// the tax of the buyer's region.
//
// Amounts are whole cents, and every intermediate value is an exact rational:
// 8.875 % of three items with 5 % off is no whole number of cents, and rounding
// more than once per line makes the lines and the total disagree. The
// arithmetic costs a few microseconds per line, which makes this package
// the service's visible share of processor time.
//
// All functions are pure and safe for concurrent use.
package pricing

import (
	"errors"
	"fmt"
	"math/big"
)

// MaxQuantity is the largest quantity of one line. It bounds the arithmetic:
// with [MaxUnitPriceCents] a line's amount stays far from the limits of int64.
const MaxQuantity = 1000

// MaxUnitPriceCents is the largest price of one item, in cents.
const MaxUnitPriceCents = 100_000_000

const (
	perRate     = 100_000 // rates are given per hundred thousand: 8875 is 8.875 %
	perDiscount = 10_000  // discounts are given per ten thousand: 500 is 5 %
)

// ErrUnknownRegion says that no tax rates are known for a region.
var ErrUnknownRegion = errors.New("unknown tax region")

// ErrUnknownCategory says that a region has no tax rate for a category.
var ErrUnknownCategory = errors.New("unknown tax category")

// ErrOutOfRange says that a quantity or a price is not between 1 and its limit.
var ErrOutOfRange = errors.New("quantity or price out of range")

// Line is what is bought: a number of equal items.
type Line struct {
	// Category decides the tax rate; see [Categories].
	Category string
	// UnitPriceCents is the price of one item before discount and tax, 1 to
	// [MaxUnitPriceCents].
	UnitPriceCents int64
	// Quantity is the number of items, 1 to [MaxQuantity].
	Quantity int
}

// Amount is a price in whole cents. Total is always Net + Tax.
type Amount struct {
	Net, Tax, Total int64
}

// Itemise returns the amount of each line and their sum. It fails with
// [ErrUnknownRegion], [ErrUnknownCategory] or [ErrOutOfRange], naming the line.
func Itemise(region string, lines []Line) ([]Amount, Amount, error) {
	var sum Amount
	items := make([]Amount, len(lines))
	for i, l := range lines {
		rate, err := rateOf(region, l.Category)
		if err != nil {
			return nil, Amount{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if l.Quantity < 1 || l.Quantity > MaxQuantity || l.UnitPriceCents < 1 || l.UnitPriceCents > MaxUnitPriceCents {
			return nil, Amount{}, fmt.Errorf("line %d: %w", i+1, ErrOutOfRange)
		}
		net := discountedPrice(l)
		item := Amount{Net: roundCents(net), Tax: calculateTax(net, rate)}
		item.Total = item.Net + item.Tax
		items[i] = item
		sum.Net += item.Net
		sum.Tax += item.Tax
		sum.Total += item.Total
	}
	return items, sum, nil
}

// discountedPrice returns the exact price of a line in cents.
func discountedPrice(l Line) *big.Rat {
	price := new(big.Rat).SetInt64(l.UnitPriceCents * int64(l.Quantity))
	return price.Mul(price, big.NewRat(perDiscount-DiscountFor(l.Quantity), perDiscount))
}

// calculateTax returns the tax on an exact net price, rounded to cents.
func calculateTax(net *big.Rat, rate int64) int64 {
	return roundCents(new(big.Rat).Mul(net, big.NewRat(rate, perRate)))
}

// roundCents rounds half a cent up, as PostgreSQL's round(numeric) does for
// positive values: seeded orders are calculated there, and must agree.
func roundCents(r *big.Rat) int64 {
	doubled := new(big.Int).Lsh(r.Num(), 1)
	doubled.Add(doubled, r.Denom())
	return doubled.Quo(doubled, new(big.Int).Lsh(r.Denom(), 1)).Int64()
}
