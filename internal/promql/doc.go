// Package promql builds Prometheus queries from the catalogue, for dashboards
// and alerts.
//
// A query is put together from typed parts, so that the usual mistakes do not
// compile: [Rate] takes a catalog.Counter and refuses a gauge, [Of] takes a
// catalog.Histogram, matchers take a catalog.Label, and there is no way to
// pass a piece of query as a string. The same program prints the same query.
//
// Histograms come in two flavours, [Native] and [Classic], because a
// Prometheus may store either. [Distribution] hides the difference: callers
// ask for a quantile, a mean or a fraction.
//
// All values are immutable and safe for concurrent use. Building costs a few
// short strings; nothing here is meant for a hot path. The only operation that
// can fail is [Distribution.FractionAtMost], for a threshold that classic
// buckets cannot answer exactly.
//
// For maintainers:
//
//	expr.go    Expr, Scalar and how they are printed
//	select.go  matchers, windows, selectors and functions over time
//	ops.go     aggregation, arithmetic, comparison and set operators
//	hist.go    Distribution and its two flavours
//	slo/       what plumbline calls a request, an error and a slow request
package promql
