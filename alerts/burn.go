package alerts

import (
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// burnWindows is a pair of windows over which a budget must burn faster than
// factor times the sustainable pace. The long one says that it matters, the
// short one that it still goes on, which lets the alert end soon after the
// trouble does.
type burnWindows struct {
	long, short catalog.SLOWindow
	factor      float64
}

// The pairs of the Google SRE workbook for a 30-day budget. A page means that
// 2 % of it went in an hour or 5 % in six; a ticket, 10 % in a day or in three.
func pageWindows() []burnWindows {
	return []burnWindows{
		{catalog.SLOWindow1h, catalog.SLOWindow5m, slo.PageFactor},
		{catalog.SLOWindow6h, catalog.SLOWindow30m, 6},
	}
}

func ticketWindows() []burnWindows {
	return []burnWindows{
		{catalog.SLOWindow1d, catalog.SLOWindow2h, 3},
		{catalog.SLOWindow3d, catalog.SLOWindow6h, 1},
	}
}

// Delays before a burn alert fires. The windows have done the waiting already;
// the page's delay only outlasts a single odd evaluation.
const (
	pageBurnFor   = time.Minute
	ticketBurnFor = 15 * time.Minute
)

// burnExpr returns the services whose budget burns too fast over any of the
// pairs, with the ratio over the long window as the value.
func (o Options) burnExpr(pairs []burnWindows, ratio func(catalog.SLOWindow) catalog.Recorded,
	bad catalog.Recorded, budget float64) promql.Expr {
	var any promql.Expr
	for _, p := range pairs {
		limit := promql.Product(p.factor, budget)
		burns := promql.And(promql.And(
			promql.Above(promql.Value(ratio(p.long)), limit),
			promql.Above(promql.Value(ratio(p.short)), limit)),
			o.enoughBad(bad, p.long))
		if any.IsZero() {
			any = burns
		} else {
			any = promql.Or(any, burns)
		}
	}
	return any
}

// enoughBad is the low-traffic guard. It counts bad requests and not all
// requests, so that one failure among few stays quiet while a total outage of
// a small service does not.
//
// The sum of a rate's samples times the seconds between two of them is the
// number of events. A Prometheus that missed evaluations counts too few.
func (o Options) enoughBad(bad catalog.Recorded, w catalog.SLOWindow) promql.Expr {
	count := promql.Times(promql.SumOverTime(bad, o.window(windowLength(w))),
		promql.Number(o.interval().Seconds()))
	return promql.AtLeast(count, promql.Number(float64(o.MinBadRequests)))
}
