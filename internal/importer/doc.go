// Package importer brings plumbline's dashboards and alerts into a Grafana that
// somebody already has, keeps them up to date there, and takes them out again.
//
// [Connect] finds out what the Grafana is: its version, its data sources, what
// the token may do, and in which form its Prometheus stores histograms.
// [Importer.Plan] compares what should be there with what is, and changes
// nothing; [Plan.Apply] does what the plan says. Everything has an identity of
// its own that never depends on position, and every write names it, so a plan
// that was cut short is completed by the next one, and a plan after a complete
// one is empty.
//
// What people change in Grafana is theirs: each dashboard and rule carries a
// checksum of what was imported last, and one that no longer fits it is shown
// and left alone, unless the Config says to overwrite.
//
// An Importer must not be used by several goroutines at once. It costs a
// request per dashboard and rule group and a few more.
//
// For maintainers:
//
//	importer.go    Config, Connect
//	target.go      what a Grafana is, and what it cannot do
//	permission.go  what a token must be allowed to do
//	datasource.go  which data source is meant
//	content.go     the dashboards and rules to be imported
//	translate.go   alerts of Prometheus as alerts of Grafana
//	view.go        what of a dashboard or rule counts, and its checksum
//	diff.go        differences between two views
//	plan.go        Plan and its changes
//	plan_*.go      folder, dashboards and rule groups
//	uninstall.go   the plan that takes everything out
//	check.go       which series are missing
package importer
