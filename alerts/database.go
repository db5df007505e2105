package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Names of the alerts on how services use their databases.
const (
	NPlusOneAppears = "NPlusOneAppears"
	DBPoolExhausted = "DBPoolExhausted"
)

// Windows, delays and limits of the alerts on databases.
const (
	nPlusOneWindow = 15 * time.Minute
	nPlusOneFor    = 5 * time.Minute
	// poolWaiting is how many callers wait for a connection, on average: one
	// means that there is always somebody. poolFull is the share of the
	// connections in use from which waiting is the pool's fault: callers wait
	// for a connection that is being opened, too.
	poolWaiting, poolFull = 1, 0.9
	poolFor               = 5 * time.Minute
)

// database alerts on queries that grow with the data, and on pools in which
// callers queue. Both are tickets: where users wait because of them, the alerts
// on latency page.
func database(o Options) Group {
	return Group{
		Name:     "database",
		Doc:      "Alerts on queries that are repeated for each row of another, and on pools whose connections are all in use.",
		Interval: o.interval(),
		Rules:    []Rule{o.nPlusOneAppears(), o.poolExhausted()},
	}
}

// nPlusOneAppears has [Options.MinBadRequests] as its guard: with the default of
// 10 in a quarter of an hour, somebody who tries an odd request by hand raises
// nothing, and a route that has the problem does so from 40 requests an hour on.
func (o Options) nPlusOneAppears() Rule {
	where := append(slo.ServiceLabels(), catalog.HTTPRoute, catalog.DBQuerySignature)
	found := promql.Sum(promql.Increase(catalog.DBClientNPlusOne, o.window(nPlusOneWindow)), where...)
	return Rule{
		Alert:    NPlusOneAppears,
		Expr:     promql.AtLeast(found, promql.Number(float64(o.MinBadRequests))),
		For:      o.scaled(nPlusOneFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardDatabase, NPlusOneAppears,
			fmt.Sprintf("%s of %s repeats a query for each row", label(catalog.HTTPRoute), service()),
			fmt.Sprintf(`%s requests to %s of %s repeated the query "%s" for each row of another one, within the last quarter of an hour. `+
				"It takes longer with every row that is added; one query for all of them does not.",
				`{{ printf "%.0f" $value }}`, label(catalog.HTTPRoute), service(), label(catalog.DBQuerySignature))),
	}
}

// poolExhausted takes the time that callers waited in a second, which is how
// many of them wait on average.
func (o Options) poolExhausted() Rule {
	window := o.window(rateWindow)
	pool := append(slo.ServiceLabels(), catalog.Pool)
	one := append(pool[:len(pool):len(pool)], catalog.Instance)
	waiting := promql.Sum(promql.Rate(catalog.DBClientConnectionWait, window), one...)
	used := promql.Sum(promql.AvgOverTime(catalog.DBClientConnections, window, promql.Equal(catalog.State, catalog.StateUsed)), one...)
	full := promql.Above(promql.Div(used, promql.Sum(promql.Value(catalog.DBClientConnectionsMax), one...)), promql.Number(poolFull))
	return Rule{
		Alert:    DBPoolExhausted,
		Expr:     promql.Max(promql.And(promql.AtLeast(waiting, promql.Number(poolWaiting)), full), pool...),
		For:      o.scaled(poolFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardDatabase, DBPoolExhausted,
			fmt.Sprintf("The pool %s of %s is exhausted", label(catalog.Pool), service()),
			fmt.Sprintf("On average over the last five minutes, %s callers of an instance of %s waited for a connection of the pool %s, and hardly one was idle.",
				`{{ printf "%.1f" $value }}`, service(), label(catalog.Pool))),
	}
}
