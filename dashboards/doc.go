// Package dashboards holds plumbline's Grafana dashboards as Go programs, and
// writes them as the JSON that Grafana loads.
//
// [All] returns every dashboard, [Build] does so for other [Options], and
// [Write] writes them to a folder. The committed files under generated/ are
// what the defaults give; a test regenerates them and compares.
//
// Queries are built from the catalogue, so a renamed metric fails to compile.
// Data sources are named by dashboard variables only, so that the same JSON
// works in any Grafana. Panels use one set of units, colours and thresholds.
//
// Nothing here keeps state: all functions are safe for concurrent use and cost
// a few milliseconds. They fail only for options out of bounds, for a panel
// that the SDK refuses, or for files that cannot be written.
//
// For maintainers:
//
//	dashboards.go         Options, All, Build, Write
//	layout.go             rows of panels: positions and ids
//	queries.go            targets of panels and what they select
//	stores.go             targets and panels of Loki, Jaeger and Pyroscope
//	style.go              units, colours, thresholds, panels of each kind
//	kinds.go              heatmaps, bars and tables
//	variables.go          how a variable at the top of a dashboard is made
//	choices.go            the variables that dashboards share, and what they select
//	links.go              where a panel leads to
//	service_overview.go   the dashboard of one service, one function per panel
//	service_process.go    its panels about dependencies, process and logs
//	replication_lag.go    the dashboard of a database's replicas and the router
//	utilization.go        the dashboard of what a service uses, and how near it is to its knee
//	benchmarks.go         the dashboard of benchmark runs
//	p99.go                what an average hides
//	bottleneck.go         where the time of requests goes
//	database.go           what databases are asked, and what that costs
//	jobs.go               background jobs and their queues
//	profiling.go          flame graphs, earlier ones and another service's
//	slo.go                objectives, budgets and how fast they burn
//	logs_and_traces.go    lines, traces, and what did not arrive
//	stack_health.go       the agents' queues and the stores themselves
//	kubernetes.go         dashboards as ConfigMaps of Kubernetes
package dashboards
