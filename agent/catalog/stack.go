package catalog

// Labels that Prometheus, Alertmanager and Loki use in metrics of their own.
const (
	RuleGroup       Label = "rule_group"
	AlertmanagerURL Label = "alertmanager"
	Integration     Label = "integration"
)

// What the servers of the stack say of themselves, as far as alerts ask. Their
// further labels differ by version, and nobody needs them.
var (
	PromRuleFailures = externalCounter("prometheus_rule_evaluation_failures_total",
		"Rules of a group whose evaluation failed.", RuleGroup)
	PromRuleMissed = externalCounter("prometheus_rule_group_iterations_missed_total",
		"Evaluations of a rule group that were left out because the one before took too long.", RuleGroup)
	PromNotifyErrors = externalCounter("prometheus_notifications_errors_total",
		"Alerts that could not be sent to an Alertmanager.", AlertmanagerURL)
	PromNotifyDropped = externalCounter("prometheus_notifications_dropped_total",
		"Alerts that were dropped on their way to an Alertmanager.", AlertmanagerURL)
	PromReloaded = externalGauge("prometheus_config_last_reload_successful",
		"Whether Prometheus could read its configuration when it was last told to: 1 or 0.")
	AlertmanagerFailures = externalCounter("alertmanager_notifications_failed_total",
		"Notifications that an integration of Alertmanager could not deliver.", Integration, Reason)
	AlertmanagerReloaded = externalGauge("alertmanager_config_last_reload_successful",
		"Whether Alertmanager could read its configuration when it was last told to: 1 or 0.")
	LokiDiscarded = externalCounter("loki_discarded_samples_total",
		"Log lines that Loki refused, by reason.", Reason)
	LokiFlushFailures = externalCounter("loki_ingester_chunks_flush_failures_total",
		"Times that Loki could not store a chunk of log lines.")
)

// stackMetrics are the metrics above, in the order of the documentation.
func stackMetrics() []Metric {
	return []Metric{
		PromRuleFailures, PromRuleMissed, PromNotifyErrors, PromNotifyDropped, PromReloaded,
		AlertmanagerFailures, AlertmanagerReloaded, LokiDiscarded, LokiFlushFailures,
	}
}
