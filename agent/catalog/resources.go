package catalog

// ResourceName is what a service can run out of. The values are a closed set.
type ResourceName string

// The resources; [Resources] says what each figure means.
const (
	ResourceCPU       ResourceName = "cpu"
	ResourceCPUQuota  ResourceName = "cpu_quota"
	ResourceMemory    ResourceName = "memory"
	ResourceIO        ResourceName = "io"
	ResourceGC        ResourceName = "gc"
	ResourceScheduler ResourceName = "scheduler"
	ResourceFiles     ResourceName = "file_descriptors"
	ResourceHTTP      ResourceName = "http_concurrency"
	ResourceDBPool    ResourceName = "db_pool"
	ResourceWorkers   ResourceName = "workers"
)

// ResourceInfo says what the figures of a resource mean. An empty one is not
// exported.
type ResourceInfo struct {
	// Name is the value of the label.
	Name ResourceName
	// Utilization is what its share in use is, Saturation what waits for it.
	Utilization, Saturation string
	// Source is where the figures are read.
	Source string
}

// Resources returns every resource, in the order in which the documentation
// lists them.
func Resources() []ResourceInfo {
	return []ResourceInfo{
		{ResourceCPU, "Processor time over the quota of a control group, or over the cores that the process may use; the highest, which is what binds.",
			"Share of time in which some task waited for a processor.",
			"cpu.max and cpu.stat, or cpu.cfs_quota_us and cpuacct.usage; getrusage; cpu.pressure, or /proc/pressure/cpu"},
		{ResourceCPUQuota, "", "Share of the quota's periods in which it ran out.", "nr_throttled over nr_periods in cpu.stat"},
		{ResourceMemory, "Memory over its limit: of control groups without inactive file cache, and of the Go runtime against GOMEMLIMIT; the highest. " +
			"Without a limit, resident memory over that of the machine.", "Share of time in which some task waited for memory.",
			"memory.max, memory.current and memory.stat, or their like of version 1; runtime/metrics; memory.pressure, or /proc/pressure/memory"},
		{ResourceIO, "", "Share of time in which some task waited for a disk.", "io.pressure, or /proc/pressure/io"},
		{ResourceGC, "Share of all processor time that garbage collection took, between the ends of the last two cycles.",
			"Share of the program's own time that goroutines which allocate spent on helping it.", "/cpu/classes of runtime/metrics"},
		{ResourceScheduler, "", "Goroutines that could run and had no processor, on average, for each processor that Go uses.",
			"/sched/latencies:seconds of runtime/metrics, which measures one wait in eight"},
		{ResourceFiles, "Open file descriptors over the soft limit.", "", "/proc/self/fd and /proc/self/limits"},
		{ResourceHTTP, "Requests that a limiter lets be served, over its concurrency.", "Requests that wait in the limiter, over its concurrency.",
			"saturation.Limiter"},
		{ResourceDBPool, "Connections in use over the most that there may be, of the fullest pool.",
			"Callers that wait for a connection over the most that there may be, of the worst pool.", "agentpgx.ObservePool, agentsql.ObserveDB"},
		{ResourceWorkers, "Busy workers over all.", "What waits for a worker, over all workers.", "Agent.ObserveUsage"},
	}
}

// StateUsed is the state of the connections of a pool that somebody uses.
const StateUsed = "used"

// Decisions of a limiter about a request.
const (
	DecisionAdmitted    = "admitted"
	DecisionUtilization = "shed_utilization"
	DecisionQueueFull   = "shed_queue_full"
	DecisionQueueTime   = "shed_queue_time"
	// DecisionGone is for requests whose client gave up while they waited.
	DecisionGone = "client_gone"
)

// Decisions returns every decision of a limiter.
func Decisions() []string {
	return []string{DecisionAdmitted, DecisionUtilization, DecisionQueueFull, DecisionQueueTime, DecisionGone}
}
