package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// P99OverObjective is the name of the alert on the slowest percent of a route.
const P99OverObjective = "P99OverObjective"

// p99For is three windows of the rates that P99 is taken from.
const p99For = 15 * time.Minute

// routes alerts on single routes. The latency budget is kept for a service as a
// whole, where a route with few requests can be slow for ever and not show.
func routes(o Options) Group {
	answered := slo.Requests(o.Flavor, o.window(rateWindow), slo.IsAnswered()).By(perRoute()...)
	return Group{
		Name:     "routes",
		Doc:      "Answered requests and P99 of every route, and an alert where P99 exceeds the latency objective.",
		Interval: o.interval(),
		Rules: []Rule{
			record(catalog.RouteAnswered, answered.Rate()),
			record(catalog.RouteP99, answered.Quantile(0.99)),
			o.p99OverObjective(),
		},
	}
}

// perRoute are the labels of one route of a service.
func perRoute() []catalog.Label { return append(slo.ServiceLabels(), catalog.HTTPRoute) }

// p99OverObjective fires where one answer in a hundred takes longer than the
// objective, which is twice what the default budget allows.
//
// Its guard is [Options.MinRequests]. A route that just keeps the default
// objective has 0.5 slow answers in 100, and two or more, which is what it takes
// to move P99, in 9 % of all windows of 100 answers; in three windows one after
// the other, which is what the delay asks for, once in 1,400 times.
func (o Options) p99OverObjective() Rule {
	count := promql.Times(promql.Value(catalog.RouteAnswered), promql.Number(o.scaled(rateWindow).Seconds()))
	return Rule{
		Alert: P99OverObjective,
		Expr: promql.And(
			promql.Above(promql.Value(catalog.RouteP99), promql.Number(promql.Seconds(o.LatencyObjective))),
			promql.AtLeast(count, promql.Number(float64(o.MinRequests)))),
		For:      o.scaled(p99For),
		Severity: Ticket,
		Labels:   map[catalog.Label]string{catalog.AlertSLO: "latency"},
		Annotations: o.serviceAnnotationsOn(catalog.DashboardP99, P99OverObjective,
			fmt.Sprintf("P99 of %s of %s is {{ $value | humanizeDuration }}", label(catalog.HTTPRoute), service()),
			fmt.Sprintf("One in a hundred answers of the route %s of %s takes {{ $value | humanizeDuration }} or longer, and the objective is %v. "+
				"It has been so for a quarter of an hour.", label(catalog.HTTPRoute), service(), o.LatencyObjective)),
	}
}
