package traces

import (
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// Encoder encodes batches into one buffer, as a pipeline does.
func Encoder(res *resource.Resource) func([]sdktrace.ReadOnlySpan) []byte {
	s := shipper{resource: otlp.Resource(res)}
	return func(spans []sdktrace.ReadOnlySpan) []byte {
		s.buf = s.encode(s.buf[:0], spans)
		return s.buf
	}
}
