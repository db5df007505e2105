package logs

import (
	"context"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// scopeName is the instrumentation scope of every record.
const scopeName = "github.com/cacheu/plumbline/agent"

// maxKept is the largest buffer that is kept between two batches.
const maxKept = 4 << 20

// shipper sends lines to an OTLP endpoint. It is used by the queue's goroutine
// alone.
type shipper struct {
	sender          *otlp.Sender
	resource, scope []byte // the fields of them, encoded
	schema          string
	buf             []byte
}

func newShipper(e otlp.Endpoint, res *resource.Resource) (*shipper, error) {
	sender, err := otlp.NewSender(e)
	if err != nil {
		return nil, err
	}
	return &shipper{
		sender: sender, resource: otlp.Resource(res), schema: res.SchemaURL(),
		scope: otlp.Scope(nil, instrumentation.Scope{Name: scopeName}),
	}, nil
}

// export sends lines as they stand on the console: the record's body is the
// logfmt line, and its trace, span and severity are fields of the record.
func (s *shipper) export(ctx context.Context, lines []*Line) error {
	s.buf = s.encode(s.buf[:0], lines)
	err := s.sender.Send(ctx, s.buf)
	if cap(s.buf) > maxKept {
		s.buf = nil
	}
	return err
}

// encode appends an ExportLogsServiceRequest.
func (s *shipper) encode(b []byte, lines []*Line) []byte {
	b, message := otlp.Begin(b, 1)
	b = append(b, s.resource...)
	b, group := otlp.Begin(b, 2)
	b = append(b, s.scope...)
	for _, l := range lines {
		b = appendRecord(b, l)
	}
	b = otlp.End(b, group)
	return otlp.End(otlp.String(b, 3, s.schema), message)
}

func appendRecord(b []byte, l *Line) []byte {
	b, message := otlp.Begin(b, 2)
	b = otlp.Time(b, 1, l.time)
	b = otlp.Varint(b, 2, uint64(max(l.severity, 0)))
	b = otlp.String(b, 3, l.severity.String())
	b, body := otlp.Begin(b, 5)
	b = otlp.Bytes(b, 1, l.text[:len(l.text)-1]) // a string has the same form
	b = otlp.End(b, body)
	if l.trace.IsValid() {
		b = otlp.Fixed32(b, 8, uint32(l.flags))
		b = otlp.Bytes(b, 9, l.trace[:])
		b = otlp.Bytes(b, 10, l.span[:])
	}
	b = otlp.Time(b, 11, l.time)
	return otlp.End(b, message)
}
