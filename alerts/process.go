package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Names of the alerts on a service's process.
const (
	MemoryNearLimit = "MemoryNearLimit"
	GCCostly        = "GCCostly"
)

// Windows, delays and limits of the alerts on processes.
const (
	// memoryLimit is the share of the limit from which a burst can end the
	// process, or makes its garbage collector work all the time.
	memoryLimit = 0.9
	memoryFor   = 5 * time.Minute
	// gcLimit is the share of all processor time that garbage collection may
	// take. By default Go gives it a quarter of the processors while it runs, so
	// this is a collector that runs nearly all the time.
	gcLimit  = 0.2
	gcWindow = 15 * time.Minute
	gcFor    = 10 * time.Minute
)

// process alerts on what the Go runtime of a service has to do to stay within
// its memory. Both are about one instance or the worst one, and tickets: users
// who wait for it are the business of other alerts.
func process(o Options) Group {
	return Group{
		Name:     "process",
		Doc:      "Alerts on memory that is nearly all in use, and on garbage collection that takes much of the processor.",
		Interval: o.interval(),
		Rules:    []Rule{o.memoryNearLimit(), o.gcCostly()},
	}
}

// memoryNearLimit names the instance: it is the one that will be killed.
func (o Options) memoryNearLimit() Rule {
	return Rule{
		Alert: MemoryNearLimit,
		Expr: promql.Above(promql.Value(catalog.ResourceUtilization, promql.Equal(catalog.Resource, string(catalog.ResourceMemory))),
			promql.Number(memoryLimit)),
		For:      o.scaled(memoryFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardUtilization, MemoryNearLimit,
			fmt.Sprintf("%s uses %s of its memory", service(), percentage()),
			fmt.Sprintf("%s of %s uses %s of the memory that it may have. At the limit of a control group the kernel kills it; "+
				"at that of the Go runtime it collects garbage all the time.", label(catalog.Instance), service(), percentage())),
	}
}

func (o Options) gcCostly() Rule {
	cost := promql.AvgOverTime(catalog.ResourceUtilization, o.window(gcWindow), promql.Equal(catalog.Resource, string(catalog.ResourceGC)))
	return Rule{
		Alert:    GCCostly,
		Expr:     promql.Above(promql.Max(cost, perResource()...), promql.Number(gcLimit)),
		For:      o.scaled(gcFor),
		Severity: Ticket,
		Annotations: o.serviceAnnotationsOn(catalog.DashboardUtilization, GCCostly,
			fmt.Sprintf("Garbage collection of %s takes %s of its processor", service(), percentage()),
			fmt.Sprintf("An instance of %s spent %s of all the processor time that it may have on garbage collection, on average over a quarter of an hour. "+
				"It allocates too much, or has too little memory for what it keeps.", service(), percentage())),
	}
}
