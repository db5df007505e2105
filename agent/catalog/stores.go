package catalog

// Labels of series that Prometheus and the stores make themselves.
const (
	AlertName  Label = "alertname"
	AlertState Label = "alertstate"
	Relname    Label = "relname"
	StatusCode Label = "status_code"
)

// What dashboards show of Prometheus, of the stores, and of PostgreSQL.
var (
	Alerts = externalGauge("ALERTS",
		"Always 1 for each alert that is pending or fires; its labels are those of the alert.", AlertName, AlertState, AlertSeverity, AlertSLO)
	ScrapeDuration = externalGauge("scrape_duration_seconds",
		"How long the last scrape of a target took, in seconds.")
	PromSamples = externalCounter("prometheus_tsdb_head_samples_appended_total",
		"Samples that Prometheus has stored.")
	PromSeries = externalGauge("prometheus_tsdb_head_series",
		"Series that Prometheus holds in memory.")
	PromRuleDuration = externalGauge("prometheus_rule_group_last_duration_seconds",
		"How long the last evaluation of a rule group took, in seconds.", RuleGroup)
	PromRuleInterval = externalGauge("prometheus_rule_group_interval_seconds",
		"Time in seconds between two evaluations of a rule group.", RuleGroup)
	PromNotified = externalCounter("prometheus_notifications_sent_total",
		"Alerts that Prometheus sent to an Alertmanager.", AlertmanagerURL)
	LokiLines = externalCounter("loki_distributor_lines_received_total",
		"Log lines that Loki was sent.")
	LokiBytes = externalCounter("loki_distributor_bytes_received_total",
		"Bytes of log lines that Loki was sent.")
	LokiRequests = externalCounter("loki_request_duration_seconds_count",
		"Requests that Loki answered.", StatusCode)
	JaegerAccepted = externalCounter("otelcol_receiver_accepted_spans_total",
		"Spans that Jaeger took in.")
	JaegerRefused = externalCounter("otelcol_receiver_refused_spans_total",
		"Spans that Jaeger could not take in.")
	JaegerStored = externalCounter("otelcol_exporter_sent_spans_total",
		"Spans that Jaeger wrote to its storage.")
	JaegerNotStored = externalCounter("otelcol_exporter_send_failed_spans_total",
		"Spans that Jaeger could not write to its storage.")
	PyroscopeRequests = externalCounter("pyroscope_request_duration_seconds_count",
		"Requests that Pyroscope answered.", StatusCode)
	PyroscopeProfiles = externalCounter("pyroscope_distributor_received_compressed_bytes_count",
		"Profiles that Pyroscope was sent.")
	AlertmanagerAlerts = externalGauge("alertmanager_alerts",
		"Alerts that Alertmanager knows, by state.", State)
	AlertmanagerReceived = externalCounter("alertmanager_alerts_received_total",
		"Alerts that Alertmanager was sent.")
	AlertmanagerNotified = externalCounter("alertmanager_notifications_total",
		"Notifications that an integration of Alertmanager tried to deliver.", Integration)
	// PostgresSeqTuplesRead is postgres_exporter's, for those who run one. It
	// calls counters by the names of PostgreSQL's columns.
	PostgresSeqTuplesRead = externalCounter("pg_stat_user_tables_seq_tup_read",
		"Rows that PostgreSQL read by sequential scans of a table.", Relname)
)

// boardMetrics are the metrics above, in the order of the documentation.
func boardMetrics() []Metric {
	return []Metric{
		Alerts, ScrapeDuration, PromSamples, PromSeries, PromRuleDuration, PromRuleInterval, PromNotified,
		LokiLines, LokiBytes, LokiRequests, JaegerAccepted, JaegerRefused, JaegerStored, JaegerNotStored,
		PyroscopeRequests, PyroscopeProfiles, AlertmanagerAlerts, AlertmanagerReceived, AlertmanagerNotified,
		PostgresSeqTuplesRead,
	}
}
