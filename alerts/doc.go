// Package alerts holds plumbline's recording rules and alerts, and writes them
// in the forms that other programs read.
//
// [All] returns every rule group for a set of [Options]; [WritePrometheus]
// writes them as Prometheus rule files, in a native and a classic histogram
// flavour. The committed files under generated/ are what the defaults give;
// a test regenerates them and compares.
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
//	annotations.go     templates and links in annotations
//	prometheus.go      the Prometheus form
package alerts
