package catalog

// Labels that every metric of the agent carries as constants.
const (
	ServiceName           Label = "service_name"
	DeploymentEnvironment Label = "deployment_environment_name"
)

// Labels that Prometheus attaches to each scraped series.
const (
	Job      Label = "job"
	Instance Label = "instance"
	Le       Label = "le"
)

// Variable labels of the agent's metrics.
const (
	HTTPRequestMethod      Label = "http_request_method"
	HTTPRoute              Label = "http_route"
	HTTPResponseStatusCode Label = "http_response_status_code"
	ServerAddress          Label = "server_address"
	ComponentLabel         Label = "component"
	DBSystemName           Label = "db_system_name"
	DBOperationName        Label = "db_operation_name"
	DBQuerySignature       Label = "db_query_signature"
	Pool                   Label = "pool"
	State                  Label = "state"
	Replica                Label = "replica"
	Stage                  Label = "stage"
	Slot                   Label = "slot"
	Target                 Label = "target"
	Reason                 Label = "reason"
	Resource               Label = "resource"
	Queue                  Label = "queue"
	Outcome                Label = "outcome"
	SignalLabel            Label = "signal"
	Version                Label = "version"
	GoVersion              Label = "goversion"
	Revision               Label = "revision"
	Scenario               Label = "scenario"
	Variant                Label = "variant"
	Clock                  Label = "clock"
	RunID                  Label = "run_id"
	Decision               Label = "decision"
	RPCMethod              Label = "rpc_method"
	RPCStatus              Label = "rpc_grpc_status_code"
	LabelName              Label = "label"
	Hop                    Label = "hop"
	UtilizationLabel       Label = "utilization"
)

// ExemplarTraceID is the exemplar label that holds the trace of an
// observation. Grafana's Prometheus data source must name the same label.
const ExemplarTraceID = "trace_id"

// ConstLabels returns the names of the labels that every metric of the agent
// carries besides its own.
func ConstLabels() []Label { return []Label{ServiceName, DeploymentEnvironment} }

// Component is where a request's time goes. The values are a closed set.
type Component string

// The components of a request's wall time. Self is the remainder: time in
// which no call of another component was open.
const (
	DB     Component = "db"
	Cache  Component = "cache"
	HTTP   Component = "http"
	Queued Component = "queue"
	Log    Component = "log"
	Self   Component = "self"
)

// Components returns every component in the order in which dashboards stack
// them.
func Components() []Component { return []Component{DB, Cache, HTTP, Queued, Log, Self} }

// Signal is one of the kinds of telemetry that the agent sends away. Metrics
// are not among them: they are scraped.
type Signal string

// The signals. Stdout is the console copy of the logs, which has a queue and
// a drop counter of its own.
const (
	Logs     Signal = "logs"
	Traces   Signal = "traces"
	Profiles Signal = "profiles"
	Stdout   Signal = "stdout"
)

// Signals returns every signal.
func Signals() []Signal { return []Signal{Logs, Traces, Profiles, Stdout} }

// Values that stand for everything a closed set of label values does not name.
const (
	// RouteUnknown is the http_route of requests that match no route.
	RouteUnknown = "unknown"
	// MethodOther is the http_request_method of methods that HTTP does not
	// define, as in the OpenTelemetry semantic conventions.
	MethodOther = "_OTHER"
	// Overflow stands for the values past a label's cap.
	Overflow = "other"
)

// Reasons for which telemetry is dropped.
const (
	ReasonQueueFull = "queue_full"
	ReasonExport    = "export_failed"
	ReasonShutdown  = "shutdown"
	ReasonEvicted   = "evicted"
)
