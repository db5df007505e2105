package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// What panels say that have nothing to show.
const (
	noReplicas = "no replicas"
	noRouter   = "no router"
	noSlots    = "no slots"
)

// lagLimit is the lag in seconds above which the alert on it fires.
const lagLimit = 10

// replicationLag answers, for the service that watches a database: how far are
// its replicas behind, why, and what do users notice of it.
func replicationLag(o Options) (Dashboard, error) {
	return assemble(catalog.DashboardReplicationLag, "Replication lag",
		"Lag of PostgreSQL's replicas in seconds, bytes and connections, where it comes from, and where reads go because of it.",
		replicationVariables(), []row{
			{"Now", []panel{worstLag(), connectedReplicas(), bytesToShip(), bytesToApply(), replicaShare(promql.WholeRange(), true), staleAvoided()}},
			{"Lag of each replica", []panel{lagSeconds(), lagBytes(), connections()}},
			{"Ship against apply", []panel{lagStage(catalog.StageShip), lagStage(catalog.StageApply), receivers()}},
			{"Where reads go", []panel{routerDecisions(), replicaShare(promql.RateInterval(), false), o.routerWait(), staleAvoidedRate()}},
			{"The primary", []panel{writeRate(), slotRetention(), slotUse(), collectErrors()}},
		})
}

func replicationVariables() []cog.Builder[dashboard.VariableModel] {
	environment := promql.Selected(catalog.DeploymentEnvironment, catalog.VarEnvironment)
	return []cog.Builder[dashboard.VariableModel]{
		sourceVariable(catalog.VarPrometheus, "Prometheus data source", typePrometheus),
		orAll(valuesVariable(catalog.VarEnvironment, "Environment",
			"Where the service runs. All includes services that do not say.",
			promql.Value(catalog.DBReplicationPrimary), catalog.DeploymentEnvironment)),
		valuesVariable(catalog.VarService, "Service", "Every service that watches the replication of a database.",
			promql.Value(catalog.DBReplicationPrimary, environment), catalog.ServiceName),
	}
}

// lagLimits colours a lag by the limit of the alert.
func lagLimits() cog.Builder[dashboard.ThresholdsConfig] {
	return steps(good, above(1, warn), above(lagLimit, bad))
}

// byReplica is the largest of what the instances of the service say.
func byReplica(g catalog.Gauge, more ...promql.Matcher) promql.Expr {
	return promql.Max(promql.Value(g, append(thisService(), more...)...), catalog.Replica)
}

func stage(s string) promql.Matcher { return promql.Equal(catalog.Stage, s) }

func worstLag() panel {
	return panel{newStat("Largest lag", "How far the replica that is most behind lives in the past. 0 where the primary is idle. "+
		"Orange above 1 s, red above the limit of the alert.", unitTime, noReplicas).
		Thresholds(lagLimits()).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.DBReplicationLagSeconds, thisService()...)), "Largest lag"}.once()), 4, 4}
}

func connectedReplicas() panel {
	return panel{newStat("Replicas not connected", "Known replicas that do not stream from the primary. "+
		"Their lag grows as soon as the primary writes, and a slot keeps the log for them.", unitCount, noReplicas).
		Thresholds(steps(good, above(0.5, bad))).
		WithTarget(query{"A", promql.Sum(promql.Complement(byReplica(catalog.DBReplicationConnected))), "Not connected"}.once()), 4, 4}
}

func bytesToShip() panel {
	return panel{newStat("To ship", "Write-ahead log that the primary has written and a replica has not received, of the replica with the most. "+
		"Much of it: the network, or the replica is cut off.", unitBytes, noReplicas).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.DBReplicationLagBytes, append(thisService(), stage(catalog.StageShip))...)), "To ship"}.once()), 4, 4}
}

func bytesToApply() panel {
	return panel{newStat("To apply", "Write-ahead log that a replica has received and not replayed, of the replica with the most. "+
		"Much of it: the replica is slow, paused, or held up by a query.", unitBytes, noReplicas).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.DBReplicationLagBytes, append(thisService(), stage(catalog.StageApply))...)), "To apply"}.once()), 4, 4}
}

// replicaShare is the share of reads that replicas served.
func replicaShare(w promql.Window, number bool) panel {
	onReplicas := promql.Sum(promql.Rate(catalog.DBRouterReads, w, append(thisService(), promql.Equal(catalog.Target, catalog.RouterReplica))...))
	expr := promql.Div(onReplicas, promql.Sum(promql.Rate(catalog.DBRouterReads, w, thisService()...)))
	const meaning = "Share of the reads through the router that replicas served. What is missing went to the primary, for the reasons that the decisions show."
	if number {
		return panel{newStat("Reads on replicas", meaning, unitRatio, noRouter).
			WithTarget(query{"A", expr, "On replicas"}.once()), 4, 4}
	}
	return panel{newTimeSeries("Reads on replicas over time", meaning, unitRatio, noRouter).
		WithTarget(query{"A", expr, "On replicas"}.overTime()), 12, 8}
}

func staleAvoided() panel {
	return panel{newStat("Stale reads avoided", "Reads of users who had just written, for which the replica of first choice was not far enough: "+
		"so many would have seen old data over the time range.", unitCount, noRouter).
		WithTarget(query{"A", promql.Sum(promql.Increase(catalog.DBRouterStaleAvoided, promql.WholeRange(), thisService()...)), "Avoided"}.once()), 4, 4}
}

func lagSeconds() panel {
	return panel{newTimeSeries("Lag in seconds", "How long ago the primary stood where the replica stands now. It drops to 0 when a replica has everything, "+
		"and a line that climbs by a second each second is a replica that does not move. The dashed lines are 1 s and the limit of the alert.", unitTime, noReplicas).
		Thresholds(lagLimits()).
		ThresholdsStyle(dashedLimits()).
		WithTarget(query{"A", byReplica(catalog.DBReplicationLagSeconds), by(catalog.Replica)}.overTime()), 8, 9}
}

func lagBytes() panel {
	return panel{newTimeSeries("Lag in bytes", "All that a replica has yet to replay, received or not. Seconds without bytes are an idle primary; "+
		"bytes that fall while the seconds stay high are a replica that catches up.", unitBytes, noReplicas).
		WithTarget(query{"A", promql.Sum(promql.Max(promql.Value(catalog.DBReplicationLagBytes, thisService()...), catalog.Replica, catalog.Stage), catalog.Replica),
			by(catalog.Replica)}.overTime()), 8, 9}
}

func connections() panel {
	return panel{newTimeSeries("Connected and in rotation", "Whether each replica streams from the primary, and whether the router sends reads to it: 1 or 0. "+
		"A replica can be in rotation and not connected: it still answers, with old data, to those who may see that.", unitCount, noReplicas).
		WithTarget(query{"connected", byReplica(catalog.DBReplicationConnected), by(catalog.Replica) + " connected"}.overTime()).
		WithTarget(query{"rotation", byReplica(catalog.DBRouterInRotation), by(catalog.Replica) + " in rotation"}.overTime()), 8, 9}
}

func lagStage(s string) panel {
	title, meaning := "Yet to ship", "What the primary has written and the replica has not received. It grows with the network, or for as long as the replica is cut off."
	if s == catalog.StageApply {
		title, meaning = "Yet to apply", "What the replica has received and not replayed. It grows where the replay is slow, paused, or waits for a query on the replica to end."
	}
	return panel{newTimeSeries(title, meaning, unitBytes, noReplicas).
		WithTarget(query{"A", byReplica(catalog.DBReplicationLagBytes, stage(s)), by(catalog.Replica)}.overTime()), 8, 8}
}

func receivers() panel {
	return panel{newTimeSeries("WAL receivers and pauses", "What each replica says of its WAL receiver, and 1 while somebody has paused its replay. "+
		"Only of replicas that are asked themselves.", unitCount, noReplicas).
		WithTarget(query{"receiver", promql.Max(promql.Value(catalog.DBReplicationReceiver, thisService()...), catalog.Replica, catalog.State),
			by(catalog.Replica) + " " + by(catalog.State)}.overTime()).
		WithTarget(query{"paused", byReplica(catalog.DBReplicationReplayPaused), by(catalog.Replica) + " paused"}.overTime()), 8, 8}
}

func routerDecisions() panel {
	return panel{newStack("Router decisions", "Reads per second by where they went and why, stacked. On a replica: fresh (the user had not written), caught_up, waited. "+
		"On the primary: behind (no replica was far enough in time), lagging, no_replica, and tokens that were not to be trusted. retry is a read that failed elsewhere first.",
		unitRate, noRouter).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.DBRouterReads, promql.RateInterval(), thisService()...), catalog.Target, catalog.Reason),
			by(catalog.Target) + " " + by(catalog.Reason)}.overTime()), 12, 8}
}

func (o Options) routerWait() panel {
	d := promql.Of(o.Flavor, catalog.DBRouterWait, promql.RateInterval(), thisService()...).By(catalog.Target)
	return panel{newTimeSeries("Waiting for a replica", "How long reads waited for a replica to catch up with what their user wrote, by where they went then: "+
		"to the replica, or to the primary when the budget was used up. P50 is what is usual, P99 what one wait in a hundred exceeds.", unitTime, "no read waited").
		WithTarget(query{"p50", d.Quantile(0.5), by(catalog.Target) + " P50"}.overTime()).
		WithTarget(query{"p99", d.Quantile(0.99), by(catalog.Target) + " P99"}.overTime()), 12, 8}
}

func staleAvoidedRate() panel {
	return panel{newTimeSeries("Stale reads avoided over time", "Reads per second that would have shown a user less than they had written, had they gone to the replica of first choice. "+
		"It follows the lag, and how often users read after they write.", unitRate, noRouter).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.DBRouterStaleAvoided, promql.RateInterval(), thisService()...)), "Avoided"}.overTime()), 12, 8}
}

func writeRate() panel {
	return panel{newTimeSeries("Write rate", "Write-ahead log that the primary writes per second. A lag that rises with it is a replica that cannot keep up; "+
		"one that rises without it has another cause.", units.BytesPerSecondIEC, noReplicas).
		WithTarget(query{"A", promql.Max(promql.Rate(catalog.DBReplicationWALPosition, promql.RateInterval(), thisService()...)), "Written"}.overTime()), 12, 8}
}

func slotRetention() panel {
	return panel{newTimeSeries("Kept by slots", "Write-ahead log that the primary may not remove because a replication slot has not passed it. "+
		"A line that only rises fills the disk: its replica is gone, and the slot is not.", unitBytes, noSlots).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.DBReplicationSlotRetained, thisService()...), catalog.Slot), by(catalog.Slot)}.overTime()), 12, 8}
}

func slotUse() panel {
	return panel{newTimeSeries("Slots in use", "Whether somebody streams from each replication slot: 1 or 0. "+
		"A slot that nobody uses keeps the log for a replica that is not there.", unitCount, noSlots).
		WithTarget(query{"A", promql.Max(promql.Value(catalog.DBReplicationSlotActive, thisService()...), catalog.Slot), by(catalog.Slot)}.overTime()), 12, 8}
}

func collectErrors() panel {
	return panel{newTimeSeries("Servers that cannot be asked", "Failed attempts to read the replication state, per second and server. "+
		"While the primary fails, lag is what was last known; a role without pg_monitor fails all the time, and the log names the GRANT.", unitRate, noReplicas).
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.DBReplicationCollectErrors, promql.RateInterval(), thisService()...), catalog.Target),
			by(catalog.Target)}.overTime()), 12, 8}
}
