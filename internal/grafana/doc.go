// Package grafana is a client for the few endpoints of Grafana's HTTP API that
// an import needs: folders, dashboards and their versions, alert rules, data
// sources, the caller's own permissions, and queries through the proxy to a
// data source. It knows Grafana 11 to 13.
//
// A [Client] keeps no state between calls and is safe for concurrent use. Each
// call is one request, except that lists are read page by page. Nothing is
// retried: every write names what it writes by uid, so the caller can simply
// begin again. What Grafana refuses is an [*Error] that says which permission
// is lacking, where Grafana says so.
//
// For maintainers:
//
//	client.go   Config, New, requests and answers
//	errors.go   what Grafana refuses, and why
//	account.go  version and permissions
//	content.go  folders and dashboards
//	rules.go    alert rules
//	sources.go  data sources, and Prometheus behind them
//	object.go   JSON objects whose further fields must survive
package grafana
