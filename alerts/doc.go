// Package alerts holds plumbline's recording rules and alerts, and writes them
// in the forms that other programs read.
//
// [All] returns every rule group for a set of [Options]. [WritePrometheus]
// writes them as Prometheus rule files and [WriteKubernetes] as objects of the
// Prometheus operator, each in a native and a classic histogram flavour;
// [WriteGrafana] writes the alerts alone, for Grafana to evaluate. The committed
// files under generated/ are what the defaults give; a test regenerates them
// and compares.
//
// Every alert is proven by promtool tests under tests/, written by hand, on
// both sides of the moment at which it fires, and has a runbook of its own
// name under docs/runbooks.
//
// Nothing here keeps state: all functions are safe for concurrent use, cost a
// few milliseconds, and fail only for options that [Options.Validate] refuses
// or for files that cannot be written.
//
// For maintainers:
//
//	options.go         Options, their defaults and bounds
//	group.go           Group, Rule, All
//	slo_recording.go   what is counted of each service, over seven windows
//	burn.go            the burn-rate condition that two groups share
//	slo_errors.go      alerts on the error budget
//	slo_latency.go     alerts on the latency budget
//	targets.go         alerts on targets that are down or gone
//	replication.go     alerts on replicas, slots and where reads go
//	utilization.go     alerts on resources that run out, or make users wait
//	routes.go          an alert on the P99 of single routes
//	jobs.go            alerts on background jobs
//	database.go        alerts on N+1 queries and exhausted pools
//	process.go         alerts on memory and garbage collection
//	absence.go         alerts on metrics that should be there
//	telemetry.go       alerts on dropped telemetry and broken links
//	stack.go           alerts of the servers on themselves, and the deadman
//	annotations.go     templates and links in annotations
//	prometheus.go      the Prometheus form
//	grafana.go         the form of Grafana's file provisioning
//	kubernetes.go      the form of the Prometheus operator
//	write.go           what the forms have in common
package alerts
