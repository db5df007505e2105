// Package scenario holds the lessons that sampleapp can show: for each a
// service that does something the wrong way (before) and the right way (after)
// behind the same route, the load that shows the difference, and the symptom by
// which it is recognised.
//
// Specs are data only. What the variants do is programmed in sampleapp, and
// run by `make bench SCENARIO=name`. Functions are pure.
package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// The variants that every scenario has. Some have more than one way after.
const (
	Before = "before"
	After  = "after"
)

// Spec is one lesson.
type Spec struct {
	// Name identifies the scenario: lower case, with hyphens.
	Name string
	// Title is the lesson in one sentence.
	Title string
	// Assumption is what people tend to believe instead.
	Assumption string
	// Variants are the ways to do it, the wrong one first.
	Variants []Variant
	// Route is the template of the requests that the lesson is about.
	Route string
	// Requests are sent in this order, over and over.
	Requests []Request
	// Full is the load of a benchmark, Quick that of its short form.
	Full, Quick Load
	// Symptoms are what is wrong before, and no more after.
	Symptoms []Symptom
	// Alert is the name of the alert that the wrong way raises in time. Empty
	// where only a dashboard shows it.
	Alert string
	// Improvement is what the right way is good for.
	Improvement Improvement
	// Event says what happens in the middle of each round. Empty is nothing.
	Event string
	// ReplicaDelay starts a streaming replica of the database that applies
	// nothing before it is so old. 0 starts none.
	ReplicaDelay time.Duration
}

// Variant is one way to do it.
type Variant struct {
	// Name is before, or after with a suffix where there are several.
	Name string
	// Does says in a sentence what the variant does.
	Does string
}

// Request is one request of the load.
type Request struct {
	// Method defaults to GET.
	Method string
	// Path is path and query. "{n}" is replaced by the number of the request.
	Path string
	// Body is JSON, or empty; "{n}" is replaced as well.
	Body string
}

// Load is how the requests are sent.
type Load struct {
	// Rate is requests per second. Where there are steps, it is the capacity.
	Rate float64
	// Steps are shares of Rate, one after the other, each for an equal part of
	// Length. None is a steady load.
	Steps []float64
	// InTime is the latency past which an answer is of no use, where steps are
	// told apart. 0 is none.
	InTime time.Duration
	// Arrivals is "constant" or "poisson".
	Arrivals string
	// Length is that of one round.
	Length time.Duration
	// Rounds is how often each variant is measured, by turns.
	Rounds int
	// Rows scales the tables of scenarios that make their own; 0 is their
	// default.
	Rows int
}

// Of is what a symptom counts of its metric.
type Of string

// What can be counted. All of it is divided by the number of requests to the
// scenario's route, facts excepted.
const (
	// Sum is the growth of a counter, or of the sum of a histogram.
	Sum Of = "sum"
	// Observations is the growth of a histogram's count.
	Observations Of = "observations"
	// Slow is the growth of a histogram's count above Limit.
	Slow Of = "slow"
	// Fact is a number that the scenario itself tells, as it is.
	Fact Of = "fact"
)

// Symptom is a number that is wrong before and right after.
type Symptom struct {
	// Means says what the number is, with its unit.
	Means string
	// Of is what is counted.
	Of Of
	// Metric and Match name the series. Without a metric, Fact is the name of
	// what the scenario tells.
	Metric catalog.Metric
	Match  map[catalog.Label]string
	Fact   string
	// Limit is for Slow, in the metric's unit: a classic bucket bound.
	Limit float64
	// Before and After are the bands that the number must be in, ends
	// included.
	Before, After Band
}

// Band is a range of numbers, ends included.
type Band struct{ Min, Max float64 }

// Holds reports whether the number is in the band.
func (b Band) Holds(v float64) bool { return v >= b.Min && v <= b.Max }

// String renders the band.
func (b Band) String() string {
	switch {
	case b.Min == b.Max:
		return fmt.Sprintf("%g", b.Min)
	case b.Max >= anything:
		return fmt.Sprintf("at least %g", b.Min)
	case b.Min <= 0:
		return fmt.Sprintf("at most %g", b.Max)
	}
	return fmt.Sprintf("%g to %g", b.Min, b.Max)
}

// anything is above all numbers of symptoms.
const anything = 1e300

// Exactly returns the band of one number.
func Exactly(v float64) Band { return Band{v, v} }

// AtLeast returns the band from a number on.
func AtLeast(v float64) Band { return Band{v, anything} }

// AtMost returns the band from 0 to a number.
func AtMost(v float64) Band { return Band{0, v} }

// Improvement is the expected change of latency: after divided by before.
type Improvement struct {
	// MeanRatio and P99Ratio are bands of after/before, the zero band when
	// nothing is expected.
	MeanRatio, P99Ratio Band
	// Instead says what improves where it is not latency, or what it costs.
	Instead string
}

// Find returns the scenario of a name. The error lists those that exist.
func Find(name string) (Spec, error) {
	var names []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Spec{}, fmt.Errorf("there is no scenario %q, there are: %s", name, strings.Join(names, ", "))
}

// Band returns the band of a symptom for a variant.
func (s Symptom) Band(variant string) Band {
	if variant == Before {
		return s.Before
	}
	return s.After
}
