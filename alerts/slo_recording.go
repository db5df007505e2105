package alerts

import (
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// sloRecording counts requests once, at the shortest window and per service,
// and builds everything longer from those few series. Reading raw histograms
// of every instance and route over three days, twice a minute, would cost
// more than all other rules together. For the same reason rules read what an
// earlier one of the group has recorded: rules of a group are evaluated in
// order, at one time, and each sees what those before it have written.
//
// The price is that a 5-minute rate lags: the ratio over an hour reacts to an
// outage about two and a half minutes later than raw counters would.
func sloRecording(o Options) (Group, error) {
	slow, err := o.objectives().SlowRateOf(o.Flavor, o.window(rateWindow), promql.Value(catalog.ServiceAnswered))
	if err != nil {
		return Group{}, err
	}
	all := slo.Requests(o.Flavor, o.window(rateWindow))
	by := slo.ServiceLabels()
	g := Group{
		Name:     "slo-recording",
		Doc:      "Requests, errors and slow requests of every service, and their ratios over the windows of the burn alerts.",
		Interval: o.interval(),
		Rules: []Rule{
			record(catalog.ServiceRequests, all.By(by...).Rate()),
			record(catalog.ServiceErrors, slo.ErrorsOf(all, promql.Value(catalog.ServiceRequests), by...)),
			record(catalog.ServiceAnswered, all.Where(slo.IsAnswered()).By(by...).Rate()),
			record(catalog.ServiceSlow, slow),
		},
	}
	for _, w := range catalog.SLOWindows() {
		g.Rules = append(g.Rules, record(catalog.ServiceErrorRatio(w),
			o.ratioOver(w, catalog.ServiceErrors, catalog.ServiceRequests)))
	}
	for _, w := range catalog.SLOWindows() {
		g.Rules = append(g.Rules, record(catalog.ServiceSlowRatio(w),
			o.ratioOver(w, catalog.ServiceSlow, catalog.ServiceAnswered)))
	}
	return g, nil
}

func record(r catalog.Recorded, expr promql.Expr) Rule {
	return Rule{Record: r.Desc().Name, Expr: expr}
}

// ratioOver divides sums over the window, not ratios averaged over it: an
// hour of ten thousand requests must outweigh an hour of ten. Both series are
// recorded side by side, so a gap is a gap in both.
func (o Options) ratioOver(w catalog.SLOWindow, part, whole catalog.Recorded) promql.Expr {
	length := windowLength(w)
	if length == rateWindow {
		return promql.Div(promql.Value(part), promql.Value(whole))
	}
	return promql.Div(promql.SumOverTime(part, o.window(length)), promql.SumOverTime(whole, o.window(length)))
}

func windowLength(w catalog.SLOWindow) time.Duration {
	switch w {
	case catalog.SLOWindow30m:
		return 30 * time.Minute
	case catalog.SLOWindow1h:
		return time.Hour
	case catalog.SLOWindow2h:
		return 2 * time.Hour
	case catalog.SLOWindow6h:
		return 6 * time.Hour
	case catalog.SLOWindow1d:
		return 24 * time.Hour
	case catalog.SLOWindow3d:
		return 72 * time.Hour
	}
	return rateWindow
}
