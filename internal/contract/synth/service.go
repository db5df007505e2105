package synth

import (
	"fmt"
	"math"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Rates of one instance, per second.
const (
	requests = 1.0 // of each route
	failures = requests / 5000
	queries  = 2.0 // of each signature
	attempts = 0.5 // of each queue
)

// Numbers of things that each instance has.
const (
	failingOf  = 10 // one in so many routes has answered with an error
	signatures = 10 // of each database system
	queues     = 3
	pools      = 2
	replicas   = 2
	upstreams  = 5
	capped     = 4 // labels with a cap
)

// exportService adds what the agent exports in a service that uses all of it.
func (b *builder) exportService(routes int) {
	b.exportRequests(routes)
	b.exportDatabase()
	b.exportReplication()
	b.exportUtilization()
	b.exportJobs()
	b.exportTelemetry()
	b.exportProcess()
}

func (b *builder) exportRequests(routes int) {
	names := routesOf(routes)
	for i, name := range names {
		route := []string{name}
		// Medians from 8 to 60 ms, all P99s below the objective of 300 ms.
		taken := duration(0.008 * math.Pow(7.5, float64(i)/float64(max(len(names)-1, 1))))
		get := []string{"GET"}
		b.histogram(catalog.HTTPServerRequestDuration, Short, requests, taken, get, route, []string{"200"})
		if i%failingOf == 0 {
			b.histogram(catalog.HTTPServerRequestDuration, Short, failures, taken, get, route, []string{"500"})
		}
		b.gauge(catalog.HTTPServerActiveRequests, Short, 1, 1, route)
		for _, c := range catalog.Components() {
			component := []string{string(c)}
			used := 0.0
			switch c {
			case catalog.DB, catalog.Log, catalog.Self:
				used = taken.mean / 3
			}
			b.seconds(catalog.HTTPServerComponentSeconds, Short, used*requests, route, component)
			b.count(catalog.HTTPServerComponentCalls, Short, math.Ceil(used)*requests, route, component)
		}
		b.histogram(catalog.DBClientQueriesPerRequest, Short, requests, small(5), route)
	}
	b.histogram(catalog.HTTPClientRequestDuration, Short, requests, duration(0.02),
		numbered("upstream-%d.internal:8080", upstreams), []string{"GET"}, []string{"200"})
	b.count(catalog.DBClientNPlusOne, Hour, 0.0001, names[:1], numbered("select * from table_%d where id = ?", 1))
}

func (b *builder) exportDatabase() {
	b.histogram(catalog.DBClientOperationDuration, Short, queries, duration(0.003),
		[]string{"postgresql"}, []string{"SELECT"}, numbered("select * from table_%d where id = ?", signatures))
	b.histogram(catalog.DBClientOperationDuration, Short, queries, duration(0.0005),
		[]string{"redis"}, []string{"GET"}, numbered("get key_%d", signatures))
	names := numbered("pool-%d", pools)
	b.gauge(catalog.DBClientConnections, Short, 5, 3, names, []string{catalog.StateUsed, "idle"})
	b.gauge(catalog.DBClientConnectionsMax, Short, 20, 0, names)
	b.seconds(catalog.DBClientConnectionWait, Short, 0.001, names)
	b.count(catalog.DBClientConnectionWaits, Short, 0.1, names)
}

// exportReplication is of a primary with two replicas, which each instance
// watches.
func (b *builder) exportReplication() {
	names := numbered("replica-%d", replicas)
	servers := append([]string{"primary"}, names...)
	b.gauge(catalog.DBReplicationLagSeconds, Short, 0.2, 0.1, names)
	b.gauge(catalog.DBReplicationLagBytes, Short, 4096, 4096, names, []string{catalog.StageShip, catalog.StageApply})
	b.gauge(catalog.DBReplicationConnected, Short, 1, 0, names)
	b.gauge(catalog.DBReplicationReceiver, Short, 1, 0, names, []string{"streaming"})
	b.gauge(catalog.DBReplicationReplayPaused, Short, 0, 0, names)
	b.gauge(catalog.DBReplicationPrimary, Short, 1, 0, servers[:1])
	b.gauge(catalog.DBReplicationPrimary, Short, 0, 0, names)
	b.gauge(catalog.DBReplicationSlotRetained, Short, 1<<20, 1<<20, names)
	b.gauge(catalog.DBReplicationSlotActive, Short, 1, 0, names)
	b.count(catalog.DBReplicationWALPosition, Short, 1e5)
	b.count(catalog.DBReplicationCollectErrors, Short, 0, servers)
	b.count(catalog.DBRouterReads, Hour, 10, []string{catalog.RouterReplica},
		[]string{catalog.RouterFresh, catalog.RouterCaughtUp, catalog.RouterWaited, catalog.RouterEventual})
	b.count(catalog.DBRouterReads, Hour, 1, []string{catalog.RouterPrimary}, []string{catalog.RouterBehind, catalog.RouterOwnWrite})
	b.histogram(catalog.DBRouterWait, Short, 1, duration(0.002), []string{catalog.RouterReplica, catalog.RouterPrimary})
	b.count(catalog.DBRouterStaleAvoided, Short, 1)
	b.gauge(catalog.DBRouterInRotation, Short, 1, 0, names)
}

func (b *builder) exportUtilization() {
	var used, waits []string
	for _, r := range catalog.Resources() {
		if r.Utilization != "" {
			used = append(used, string(r.Name))
		}
		if r.Saturation != "" {
			waits = append(waits, string(r.Name))
		}
	}
	b.gauge(catalog.ResourceUtilization, Hour, 0.1, 0.02, used)
	b.gauge(catalog.ResourceSaturation, Hour, 0.02, 0.02, waits)
	b.gauge(catalog.ServiceKneeRate, Short, 100, 5)
	b.gauge(catalog.ServiceKneeRateError, Short, 3, 1)
	b.gauge(catalog.ServiceKneeConcurrency, Short, 4, 0.5)
	b.gauge(catalog.ServiceKneeServiceTime, Short, 0.02, 0.001)
	b.gauge(catalog.ServiceHeadroom, Short, 0.7, 0.1)
	b.gauge(catalog.ServiceLatencyCurve, Short, 0.05, 0.01, []string{"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"})
	b.count(catalog.LimiterDecisions, Short, 1, catalog.Decisions()[:1])
	b.count(catalog.LimiterDecisions, Short, 0, catalog.Decisions()[1:])
}

func (b *builder) exportJobs() {
	names := numbered("queue-%d", queues)
	components := make([]string, 0, len(catalog.Components()))
	for _, c := range catalog.Components() {
		components = append(components, string(c))
	}
	b.gauge(catalog.JobQueueDepth, Short, 5, 5, names)
	b.gauge(catalog.JobQueueOldestAge, Short, 5, 5, names)
	b.histogram(catalog.JobDuration, Short, attempts, duration(0.2), names)
	b.histogram(catalog.JobWait, Short, attempts, duration(0.5), names)
	b.count(catalog.Jobs, Hour, attempts, names, []string{catalog.JobOK})
	b.count(catalog.Jobs, Hour, attempts/1000, names, []string{catalog.JobFailed, catalog.JobRetry, catalog.JobPanicked})
	b.gauge(catalog.JobsActive, Short, 1, 1, names)
	b.seconds(catalog.JobComponentSeconds, Short, attempts/20, names, components)
	b.count(catalog.JobComponentCalls, Short, attempts, names, components)
	b.count(catalog.JobQueueCollectErrors, Short, 0, names)
}

// exportTelemetry is what stack health reads of every process for as long as
// people look back.
func (b *builder) exportTelemetry() {
	var signals []string
	for _, s := range catalog.Signals() {
		signals = append(signals, string(s))
	}
	sent := signals[:3] // the copy on the console is not sent anywhere
	b.count(catalog.TelemetryProduced, Whole, 30, signals)
	b.count(catalog.TelemetrySent, Whole, 30, signals)
	b.count(catalog.TelemetryDropped, Whole, 0, signals,
		[]string{catalog.ReasonQueueFull, catalog.ReasonExport, catalog.ReasonShutdown, catalog.ReasonEvicted})
	b.gauge(catalog.TelemetryQueue, Whole, 50, 50, signals)
	b.gauge(catalog.ExporterUp, Whole, 1, 0, signals)
	b.count(catalog.TelemetryBytes, Short, 1e4, sent)
	b.seconds(catalog.AgentCPU, Whole, 0.001, signals[:2])
	labels := []string{string(catalog.HTTPRoute), string(catalog.DBQuerySignature), string(catalog.ServerAddress), string(catalog.Queue)}[:capped]
	b.gauge(catalog.LabelValues, Whole, 20, 0, labels)
	b.gauge(catalog.LabelValuesMax, Whole, 200, 0, labels)
	b.gauge(catalog.BuildInfo, Whole, 1, 0, []string{"1.2.3"}, []string{"go1.26.0"}, []string{"0123456789abcdef"})
}

// exportProcess is of every process in Go.
func (b *builder) exportProcess() {
	b.gauge(catalog.Up, Whole, 1, 0)
	b.gauge(catalog.ScrapeDuration, Whole, 0.02, 0.01)
	b.seconds(catalog.ProcessCPUSeconds, Whole, 0.3)
	b.gauge(catalog.ProcessResident, Whole, 1e8, 1e6)
	b.gauge(catalog.GoGoroutines, Short, 100, 20)
	b.gauge(catalog.GoHeapInuse, Short, 5e7, 1e7)
	b.gauge(catalog.ProcessOpenFDs, Short, 50, 10)
	b.gauge(catalog.ProcessMaxFDs, Short, 1024, 0)
	b.gauge(catalog.ProcessStartTime, Short, 1.7e9, 0)
}

func routesOf(n int) []string { return numbered("/api/v1/resource-%02d/:id", n) }

func numbered(format string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(format, i+1)
	}
	return names
}
