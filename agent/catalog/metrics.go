package catalog

// HTTP server and client.
var (
	HTTPServerRequestDuration = histogram("http_server_request_duration_seconds",
		"Duration of HTTP server requests in seconds, from the first byte read by the middleware to its return.",
		LatencyBuckets, HTTPRequestMethod, HTTPRoute, HTTPResponseStatusCode)
	HTTPServerActiveRequests = gauge("http_server_active_requests",
		"HTTP server requests that are being served now.", HTTPRoute)
	HTTPServerComponentSeconds = counter("http_server_component_seconds_total",
		"Wall time of HTTP server requests in seconds, split by the component in which it passed.",
		HTTPRoute, ComponentLabel)
	HTTPServerComponentCalls = counter("http_server_component_calls_total",
		"Calls that HTTP server requests made into each component.", HTTPRoute, ComponentLabel)
	HTTPClientRequestDuration = histogram("http_client_request_duration_seconds",
		"Duration of HTTP client requests in seconds, until the response headers are in.",
		LatencyBuckets, ServerAddress, HTTPRequestMethod, HTTPResponseStatusCode)
)

// gRPC.
var (
	RPCServerDuration = histogram("rpc_server_duration_seconds",
		"Duration of gRPC server calls in seconds.", LatencyBuckets, RPCMethod, RPCStatus)
	RPCServerActive = gauge("rpc_server_active_requests",
		"gRPC server calls that are being served now.", RPCMethod)
	RPCServerComponentSeconds = counter("rpc_server_component_seconds_total",
		"Wall time of gRPC server calls in seconds, split by the component in which it passed.",
		RPCMethod, ComponentLabel)
	RPCServerComponentCalls = counter("rpc_server_component_calls_total",
		"Calls that gRPC server calls made into each component.", RPCMethod, ComponentLabel)
	RPCClientDuration = histogram("rpc_client_duration_seconds",
		"Duration of gRPC client calls in seconds.", LatencyBuckets, RPCMethod, RPCStatus)
)

// Databases and caches.
var (
	DBClientOperationDuration = histogram("db_client_operation_duration_seconds",
		"Duration of database and cache operations in seconds, as the caller sees it.",
		LatencyBuckets, DBSystemName, DBOperationName, DBQuerySignature)
	DBClientQueriesPerRequest = histogram("db_client_queries_per_request",
		"Database queries that one server request sent.", CountBuckets, HTTPRoute)
	// The route of work that is no HTTP request is its name: the method of a
	// gRPC call, or "process" and the queue of a job.
	DBClientNPlusOne = counter("db_client_n_plus_one_total",
		"Server requests in which one query was repeated for each row of another.",
		HTTPRoute, DBQuerySignature)
	DBClientConnections = gauge("db_client_connections",
		"Connections of a database pool by state.", Pool, State)
	DBClientConnectionsMax = gauge("db_client_connections_max",
		"Most connections that a database pool opens.", Pool)
	DBClientConnectionWait = counter("db_client_connection_wait_seconds_total",
		"Time in seconds that callers waited for a connection of a pool.", Pool)
	DBClientConnectionWaits = counter("db_client_connection_waits_total",
		"Times that a caller had to wait for a connection of a pool.", Pool)
)

// Replication.
var (
	DBReplicationLagSeconds = gauge("db_replication_lag_seconds",
		"How long ago the primary stood where the replica stands now, in seconds.", Replica)
	DBReplicationLagBytes = gauge("db_replication_lag_bytes",
		"Write-ahead log in bytes that the replica has yet to receive (ship) or to replay (apply).", Replica, Stage)
	DBReplicationConnected = gauge("db_replication_connected",
		"Whether the replica streams from the primary: 1 or 0.", Replica)
	DBReplicationReceiver = gauge("db_replication_wal_receiver",
		"Always 1; its label state is what the replica says of its WAL receiver, none where it has none.", Replica, State)
	DBReplicationReplayPaused = gauge("db_replication_replay_paused",
		"Whether somebody has paused the replay on the replica: 1 or 0.", Replica)
	DBReplicationPrimary = gauge("db_replication_primary",
		"Whether a database server is the primary: 1 or 0.", Target)
	DBReplicationSlotRetained = gauge("db_replication_slot_retained_bytes",
		"Write-ahead log in bytes that a replication slot keeps on the primary.", Slot)
	DBReplicationSlotActive = gauge("db_replication_slot_active",
		"Whether a replication slot is in use: 1 or 0.", Slot)
	DBReplicationWALPosition = counter("db_replication_wal_written_bytes_total",
		"Write-ahead log in bytes that the primary has written since the collector started.")
	DBReplicationCollectErrors = counter("db_replication_collect_errors_total",
		"Failed attempts to read the replication state, by target.", Target)
	DBRouterReads = counter("db_router_reads_total",
		"Reads that the read-after-write router sent, by target and by the reason for it.", Target, Reason)
	DBRouterWait = histogram("db_router_wait_seconds",
		"Time in seconds that a read waited for a replica to catch up, by where it went then.", LatencyBuckets, Target)
	DBRouterStaleAvoided = counter("db_router_stale_reads_avoided_total",
		"Reads that would have been stale on the replica of first choice.")
	DBRouterInRotation = gauge("db_router_replica_in_rotation",
		"Whether the router sends reads to the replica: 1 or 0.", Replica)
)

// Utilization, saturation and the knee between them.
var (
	ResourceUtilization = gauge("resource_utilization_ratio",
		"Share of a resource's capacity in use, 0 to 1.", Resource)
	ResourceSaturation = gauge("resource_saturation_ratio",
		"Work that a resource makes wait: a share of time, or what waits over the capacity, which passes 1 when more waits than it can hold.", Resource)
	ServiceKneeRate = gauge("service_knee_rate",
		"Requests per second at which latency is estimated to bend; absent while the estimate is poor.")
	ServiceKneeRateError = gauge("service_knee_rate_error",
		"Half width of the 95 % interval of service_knee_rate, in requests per second.")
	ServiceKneeConcurrency = gauge("service_knee_concurrency",
		"Requests that the bottleneck is estimated to serve at a time.")
	ServiceKneeServiceTime = gauge("service_knee_service_time_seconds",
		"Time in seconds that a request is estimated to take without waiting for others.")
	ServiceHeadroom = gauge("service_headroom_ratio",
		"Share of service_knee_rate that is not in use; absent while the estimate is poor.")
	ServiceLatencyCurve = gauge("service_latency_curve_seconds",
		"Mean duration in seconds that a request is estimated to have at a share of service_knee_rate.", UtilizationLabel)
	LimiterDecisions = counter("service_limiter_decisions_total",
		"Requests that the limiter admitted or shed, by decision.", Decision)
)

// Background jobs.
var (
	JobQueueDepth = gauge("job_queue_depth",
		"Jobs that wait in a queue.", Queue)
	JobQueueOldestAge = gauge("job_queue_oldest_age_seconds",
		"Age in seconds of the oldest job that waits in a queue.", Queue)
	JobDuration = histogram("job_duration_seconds",
		"Time in seconds that a worker spent on one attempt of a job.", LatencyBuckets, Queue)
	JobWait = histogram("job_wait_seconds",
		"Time in seconds from a job being due to a worker taking it.", LatencyBuckets, Queue)
	Jobs = counter("jobs_total",
		"Attempts of jobs by outcome.", Queue, Outcome)
	JobsActive = gauge("jobs_active",
		"Jobs that are being worked on now.", Queue)
	JobComponentSeconds = counter("job_component_seconds_total",
		"Wall time of jobs in seconds, split by the component in which it passed.", Queue, ComponentLabel)
	JobComponentCalls = counter("job_component_calls_total",
		"Calls that jobs made into each component.", Queue, ComponentLabel)
	JobQueueCollectErrors = counter("job_queue_collect_errors_total",
		"Failed attempts to read the state of a queue.", Queue)
)

// The agent about itself.
var (
	TelemetryProduced = counter("plumbline_telemetry_produced_total",
		"Telemetry items that the service produced.", SignalLabel)
	TelemetrySent = counter("plumbline_telemetry_sent_total",
		"Telemetry items that a backend took.", SignalLabel)
	TelemetryDropped = counter("plumbline_telemetry_dropped_total",
		"Telemetry items that were given up, by reason.", SignalLabel, Reason)
	TelemetryQueue = gauge("plumbline_telemetry_queue_length",
		"Telemetry items that wait to be sent, or are being sent.", SignalLabel)
	TelemetryBytes = counter("plumbline_telemetry_sent_bytes_total",
		"Bytes of request bodies sent to backends, retries included.", SignalLabel)
	ExporterUp = gauge("plumbline_exporter_up",
		"Whether the last attempt to send a signal succeeded: 1 or 0.", SignalLabel)
	AgentCPU = counter("plumbline_agent_cpu_seconds_total",
		"Processor time in seconds that encoding and sending a signal used in the background; Linux only.", SignalLabel)
	LabelValues = gauge("plumbline_label_values",
		"Distinct values of a capped label.", LabelName)
	LabelValuesMax = gauge("plumbline_label_values_max",
		"Most distinct values of a capped label; further ones are counted as \"other\".", LabelName)
	BuildInfo = gauge("plumbline_build_info",
		"Always 1; its labels are the version of the service and of Go.", Version, GoVersion, Revision)
)

// Benchmarks.
var (
	BenchRequestDuration = histogram("bench_request_duration_seconds",
		"Duration of benchmark requests in seconds, from the planned (corrected) or the real (raw) send time.",
		LatencyBuckets, Scenario, Variant, Clock, RunID)
	BenchRequests = counter("bench_requests_total",
		"Benchmark requests by outcome.", Scenario, Variant, RunID, Outcome)
	BenchOfferedRate = gauge("bench_offered_rate",
		"Requests per second that the load generator means to send.", Scenario, Variant, RunID)
	BenchRunInfo = gauge("bench_run_info",
		"Always 1 while a benchmark runs.", Scenario, Variant, RunID)
)

// Links between the signals.
var (
	LinkReachable = gauge("link_reachable_ratio",
		"Share of sampled exemplars whose trace, logs or profile were found where they point.", Hop)
)

// Metrics of other programs that dashboards and alerts refer to.
var (
	Up                = externalGauge("up", "Whether the last scrape of a target succeeded: 1 or 0.", Job, Instance)
	GoGoroutines      = externalGauge("go_goroutines", "Goroutines that exist.")
	GoHeapInuse       = externalGauge("go_memstats_heap_inuse_bytes", "Heap memory in use, in bytes.")
	ProcessCPUSeconds = externalCounter("process_cpu_seconds_total", "Processor time of the process in seconds.")
	ProcessResident   = externalGauge("process_resident_memory_bytes", "Resident memory of the process in bytes.")
	ProcessOpenFDs    = externalGauge("process_open_fds", "Open file descriptors of the process.")
	ProcessMaxFDs     = externalGauge("process_max_fds", "Most file descriptors that the process may open.")
	ProcessStartTime  = externalGauge("process_start_time_seconds", "Unix time in seconds at which the process started.")
)

// All returns every metric of the catalogue, external ones included, in the
// order in which the documentation lists them.
func All() []Metric {
	return append([]Metric{
		HTTPServerRequestDuration, HTTPServerActiveRequests, HTTPServerComponentSeconds,
		HTTPServerComponentCalls, HTTPClientRequestDuration,
		RPCServerDuration, RPCServerActive, RPCServerComponentSeconds, RPCServerComponentCalls,
		RPCClientDuration,
		DBClientOperationDuration, DBClientQueriesPerRequest, DBClientNPlusOne,
		DBClientConnections, DBClientConnectionsMax, DBClientConnectionWait, DBClientConnectionWaits,
		DBReplicationLagSeconds, DBReplicationLagBytes, DBReplicationConnected,
		DBReplicationReceiver, DBReplicationReplayPaused, DBReplicationPrimary,
		DBReplicationSlotRetained, DBReplicationSlotActive, DBReplicationWALPosition,
		DBReplicationCollectErrors, DBRouterReads, DBRouterWait, DBRouterStaleAvoided, DBRouterInRotation,
		ResourceUtilization, ResourceSaturation, ServiceKneeRate, ServiceKneeRateError,
		ServiceKneeConcurrency, ServiceKneeServiceTime, ServiceHeadroom, ServiceLatencyCurve, LimiterDecisions,
		JobQueueDepth, JobQueueOldestAge, JobDuration, JobWait, Jobs, JobsActive,
		JobComponentSeconds, JobComponentCalls, JobQueueCollectErrors,
		TelemetryProduced, TelemetrySent, TelemetryDropped, TelemetryQueue, TelemetryBytes,
		ExporterUp, AgentCPU, LabelValues, LabelValuesMax, BuildInfo,
		BenchRequestDuration, BenchRequests, BenchOfferedRate, BenchRunInfo,
		LinkReachable,
		Up, GoGoroutines, GoHeapInuse, ProcessCPUSeconds, ProcessResident,
		ProcessOpenFDs, ProcessMaxFDs, ProcessStartTime,
	}, append(stackMetrics(), boardMetrics()...)...)
}
