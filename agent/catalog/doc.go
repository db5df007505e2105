// Package catalog names everything that plumbline emits: metrics, labels, log
// keys and span attributes.
//
// It is the one place where such a name is written as a literal. The agent
// creates its instruments from these values, dashboards and alerts build their
// queries from them, so that a renamed metric fails to compile instead of
// drawing an empty panel.
//
// [Counter], [Gauge] and [Histogram] are distinct types: a function that takes
// a Counter cannot be handed a Gauge, and the rate of a gauge does not compile.
//
// The package imports nothing but the standard library, holds only immutable
// data, and is safe for concurrent use.
//
// Names follow the OpenTelemetry semantic conventions in Prometheus spelling.
// Durations are in seconds, sizes in bytes, ratios in 0..1.
package catalog
