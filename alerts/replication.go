package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Names of the alerts on replication.
const (
	ReplicationLagging     = "ReplicationLagging"
	ReplicaDisconnected    = "ReplicaDisconnected"
	ReplicationSlotRetains = "ReplicationSlotRetains"
	RouterFallsBack        = "RouterFallsBack"
)

// Limits and delays of the replication alerts.
const (
	lagLimit = 10 // seconds
	// retainLimit is what a slot may keep, in bytes.
	retainLimit = 512 << 20
	// fallbackLimit is the share of reads that may end on the primary because of
	// the replicas, and fallbackLeast how many reads per second there must be.
	fallbackLimit, fallbackLeast = 0.5, 0.1

	lagFor, disconnectedFor = 2 * time.Minute, 2 * time.Minute
	retainFor, fallbackFor  = 10 * time.Minute, 10 * time.Minute
)

// replication alerts on replicas that fall behind or are gone, and on what
// follows from that: log that piles up on the primary, and reads that all end
// there. All are tickets: users wait or fail only where that makes a service
// slow, and then the alerts on its latency and errors page.
func replication(o Options) Group {
	return Group{
		Name:     "replication",
		Doc:      "Alerts on replicas that are behind or not connected, on slots that keep the log, and on reads that all go to the primary.",
		Interval: o.interval(),
		Rules:    []Rule{o.replicationLagging(), o.replicaDisconnected(), o.slotRetains(), o.routerFallsBack()},
	}
}

// replicationLagging wants seconds and bytes: seconds alone may be an artefact
// of whoever measures them, bytes alone a burst that is over in a moment.
func (o Options) replicationLagging() Rule {
	where := []catalog.Label{catalog.ServiceName, catalog.DeploymentEnvironment, catalog.Replica}
	seconds := promql.Max(promql.Value(catalog.DBReplicationLagSeconds), where...)
	bytes := promql.Sum(promql.Value(catalog.DBReplicationLagBytes), where...)
	return Rule{
		Alert:    ReplicationLagging,
		Expr:     promql.AndOn(promql.Above(seconds, promql.Number(lagLimit)), promql.Above(bytes, promql.Number(0)), where...),
		For:      o.scaled(lagFor),
		Severity: Ticket,
		Annotations: o.replicationAnnotations(ReplicationLagging,
			fmt.Sprintf("%s lags", label(catalog.Replica)),
			fmt.Sprintf("The replica %s is {{ $value | humanizeDuration }} behind its primary, and has log to catch up with. "+
				"Whoever reads from it sees data that old.", label(catalog.Replica))),
	}
}

func (o Options) replicaDisconnected() Rule {
	return Rule{
		Alert: ReplicaDisconnected,
		Expr: promql.Equals(promql.Max(promql.Value(catalog.DBReplicationConnected),
			catalog.ServiceName, catalog.DeploymentEnvironment, catalog.Replica), promql.Number(0)),
		For:      o.scaled(disconnectedFor),
		Severity: Ticket,
		Annotations: o.replicationAnnotations(ReplicaDisconnected,
			fmt.Sprintf("%s does not stream", label(catalog.Replica)),
			fmt.Sprintf("The replica %s does not stream from the primary any more. Its data grows older with every write, "+
				"and a slot that it has keeps the log on the primary.", label(catalog.Replica))),
	}
}

func (o Options) slotRetains() Rule {
	return Rule{
		Alert: ReplicationSlotRetains,
		Expr: promql.Above(promql.Max(promql.Value(catalog.DBReplicationSlotRetained),
			catalog.ServiceName, catalog.DeploymentEnvironment, catalog.Slot), promql.Number(retainLimit)),
		For:      o.scaled(retainFor),
		Severity: Ticket,
		Annotations: o.replicationAnnotations(ReplicationSlotRetains,
			fmt.Sprintf("The slot %s keeps the log", label(catalog.Slot)),
			fmt.Sprintf("The replication slot %s keeps {{ $value | humanize1024 }}B of write-ahead log on the primary. "+
				"It will go on until its replica catches up or the disk is full.", label(catalog.Slot))),
	}
}

// routerFallsBack looks at reads that replicas should have served: reasons that
// lie with the replicas, and not with users and their tokens.
func (o Options) routerFallsBack() Rule {
	where := []catalog.Label{catalog.ServiceName, catalog.DeploymentEnvironment}
	window := o.window(rateWindow)
	fallen := promql.Sum(promql.Rate(catalog.DBRouterReads, window, promql.Equal(catalog.Target, catalog.RouterPrimary),
		promql.OneOf(catalog.Reason, catalog.RouterBehind, catalog.RouterLagging, catalog.RouterNoReplica, catalog.RouterRetry)), where...)
	all := promql.Sum(promql.Rate(catalog.DBRouterReads, window), where...)
	return Rule{
		Alert: RouterFallsBack,
		Expr: promql.AndOn(promql.Above(promql.Div(fallen, all), promql.Number(fallbackLimit)),
			promql.Above(all, promql.Number(fallbackLeast)), where...),
		For:      o.scaled(fallbackFor),
		Severity: Ticket,
		Annotations: o.replicationAnnotations(RouterFallsBack,
			fmt.Sprintf("%s reads from the primary", service()),
			fmt.Sprintf("%s of the reads of %s go to the primary because its replicas are gone or too far behind. "+
				"Nobody sees stale data, and the primary carries a load that it is not meant for.", percentage(), service())),
	}
}
