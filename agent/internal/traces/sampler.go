package traces

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Sampler decides at the start of a span. A parent's decision is respected,
// wherever it was made. New traces are drawn by their trace ID, so that all
// services of a trace decide alike. With keep, a new trace that is not drawn is
// recorded all the same, without being marked as sampled: whether it is stored
// is decided at its end.
func Sampler(ratio float64, keep bool) sdktrace.Sampler {
	s := sampler{drop: sdktrace.Drop}
	switch {
	case ratio >= 1:
		s.roots = sdktrace.AlwaysSample()
	case ratio <= 0:
		s.roots = sdktrace.NeverSample()
	default:
		s.roots = sdktrace.TraceIDRatioBased(ratio)
	}
	if keep {
		s.drop = sdktrace.RecordOnly
	}
	return s
}

type sampler struct {
	roots sdktrace.Sampler
	drop  sdktrace.SamplingDecision
}

// Description implements [sdktrace.Sampler].
func (s sampler) Description() string { return "plumbline{" + s.roots.Description() + "}" }

// ShouldSample implements [sdktrace.Sampler].
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	result := sdktrace.SamplingResult{Tracestate: parent.TraceState()}
	switch {
	case !parent.IsValid():
		result = s.roots.ShouldSample(p)
		if result.Decision == sdktrace.Drop {
			result.Decision = s.drop
		}
	case parent.IsSampled():
		result.Decision = sdktrace.RecordAndSample
	case parent.IsRemote(): // the caller has decided
		result.Decision = sdktrace.Drop
	case trace.SpanFromContext(p.ParentContext).IsRecording():
		result.Decision = sdktrace.RecordOnly
	default:
		result.Decision = sdktrace.Drop
	}
	return result
}
