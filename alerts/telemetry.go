package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Names of the alerts on telemetry other than metrics.
const (
	TelemetryDropped    = "TelemetryDropped"
	ExemplarLinksBroken = "ExemplarLinksBroken"
)

// Windows, delays and limits of the alerts on telemetry.
const (
	// droppedLimit is the share of what a service produces that may be lost.
	droppedLimit = 0.01
	droppedFor   = 5 * time.Minute
	// linkLimit is the share of links that must lead somewhere. A healthy lab
	// has 99 % of them.
	linkLimit  = 0.95
	linkWindow = 30 * time.Minute
	linkFor    = 15 * time.Minute
)

// telemetry alerts on logs, traces and profiles that get lost, and on ways
// between them that lead nowhere. Users notice neither; whoever looks for a
// cause does.
func telemetry(o Options) Group {
	return Group{
		Name:     "telemetry",
		Doc:      "Alerts on telemetry that is dropped, and on exemplars that point at nothing.",
		Interval: o.interval(),
		Rules:    []Rule{o.telemetryDropped(), o.linksBroken()},
	}
}

// telemetryDropped has [Options.MinBadRequests] as its guard: with the default
// of 10 in five minutes, a service that produces up to three items a second may
// lose 1 % of them, and stays quiet.
func (o Options) telemetryDropped() Rule {
	window := o.window(rateWindow)
	where := append(slo.ServiceLabels(), catalog.SignalLabel)
	dropped := promql.Sum(promql.Increase(catalog.TelemetryDropped, window), where...)
	produced := promql.Sum(promql.Increase(catalog.TelemetryProduced, window), where...)
	return Rule{
		Alert: TelemetryDropped,
		Expr: promql.And(promql.Above(promql.Div(dropped, produced), promql.Number(droppedLimit)),
			promql.AtLeast(dropped, promql.Number(float64(o.MinBadRequests)))),
		For:      o.scaled(droppedFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardLogsAndTraces, TelemetryDropped,
			fmt.Sprintf("%s loses %s of its %s", service(), percentage(), label(catalog.SignalLabel)),
			fmt.Sprintf("%s dropped %s of the %s that it produced within the last five minutes: the backend does not take them, or too slowly. "+
				"What is dropped is missing for good.", service(), percentage(), label(catalog.SignalLabel))),
	}
}

// linksBroken is silent until something measures the links.
func (o Options) linksBroken() Rule {
	reachable := promql.Min(promql.AvgOverTime(catalog.LinkReachable, o.window(linkWindow)), append(slo.ServiceLabels(), catalog.Hop)...)
	return Rule{
		Alert:    ExemplarLinksBroken,
		Expr:     promql.Below(reachable, promql.Number(linkLimit)),
		For:      o.scaled(linkFor),
		Severity: Ticket,
		Annotations: o.targetAnnotations(ExemplarLinksBroken,
			fmt.Sprintf("Links to %s lead nowhere", label(catalog.Hop)),
			fmt.Sprintf("Only %s of the exemplars that were tried within the last half hour led to their %s. "+
				"Whoever follows a slow request from a dashboard finds nothing there.", percentage(), label(catalog.Hop))),
	}
}
