package alerts_test

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/alerts"
)

// The alerts for a service that may take half a second, and what would have to
// change in the options if they were out of bounds.
func ExampleAll() {
	groups, err := alerts.All(alerts.Options{LatencyObjective: 500 * time.Millisecond, Flavor: alerts.Classic})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				fmt.Println(r.Severity, r.Alert)
			}
		}
	}

	_, err = alerts.All(alerts.Options{ErrorTarget: 99.9})
	fmt.Println(err)
	// Output:
	// page ErrorBudgetBurnFast
	// ticket ErrorBudgetBurnSlow
	// page LatencyBudgetBurnFast
	// ticket LatencyBudgetBurnSlow
	// page TargetDown
	// ticket TargetDown
	// page TargetVanished
	// ticket TargetVanished
	// ticket ReplicationLagging
	// ticket ReplicaDisconnected
	// ticket ReplicationSlotRetains
	// ticket RouterFallsBack
	// ticket UtilizationHigh
	// page SaturationHurts
	// ticket ExhaustionPredicted
	// ticket P99OverObjective
	// page JobsWaitTooLong
	// ticket JobsFail
	// ticket NPlusOneAppears
	// ticket DBPoolExhausted
	// ticket MemoryNearLimit
	// ticket GCCostly
	// page MetricsAbsent
	// page RequestsUncounted
	// ticket TelemetryDropped
	// ticket ExemplarLinksBroken
	// page PrometheusRuleFails
	// ticket PrometheusRulesLate
	// page PrometheusCannotNotify
	// ticket ConfigReloadFailed
	// page AlertmanagerCannotDeliver
	// ticket LokiRefusesLogs
	// ticket LokiCannotStore
	// heartbeat Deadman
	// alert options: error target 99.9 is not between 0.9306 and 1: below, a page could never fire; at 1, there is no budget
}
