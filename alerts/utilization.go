package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Names of the alerts on resources.
const (
	UtilizationHigh     = "UtilizationHigh"
	SaturationHurts     = "SaturationHurts"
	ExhaustionPredicted = "ExhaustionPredicted"
)

// Windows and delays of the alerts on resources.
const (
	// highWindow outlasts a burst, and highFor a deployment.
	highWindow = 30 * time.Minute
	highFor    = 15 * time.Minute
	// hurtsFor only outlasts a single odd evaluation or two: the windows have
	// done the waiting.
	hurtsFor = 2 * time.Minute
	// What grew for an hour and will be full within four is worth a look in
	// working hours, if it has kept growing for half an hour more and the trend
	// is not that of an empty thing filling up after a start.
	trendWindow  = time.Hour
	trendAhead   = 4 * time.Hour
	trendFor     = 30 * time.Minute
	trendAtLeast = 0.5
)

// utilization alerts on resources. Being used a lot hurts nobody, so it wakes
// nobody: that takes users who wait.
func utilization(o Options) Group {
	return Group{
		Name:     "utilization",
		Doc:      "Alerts on resources that are used too much, that make users wait, or that will run out.",
		Interval: o.interval(),
		Rules:    []Rule{o.utilizationHigh(), o.saturationHurts(), o.exhaustionPredicted()},
	}
}

// perResource are the labels of one resource of a service. Instances are not
// among them: the worst one speaks for all.
func perResource() []catalog.Label { return append(slo.ServiceLabels(), catalog.Resource) }

func resource() string { return label(catalog.Resource) }

func (o Options) utilizationHigh() Rule {
	return Rule{
		Alert: UtilizationHigh,
		Expr: promql.Above(promql.Max(promql.AvgOverTime(catalog.ResourceUtilization, o.window(highWindow)), perResource()...),
			promql.Number(slo.BandHigh)),
		For:      o.scaled(highFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardUtilization, UtilizationHigh,
			fmt.Sprintf("%s of %s is used by %s", resource(), service(), percentage()),
			fmt.Sprintf("Over the last half hour an instance of %s used %s of its %s on average, which is above the band of %s to %s. "+
				"A burst has no room, and above the band a little more load waits much longer.",
				service(), percentage(), resource(), percent(slo.BandLow), percent(slo.BandHigh))),
	}
}

// saturationHurts pages on latency like the burn alerts, but sooner: after five
// minutes instead of an hour, because the cause that comes with it says that it
// is no accident. It is about the same objective, so that it silences the
// ticket about it.
func (o Options) saturationHurts() Rule {
	worst := promql.Max(promql.AvgOverTime(catalog.ResourceSaturation, o.window(rateWindow)), perResource()...)
	burns := promql.And(
		promql.Above(promql.Value(catalog.ServiceSlowRatio(catalog.SLOWindow5m)), promql.Product(slo.PageFactor, o.objectives().LatencyBudget())),
		o.enoughBad(catalog.ServiceSlow, catalog.SLOWindow5m))
	return Rule{
		Alert:    SaturationHurts,
		Expr:     promql.AndOn(promql.Above(worst, promql.Number(slo.SaturationLimit)), burns, slo.ServiceLabels()...),
		For:      o.scaled(hurtsFor),
		Severity: Page,
		Labels:   map[catalog.Label]string{catalog.AlertSLO: "latency"},
		Annotations: o.serviceAnnotationsOn(catalog.DashboardUtilization, SaturationHurts,
			fmt.Sprintf("%s of %s makes users wait", resource(), service()),
			fmt.Sprintf("The %s of an instance of %s is saturated by %s over the last five minutes, and so many requests take more than %v that the latency budget of 30 days lasts 2. "+
				"What that figure means for each resource is in the runbook.",
				resource(), service(), `{{ printf "%.2f" $value }}`, o.LatencyObjective)),
	}
}

// exhaustionPredicted is about what fills up and does not empty by itself. The
// others follow the load of the day, which no straight line predicts.
func (o Options) exhaustionPredicted() Rule {
	fills := promql.OneOf(catalog.Resource, string(catalog.ResourceMemory), string(catalog.ResourceFiles))
	predicted := promql.PredictLinear(catalog.ResourceUtilization, o.window(trendWindow), o.scaled(trendAhead), fills)
	return Rule{
		Alert: ExhaustionPredicted,
		Expr: promql.And(
			promql.Above(promql.Value(catalog.ResourceUtilization, fills), promql.Number(trendAtLeast)),
			promql.Above(predicted, promql.Number(1))),
		For:      o.scaled(trendFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardUtilization, ExhaustionPredicted,
			fmt.Sprintf("%s of %s will run out within hours", resource(), service()),
			fmt.Sprintf("%s of the %s of %s on %s is in use. If it goes on as in the last hour, there is none left in four hours or less.",
				percentage(), resource(), service(), label(catalog.Instance))),
	}
}
