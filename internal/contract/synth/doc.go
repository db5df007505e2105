// Package synth makes the metrics of services that do not exist: as many
// instances and routes as one likes, with the names, labels and types of the
// catalogue, as the agent would export them.
//
// A value is a function of its series and the time, and of nothing else: it can
// be asked for in any order, and the same question has the same answer. Counters
// and the buckets of histograms never fall. Services are healthy: no alert fires
// but the heartbeat.
//
// Values are immutable once [New] has returned, so all of it is safe for
// concurrent use. Nothing is kept for each series of each instance: instances
// share one list of series, and fill their own labels in.
//
// The files:
//
//	population.go  who there is: services, instances, servers of the stack
//	series.go      one series: its labels, and its value at a time
//	shape.go       distributions, for histograms of both forms
//	builder.go     series from the catalogue
//	service.go     what an instance of a service exports
//	stack.go       what the servers of the stack and a benchmark export
//	recorded.go    what recording rules would have written
package synth
