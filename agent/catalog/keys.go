package catalog

// Keys of log lines.
const (
	LogTime            = "ts"
	LogLevel           = "level"
	LogMessage         = "msg"
	LogError           = "err"
	LogTraceID         = "trace_id"
	LogSpanID          = "span_id"
	LogMethod          = "method"
	LogRoute           = "route"
	LogPath            = "path"
	LogStatus          = "status"
	LogDuration        = "duration_seconds"
	LogBytes           = "bytes"
	LogSignal          = "signal"
	LogEndpoint        = "endpoint"
	LogPanic           = "panic"
	LogStack           = "stack"
	LogCallSite        = "call_site"
	LogSignature       = "db_query_signature"
	LogSource          = "source"
	LogCount           = "count"
	LogTotal           = "total_seconds"
	LogFix             = "fix"
	LogDropped         = "dropped"
	LogReason          = "reason"
	LogQueue           = "queue"
	LogKind            = "kind"
	LogJobID           = "job_id"
	LogAttempt         = "attempt"
	LogOutcome         = "outcome"
	LogWait            = "wait_seconds"
	LogNode            = "node"
	LogComponentPrefix = "time_" // followed by the component: time_db, time_self; in seconds
)

// Attributes of spans, by the OpenTelemetry semantic conventions where they
// have a name for the thing.
const (
	AttrHTTPRequestMethod    = "http.request.method"
	AttrHTTPRoute            = "http.route"
	AttrHTTPStatusCode       = "http.response.status_code"
	AttrHTTPResponseSize     = "http.response.body.size"
	AttrURLPath              = "url.path"
	AttrURLScheme            = "url.scheme"
	AttrURLFull              = "url.full"
	AttrServerAddress        = "server.address"
	AttrServerPort           = "server.port"
	AttrClientAddress        = "client.address"
	AttrUserAgent            = "user_agent.original"
	AttrNetworkProtocol      = "network.protocol.version"
	AttrErrorType            = "error.type"
	AttrDBSystemName         = "db.system.name"
	AttrDBNamespace          = "db.namespace"
	AttrDBOperationName      = "db.operation.name"
	AttrDBQueryText          = "db.query.text"
	AttrDBQuerySummary       = "db.query.summary"
	AttrDBBatchSize          = "db.operation.batch.size"
	AttrDBRows               = "db.response.returned_rows"
	AttrMessagingSystem      = "messaging.system"
	AttrMessagingDestination = "messaging.destination.name"
	AttrMessagingOperation   = "messaging.operation.name"
	AttrMessagingMessageID   = "messaging.message.id"
	AttrRPCSystem            = "rpc.system"
	AttrRPCService           = "rpc.service"
	AttrRPCMethod            = "rpc.method"
	AttrRPCStatusCode        = "rpc.grpc.status_code"
	// AttrProfileID is the span id under which the span's CPU samples can be
	// found in Pyroscope. Grafana draws the span's flame graph from it.
	AttrProfileID = "pyroscope.profile.id"
	// AttrComponentPrefix is followed by a component: plumbline.time.db. The
	// value is in seconds.
	AttrComponentPrefix = "plumbline.time."
	// AttrKept says why a trace that head sampling had rejected was stored
	// all the same.
	AttrKept = "plumbline.kept"
	// AttrJobKind and AttrJobAttempt say which job of a queue was worked on,
	// and in which attempt; AttrJobOutcome says how that ended.
	AttrJobKind    = "plumbline.job.kind"
	AttrJobAttempt = "plumbline.job.attempt"
	AttrJobOutcome = "plumbline.job.outcome"
	AttrSignature  = "plumbline.db.query.signature"
	AttrSource     = "plumbline.db.query.source"
	AttrCount      = "plumbline.count"
	AttrTotal      = "plumbline.total_seconds"
	AttrCallSite   = "code.stacktrace.site"
	// AttrBenchRunID, AttrBenchScenario and AttrBenchVariant name the benchmark
	// that a request belongs to. They travel as baggage.
	AttrBenchRunID    = "plumbline.bench.run_id"
	AttrBenchScenario = "plumbline.bench.scenario"
	AttrBenchVariant  = "plumbline.bench.variant"
)

// Names of span events.
const (
	EventNPlusOne  = "plumbline.n_plus_one"
	EventException = "exception"
)

// Resource attributes of traces and logs.
const (
	ResServiceName     = "service.name"
	ResServiceVersion  = "service.version"
	ResServiceInstance = "service.instance.id"
	ResEnvironment     = "deployment.environment.name"
)

// Labels of CPU profile samples, the names that Grafana and Pyroscope read.
const (
	ProfileSpanID      = "span_id"
	ProfileSpanName    = "span_name"
	ProfileServiceName = "service_name"
)
