package promql

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Flavor is the form in which a Prometheus stores histograms. The zero value
// is Native.
type Flavor int

// The flavours.
const (
	// Native histograms are one series each, with buckets fine enough for any
	// quantile. Prometheus needs scrape_native_histograms for them.
	Native Flavor = iota
	// Classic histograms are a series per bucket bound. Every Prometheus has
	// them; quantiles are as coarse as the bounds.
	Classic
)

// Flavors returns every flavour.
func Flavors() []Flavor { return []Flavor{Native, Classic} }

// String returns "native" or "classic".
func (f Flavor) String() string {
	switch f {
	case Native:
		return "native"
	case Classic:
		return "classic"
	}
	return fmt.Sprintf("flavor(%d)", int(f))
}

// ParseFlavor is the inverse of Flavor.String.
func ParseFlavor(s string) (Flavor, error) {
	for _, f := range Flavors() {
		if s == f.String() {
			return f, nil
		}
	}
	return 0, fmt.Errorf("unknown histogram flavour %q; use native or classic", s)
}

// Distribution is the distribution of what a histogram observed within a
// window, over all series that the matchers let through and that agree in the
// labels of By.
type Distribution struct {
	flavor   Flavor
	hist     catalog.Histogram
	window   Window
	matchers []Matcher
	by       []catalog.Label
}

// Of returns the distribution of h within the window as one whole; see
// Distribution.By.
func Of(f Flavor, h catalog.Histogram, w Window, ms ...Matcher) Distribution {
	return Distribution{flavor: f, hist: h, window: w, matchers: slices.Clone(ms)}
}

// By returns the distribution split by the given labels.
func (d Distribution) By(labels ...catalog.Label) Distribution {
	d.by = slices.Clone(labels)
	return d
}

// Where returns the distribution restricted by further matchers.
func (d Distribution) Where(ms ...Matcher) Distribution {
	d.matchers = append(slices.Clone(d.matchers), ms...)
	return d
}

// Quantile returns the value below which the share q, 0 to 1, of the
// observations lie: 0.99 for P99. Buckets are added before the quantile is
// taken; quantiles themselves cannot be averaged. Without observations it is
// NaN.
func (d Distribution) Quantile(q float64) Expr {
	return Expr{text: "histogram_quantile(" + formatFloat(q) + ", " + d.Buckets().inline() + ")"}
}

// Mean returns the arithmetic mean of the observations; NaN without any.
func (d Distribution) Mean() Expr {
	if d.flavor == Native {
		return call("histogram_avg", d.Buckets().inline())
	}
	return Div(Sum(d.rateOf("_sum"), d.by...), d.Rate())
}

// Rate returns the observations per second.
func (d Distribution) Rate() Expr {
	if d.flavor == Native {
		// Counting before adding spares Prometheus the merging of buckets that
		// nobody looks at.
		return Sum(call("histogram_count", d.rateOf("").inline()), d.by...)
	}
	return Sum(d.rateOf("_count"), d.by...)
}

// Total returns the sum of the observations per second: of durations, how many
// were under way at a time on average.
func (d Distribution) Total() Expr {
	if d.flavor == Native {
		return Sum(call("histogram_sum", d.rateOf("").inline()), d.by...)
	}
	return Sum(d.rateOf("_sum"), d.by...)
}

// Buckets returns the rate of each bucket, which is what a heatmap draws: one
// native histogram, or one series per bucket bound with the label le.
func (d Distribution) Buckets() Expr {
	if d.flavor == Native {
		return Sum(d.rateOf(""), d.by...)
	}
	return Sum(d.rateOf("_bucket"), append(slices.Clone(d.by), catalog.Le)...)
}

// Present returns the newest samples of the series that count observations,
// whatever their value: what Grafana lists label values of.
func (d Distribution) Present() Expr {
	if d.flavor == Native {
		return Expr{text: selector(d.hist.Desc().Name, d.matchers)}
	}
	return Expr{text: selector(d.hist.Desc().Name+"_count", d.matchers)}
}

// FractionAtMost returns the share, 0 to 1, of the observations that are not
// greater than the threshold, which is in the metric's unit; NaN without
// observations. A native histogram interpolates within one bucket, a tenth
// wide at most. A classic one counts exactly, which it can for its own bucket
// bounds only: another threshold is an error that names the bounds.
func (d Distribution) FractionAtMost(threshold float64) (Expr, error) {
	if d.flavor == Native {
		return Expr{text: "histogram_fraction(0, " + formatFloat(threshold) + ", " +
			d.Buckets().inline() + ")"}, nil
	}
	within, err := d.bucket(threshold)
	if err != nil {
		return Expr{}, err
	}
	return Div(within, d.Rate()), nil
}

// RateAbove returns the observations per second that are greater than the
// threshold. Thresholds are as in FractionAtMost. From a native histogram the
// result is NaN without observations.
func (d Distribution) RateAbove(threshold float64) (Expr, error) {
	return d.RateAboveOf(threshold, d.Rate())
}

// RateAboveOf is RateAbove where the rate of all observations is known already,
// as a series with the same labels, so that they need not be counted again.
func (d Distribution) RateAboveOf(threshold float64, all Expr) (Expr, error) {
	if d.flavor == Native {
		fraction, err := d.FractionAtMost(threshold)
		if err != nil {
			return Expr{}, err
		}
		return Mul(Complement(fraction), all), nil
	}
	within, err := d.bucket(threshold)
	if err != nil {
		return Expr{}, err
	}
	return Sub(all, within), nil
}

// bucket returns the rate of the classic bucket whose bound is the threshold.
func (d Distribution) bucket(threshold float64) (Expr, error) {
	le, err := d.boundMatcher(threshold)
	if err != nil {
		return Expr{}, err
	}
	return Sum(d.Where(le).rateOf("_bucket"), d.by...), nil
}

// boundMatcher matches the bucket whose bound is the threshold. Prometheus 3
// spells a whole bound "1.0" where others keep the "1" that was scraped.
func (d Distribution) boundMatcher(threshold float64) (Matcher, error) {
	if !slices.Contains(d.hist.Buckets, threshold) {
		return Matcher{}, fmt.Errorf("%s has no classic bucket bound %s: use one of %s, or native histograms",
			d.hist.Desc().Name, formatFloat(threshold), joinFloats(d.hist.Buckets))
	}
	if threshold == math.Trunc(threshold) {
		return Like(catalog.Le, regexp.MustCompile(regexp.QuoteMeta(formatFloat(threshold))+`(\.0)?`)), nil
	}
	return Equal(catalog.Le, formatFloat(threshold)), nil
}

func (d Distribution) rateOf(suffix string) Expr {
	return call("rate", ranged(d.hist.Desc().Name+suffix, d.window, d.matchers))
}

func joinFloats(fs []float64) string {
	texts := make([]string, len(fs))
	for i, f := range fs {
		texts[i] = formatFloat(f)
	}
	return strings.Join(texts, ", ")
}

// Seconds returns d in the unit of every duration metric.
func Seconds(d time.Duration) float64 {
	// Through nanoseconds: 0.3 must come out as the 0.3 of a bucket bound.
	return float64(d.Nanoseconds()) / 1e9
}
