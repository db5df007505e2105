// Package saturation measures how much of each resource a service uses, how
// much it makes wait, and how far it is from the rate at which latency bends;
// and it sheds what is too much.
//
// [Collector] exports one figure of utilization and one of saturation for each
// resource, in the sense of the USE method (Gregg, "Thinking Methodically about
// Performance", ACM Queue 10/12, 2012): utilization is the share of the
// capacity in use, saturation the extra work that waits. Above 80 % utilization
// a little more work waits much longer, and saturation shows it.
//
//	resource          utilization                        saturation
//	cpu               processor time over the quota of   share of time in which some task waited
//	                  the tightest group, or the cores   for a processor (PSI)
//	cpu_quota                                            share of the quota's periods in which it
//	                                                     ran out
//	memory            memory over GOMEMLIMIT or the      share of time in which some task waited
//	                  limit of a group, the highest      for memory (PSI)
//	io                                                   share of time in which some task waited
//	                                                     for a disk (PSI)
//	gc                share of the processors' time      share of the program's own time in which
//	                  that garbage collection took       allocating goroutines had to help it
//	scheduler                                            goroutines that waited for a processor,
//	                                                     for each that Go uses
//	file_descriptors  open over the soft limit
//	http_concurrency  requests that are served, over     requests that wait in the limiter, over
//	                  the limiter's concurrency          its concurrency
//	db_pool           connections in use over the most   callers that wait for a connection, over
//	                  that the fullest pool may open     the most that the pool may open
//	workers           workers that are busy, over all    jobs that wait, over all workers
//
// The sources are cpu.max, cpu.stat, memory.max, memory.current and *.pressure
// of control groups version 2, their counterparts of version 1, of all groups
// from the process's own upwards, /proc/pressure where the group has none, and
// runtime/metrics. Memory of a group is counted without the file cache that the
// kernel would reclaim first; without any limit it is the resident memory of
// the process over that of the machine. What a system does not have, and what
// is not in the form that the kernel writes, has no series: nothing here is an
// error for the host.
//
// [Knee] estimates the rate at which latency bends, and its error. [Limiter]
// turns requests away before the service drowns.
//
// All of it works without the rest of the agent, in any registry; package agent
// starts a Collector and a Knee by itself. Nothing here starts a goroutine or
// keeps a file open. Collecting reads about 20 small files, which takes half a
// millisecond of processor time, at most twice a second; a request costs some
// atomic operations. Everything exported is safe for concurrent use.
//
// For maintainers:
//
//	collector.go         Config, Collector, what services observe themselves
//	sample.go            what is read at a time, and what two samples say
//	runtime.go           the Go runtime's part of a sample
//	process_*.go         the processor time of the process
//	knee.go              Knee over agent/internal/knee
//	limiter.go           LimiterConfig, Limiter and its decisions
//	limiter_queue.go     places and the queue for them
//	limiter_share.go     the share that is admitted past a utilization
//	limiter_http.go      the limiter as middleware
//
// Tests compare the figures with those of the kernel in real control groups
// where the machine allows one to make them.
package saturation
