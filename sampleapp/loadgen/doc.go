// Package loadgen sends HTTP requests at planned times and records what became
// of each.
//
// It is an open loop. A [Pacer] says when requests are due, a [Source] what
// they are, an [Attacker] sends each at its time whether or not earlier ones
// have been answered, and a [Result] tells what happened. A slow server
// therefore gets no relief, and its slowness is not hidden: a result has the
// latency from the planned time (corrected) and from the real send (raw).
//
// The two differ when requests could not be sent in time. Where that is
// because of the target, which can only happen with [Config.MaxOpen], the
// corrected latency is the one that users feel. Where it is because of this
// process, both are wrong, and [Assess] says so: a generator without processor
// time to spare measures itself.
//
// Times are durations since the start on the monotonic clock, so that setting
// the wall clock changes none of them. Which request comes when is decided by
// seeded generators: two runs send the same sequence at the same offsets.
//
// An attack costs one goroutine per open request and about 15 µs of processor
// time per request. Attackers are safe for concurrent use; sources and pacers
// belong to one attack at a time unless they say otherwise.
//
// For maintainers:
//
//	target.go    what is sent: Target, Source
//	pacer.go     when: Constant, Poisson, Steps
//	attacker.go  who: the loop, the limits, the headers that name the run
//	result.go    what happened: Result, its two clocks, its outcome
//	health.go    whether the generator kept up: Assess
//	metrics.go   results as metrics of the catalogue
package loadgen
