// Package boards reads the generated dashboards as Grafana does, fills their
// variables in, and holds them to the rules of Grafana's dashboard-linter.
//
// The linter itself is not linked: it depends on the whole of Grafana's
// dashboard app and on Loki. Its rules are few, and written here again by what
// its documentation says of them; where a rule asks for a language to be parsed,
// PromQL is parsed by Prometheus' own parser, and LogQL by a running Loki in the
// end-to-end tests.
//
// Values are immutable and functions keep no state.
package boards
