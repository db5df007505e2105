package catalog

// DashboardUID is the identity of a dashboard in every Grafana: it is part of
// the dashboard's address, so alerts and people's bookmarks hold it.
type DashboardUID string

// The dashboards.
const (
	DashboardServiceOverview DashboardUID = "plumbline-service-overview"
	DashboardReplicationLag  DashboardUID = "plumbline-replication-lag"
	DashboardUtilization     DashboardUID = "plumbline-utilization"
	DashboardBenchmarks      DashboardUID = "plumbline-benchmarks"
	DashboardP99             DashboardUID = "plumbline-p99"
	DashboardBottleneck      DashboardUID = "plumbline-bottleneck"
	DashboardDatabase        DashboardUID = "plumbline-database"
	DashboardJobs            DashboardUID = "plumbline-jobs"
	DashboardProfiling       DashboardUID = "plumbline-profiling"
	DashboardSLO             DashboardUID = "plumbline-slo"
	DashboardLogsAndTraces   DashboardUID = "plumbline-logs-and-traces"
	DashboardStackHealth     DashboardUID = "plumbline-stack-health"
)

// Variable is the name of a dashboard variable. A link to a dashboard sets it
// with "var-" in front of the name.
type Variable string

// The variables that dashboards share.
const (
	VarPrometheus  Variable = "prometheus_datasource"
	VarLoki        Variable = "loki_datasource"
	VarService     Variable = "service_name"
	VarEnvironment Variable = "environment"
	VarRoute       Variable = "http_route"
	VarScenario    Variable = "scenario"
	VarRunID       Variable = "run_id"
	VarJaeger      Variable = "jaeger_datasource"
	VarPyroscope   Variable = "pyroscope_datasource"
	VarInstance    Variable = "instance"
	VarSystem      Variable = "db_system_name"
	VarQueue       Variable = "queue"
	VarJob         Variable = "job"
	// VarRequests is how many requests a session sends.
	VarRequests Variable = "requests"
	// VarSlower is how long a request must have taken to be looked for.
	VarSlower Variable = "slower_than"
	// VarOther is a second service, VarProfile a type of profile and VarEarlier
	// how long ago something is compared with.
	VarOther   Variable = "other_service"
	VarProfile Variable = "profile_type"
	VarEarlier Variable = "earlier_by"
	// VarContains is a part of a log line.
	VarContains Variable = "contains"
)

// Structured metadata that Loki attaches to log lines that came over OTLP.
const (
	// LokiSeverityNumber is the OpenTelemetry severity: 9 info, 13 warn, 17
	// error, 21 fatal.
	LokiSeverityNumber Label = "severity_number"
	// LokiLevel is the level of a line in lower case, as Loki finds it.
	LokiLevel Label = "detected_level"
)

// Labels of alerts, which Alertmanager routes and inhibits by.
const (
	AlertSeverity Label = "severity"
	// AlertSLO names the objective that an alert defends, so that the page
	// about it can silence the ticket about it.
	AlertSLO Label = "slo"
	// AlertRule is the alert's name in Grafana, which puts the title of a rule
	// into the label that Prometheus puts the name into.
	AlertRule Label = "alert"
)
