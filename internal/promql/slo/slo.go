// Package slo defines what plumbline calls a request, an error and a slow
// request, so that dashboards and alerts count the same things.
//
// Values are immutable and safe for concurrent use; functions only build
// queries. What can fail is [Objectives.Validate].
package slo

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Defaults of [Objectives].
const (
	DefaultLatency       = 300 * time.Millisecond
	DefaultLatencyTarget = 0.995
	DefaultErrorTarget   = 0.999
)

// Objectives are the promises that a service makes to its callers. The zero
// value of each field means its default.
type Objectives struct {
	// Latency is how long an answered request may take. Defaults to 300 ms.
	Latency time.Duration
	// LatencyTarget is the share of answered requests, 0 to 1, that must take
	// no longer than Latency. Defaults to 0.995.
	LatencyTarget float64
	// ErrorTarget is the share of requests, 0 to 1, that must not end in a
	// server error. Defaults to 0.999.
	ErrorTarget float64
}

// WithDefaults returns o with every zero field set to its default.
func (o Objectives) WithDefaults() Objectives {
	if o.Latency == 0 {
		o.Latency = DefaultLatency
	}
	if o.LatencyTarget == 0 {
		o.LatencyTarget = DefaultLatencyTarget
	}
	if o.ErrorTarget == 0 {
		o.ErrorTarget = DefaultErrorTarget
	}
	return o
}

// PageFactor is how many times faster than allowed a budget must burn before
// somebody is woken: at this pace a 30-day budget is gone in two days.
const PageFactor = 14.4

// Validate reports every field that is out of bounds, one line each. A target
// so low that not even total failure burns PageFactor times the budget is
// out of bounds: its page could never fire.
func (o Objectives) Validate(f promql.Flavor) error {
	var errs []error
	if o.Latency <= 0 {
		errs = append(errs, fmt.Errorf("latency objective %v is not positive; use for example 300ms", o.Latency))
	} else if _, err := o.SlowRate(f, promql.Over(time.Minute)); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs,
		validateTarget("latency target", o.LatencyTarget),
		validateTarget("error target", o.ErrorTarget))...)
}

func validateTarget(name string, target float64) error {
	lowest := 1 - 1/PageFactor
	if target > lowest && target < 1 {
		return nil
	}
	return fmt.Errorf("%s %v is not between %.4f and 1: below, a page could never fire; at 1, there is no budget",
		name, target, lowest)
}

// ErrorBudget returns the share of requests that may end in a server error.
func (o Objectives) ErrorBudget() float64 { return budget(o.ErrorTarget) }

// LatencyBudget returns the share of answered requests that may be slow.
func (o Objectives) LatencyBudget() float64 { return budget(o.LatencyTarget) }

func budget(target float64) float64 { return tidy(1 - target) }

// PageRatio returns the share of bad requests at which a budget burns as fast
// as a page needs.
func PageRatio(budget float64) float64 { return tidy(PageFactor * budget) }

// tidy rounds away what binary fractions leave over: 1 - 0.999 is not 0.001.
func tidy(ratio float64) float64 { return math.Round(ratio*1e9) / 1e9 }

// ServiceLabels are the labels by which service levels are kept.
func ServiceLabels() []catalog.Label { return catalog.ConstLabels() }

// IsError matches requests that ended in a server error.
func IsError() promql.Matcher { return promql.Like(catalog.HTTPResponseStatusCode, serverErrors()) }

// IsAnswered matches requests that did not end in a server error.
func IsAnswered() promql.Matcher {
	return promql.NotLike(catalog.HTTPResponseStatusCode, serverErrors())
}

func serverErrors() *regexp.Regexp { return regexp.MustCompile("5..") }

// Requests returns the distribution of the durations of all requests.
func Requests(f promql.Flavor, w promql.Window, ms ...promql.Matcher) promql.Distribution {
	return promql.Of(f, catalog.HTTPServerRequestDuration, w, ms...)
}

// Errors returns the server errors per second of d, split by the given labels.
// It is 0, and not absent, where there were requests and no error.
func Errors(d promql.Distribution, by ...catalog.Label) promql.Expr {
	return ErrorsOf(d, d.By(by...).Rate(), by...)
}

// ErrorsOf is Errors where the rate of all requests, split by the same labels,
// is known already, so that they need not be counted again.
func ErrorsOf(d promql.Distribution, all promql.Expr, by ...catalog.Label) promql.Expr {
	return promql.Or(d.Where(IsError()).By(by...).Rate(), promql.Times(all, promql.Number(0)))
}

// ErrorRatio returns the share of the requests of d, 0 to 1, that ended in a
// server error, split by the given labels; NaN without requests.
func ErrorRatio(d promql.Distribution, by ...catalog.Label) promql.Expr {
	return promql.Div(Errors(d, by...), d.By(by...).Rate())
}

// SlowRatio returns the share of the answered requests of d, 0 to 1, that took
// longer than the latency objective, split by the given labels; NaN without
// any. It fails where Validate would.
func (o Objectives) SlowRatio(d promql.Distribution, by ...catalog.Label) (promql.Expr, error) {
	fast, err := d.Where(IsAnswered()).By(by...).FractionAtMost(promql.Seconds(o.Latency))
	if err != nil {
		return promql.Expr{}, fmt.Errorf("latency objective %v: %w", o.Latency, err)
	}
	return promql.Complement(fast), nil
}

// SlowRate returns the slow answered requests per second of every service. It
// is 0, and not NaN, for a service that answers nothing, so that sums over
// time stay numbers. It fails where Validate would.
func (o Objectives) SlowRate(f promql.Flavor, w promql.Window) (promql.Expr, error) {
	return o.SlowRateOf(f, w, Requests(f, w, IsAnswered()).By(ServiceLabels()...).Rate())
}

// SlowRateOf is SlowRate where the rate of the answered requests of every
// service is known already, so that they need not be counted again.
func (o Objectives) SlowRateOf(f promql.Flavor, w promql.Window, answered promql.Expr) (promql.Expr, error) {
	slow, err := Requests(f, w, IsAnswered()).By(ServiceLabels()...).RateAboveOf(promql.Seconds(o.Latency), answered)
	if err != nil {
		return promql.Expr{}, fmt.Errorf("latency objective %v: %w", o.Latency, err)
	}
	if f == promql.Classic {
		return slow, nil
	}
	return promql.Or(promql.AtLeast(slow, promql.Number(0)),
		promql.Times(answered, promql.Number(0))), nil
}
