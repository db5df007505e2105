package pricing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
)

func line(category string, cents int64, quantity int) pricing.Line {
	return pricing.Line{Category: category, UnitPriceCents: cents, Quantity: quantity}
}

func TestItemise(t *testing.T) {
	t.Parallel()
	type amount = pricing.Amount
	for sentence, c := range map[string]struct {
		region string
		lines  []pricing.Line
		items  []amount
		sum    amount
	}{
		"no lines cost nothing": {"north", nil, []amount{}, amount{}},
		"one item, standard rate": {
			"north", []pricing.Line{line("tools", 1000, 1)},
			[]amount{{1000, 250, 1250}}, amount{1000, 250, 1250},
		},
		"one item, reduced rate": {
			"north", []pricing.Line{line("books", 1000, 1)},
			[]amount{{1000, 120, 1120}}, amount{1000, 120, 1120},
		},
		"a rate of zero": {
			"islands", []pricing.Line{line("food", 999, 3)},
			[]amount{{2997, 0, 2997}}, amount{2997, 0, 2997},
		},
		// 8.875 % of 9.99 is 88.66 cents.
		"tax is rounded to the nearest cent": {
			"east", []pricing.Line{line("toys", 999, 1)},
			[]amount{{999, 89, 1088}}, amount{999, 89, 1088},
		},
		// 25 % of 2 cents is half a cent.
		"half a cent is rounded up": {
			"north", []pricing.Line{line("toys", 2, 1)},
			[]amount{{2, 1, 3}}, amount{2, 1, 3},
		},
		// 5 * 9.99 less 5 % is 4745.25; 9.25 % of the exact price is 438.94.
		"five items get five percent off, and tax is on the exact price": {
			"west", []pricing.Line{line("garden", 999, 5)},
			[]amount{{4745, 439, 5184}}, amount{4745, 439, 5184},
		},
		"ten items get ten percent off": {
			"south", []pricing.Line{line("books", 100, 10)},
			[]amount{{900, 90, 990}}, amount{900, 90, 990},
		},
		// Two lines of half a cent of tax each: rounded per line, so 2 and not 1.
		"lines are rounded one by one and then added": {
			"north", []pricing.Line{line("toys", 2, 1), line("tools", 2, 1)},
			[]amount{{2, 1, 3}, {2, 1, 3}}, amount{4, 2, 6},
		},
		"the largest line does not overflow": {
			"north", []pricing.Line{line("toys", pricing.MaxUnitPriceCents, pricing.MaxQuantity)},
			[]amount{{90_000_000_000, 22_500_000_000, 112_500_000_000}}, amount{90_000_000_000, 22_500_000_000, 112_500_000_000},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			items, sum, err := pricing.Itemise(c.region, c.lines)
			if err != nil || !slices.Equal(items, c.items) || sum != c.sum {
				t.Errorf("got %v %v %v, want %v %v", items, sum, err, c.items, c.sum)
			}
		})
	}
}

func TestItemiseRefuses(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		region  string
		lines   []pricing.Line
		want    error
		message string
	}{
		"an unknown region":   {"moon", []pricing.Line{line("toys", 1, 1)}, pricing.ErrUnknownRegion, `line 1: unknown tax region "moon"`},
		"an unknown category": {"east", []pricing.Line{line("toys", 1, 1), line("x", 1, 1)}, pricing.ErrUnknownCategory, `line 2: unknown tax category "x"`},
		"no items":            {"east", []pricing.Line{line("toys", 1, 0)}, pricing.ErrOutOfRange, "line 1: quantity or price out of range"},
		"too many items":      {"east", []pricing.Line{line("toys", 1, 1001)}, pricing.ErrOutOfRange, "line 1: quantity or price out of range"},
		"a negative price":    {"east", []pricing.Line{line("toys", -1, 1)}, pricing.ErrOutOfRange, "line 1: quantity or price out of range"},
		"an absurd price":     {"east", []pricing.Line{line("toys", 100_000_001, 1)}, pricing.ErrOutOfRange, "line 1: quantity or price out of range"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if _, _, err := pricing.Itemise(c.region, c.lines); !errors.Is(err, c.want) || err.Error() != c.message {
				t.Errorf("got error %v, want %s", err, c.message)
			}
		})
	}
}

func TestEveryRegionTaxesEveryCategory(t *testing.T) {
	t.Parallel()
	rates, err := pricing.Rates()
	if err != nil {
		t.Fatal(err)
	}
	if want := len(pricing.Regions()) * len(pricing.Categories()); len(rates) != want {
		t.Errorf("%d rates, want %d", len(rates), want)
	}
	if r := rates[0]; r != (pricing.Rate{Region: "east", Category: "books", PerHundredThousand: 4000}) {
		t.Errorf("the first rate is %+v, want books in the east at 4000", r)
	}
}

// TestAmountsAddUp checks, for any order, what no rounding may break.
func TestAmountsAddUp(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		lines := make([]pricing.Line, random.IntN(6))
		for i := range lines {
			lines[i] = line(pricing.Categories()[random.IntN(5)], 1+random.Int64N(1_000_000), 1+random.IntN(1000))
		}
		items, sum, err := pricing.Itemise(pricing.Regions()[random.IntN(5)], lines)
		if err != nil {
			t.Fatal(err)
		}
		var added pricing.Amount
		for i, item := range items {
			gross := lines[i].UnitPriceCents * int64(lines[i].Quantity)
			if item.Total != item.Net+item.Tax || item.Net > gross || item.Net < gross*9/10 || item.Tax < 0 || item.Tax > item.Net/4+1 {
				t.Fatalf("line %+v costs %+v", lines[i], item)
			}
			added = pricing.Amount{Net: added.Net + item.Net, Tax: added.Tax + item.Tax, Total: added.Total + item.Total}
		}
		if added != sum {
			t.Fatalf("the lines add up to %+v, the sum is %+v", added, sum)
		}
	}
}

func ExampleItemise() {
	_, sum, err := pricing.Itemise("east", []pricing.Line{
		{Category: "toys", UnitPriceCents: 1999, Quantity: 2},
		{Category: "books", UnitPriceCents: 1250, Quantity: 1},
	})
	fmt.Println(sum.Net, sum.Tax, sum.Total, err)
	// Output: 5248 405 5653 <nil>
}

func BenchmarkItemise(b *testing.B) {
	lines := []pricing.Line{line("toys", 1999, 2), line("books", 1250, 7), line("garden", 333, 11)}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := pricing.Itemise("east", lines); err != nil {
			b.Fatal(err)
		}
	}
}
