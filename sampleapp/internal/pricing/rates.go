package pricing

import "fmt"

// Regions returns the tax regions, sorted.
func Regions() []string {
	return []string{"east", "islands", "north", "south", "west"}
}

// Categories returns the product categories, sorted.
func Categories() []string { return []string{"books", "food", "garden", "tools", "toys"} }

// Rate is the tax of a category in a region.
type Rate struct {
	Region, Category string
	// PerHundredThousand is the rate: 8875 is 8.875 %.
	PerHundredThousand int64
}

// Rates returns the tax rate of every category in every region, in a fixed
// order.
func Rates() ([]Rate, error) {
	var rates []Rate
	for _, region := range Regions() {
		for _, category := range Categories() {
			rate, err := rateOf(region, category)
			if err != nil {
				return nil, err
			}
			rates = append(rates, Rate{region, category, rate})
		}
	}
	return rates, nil
}

// DiscountFor returns the discount on a line of that many items, per ten
// thousand: 500 is 5 %.
func DiscountFor(quantity int) int64 {
	switch {
	case quantity >= 10:
		return 1000
	case quantity >= 5:
		return 500
	default:
		return 0
	}
}

// rateOf returns the tax rate of a category in a region, per hundred thousand.
func rateOf(region, category string) (int64, error) {
	standard, reduced, ok := bandsOf(region)
	if !ok {
		return 0, fmt.Errorf("%w %q", ErrUnknownRegion, region)
	}
	switch category {
	case "books", "food":
		return reduced, nil
	case "garden", "tools", "toys":
		return standard, nil
	default:
		return 0, fmt.Errorf("%w %q", ErrUnknownCategory, category)
	}
}

// bandsOf returns the two tax rates of a region, per hundred thousand. Some
// have digits that make tax on whole cents fractional, on purpose.
func bandsOf(region string) (standard, reduced int64, ok bool) {
	switch region {
	case "east":
		return 8875, 4000, true
	case "islands":
		return 4712, 0, true
	case "north":
		return 25000, 12000, true
	case "south":
		return 22000, 10000, true
	case "west":
		return 9250, 2375, true
	default:
		return 0, 0, false
	}
}
