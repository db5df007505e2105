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
)

// Structured metadata that Loki attaches to log lines that came over OTLP.
const (
	// LokiSeverityNumber is the OpenTelemetry severity: 9 info, 13 warn, 17
	// error, 21 fatal.
	LokiSeverityNumber Label = "severity_number"
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
