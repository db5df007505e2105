package logs

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// scopeName is the instrumentation scope of every record.
const scopeName = "github.com/cacheu/plumbline/agent"

// shipper turns lines into OTLP records. It runs on the queue's goroutine.
type shipper struct {
	client   *otlp.Client
	exporter *otlploghttp.Exporter
	template sdklog.Record // carries the resource and the scope
	records  []sdklog.Record
}

func newShipper(e otlp.Endpoint, res *resource.Resource) (*shipper, error) {
	client, err := otlp.NewClient(e)
	if err != nil {
		return nil, err
	}
	compression := otlploghttp.NoCompression
	if e.Gzip {
		compression = otlploghttp.GzipCompression
	}
	exporter, err := otlploghttp.New(context.Background(),
		otlploghttp.WithEndpointURL(e.URL),
		otlploghttp.WithHeaders(e.Headers),
		otlploghttp.WithTimeout(e.Timeout),
		otlploghttp.WithCompression(compression),
		otlploghttp.WithHTTPClient(client.Client),
		// Certificates are the client's business. Left unset, the exporter
		// reads the environment for them, and refuses to start where it finds
		// some and the endpoint is a plain one.
		otlploghttp.WithTLSClientConfig(nil),
	)
	if err != nil {
		return nil, fmt.Errorf("start log exporter: %w", err)
	}
	return &shipper{client: client, exporter: exporter, template: newTemplate(res)}, nil
}

// newTemplate makes a record that has a resource and a scope. Only the SDK's
// own logger can set them, so one record is emitted and kept.
func newTemplate(res *resource.Resource) sdklog.Record {
	var catch catcher
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(&catch))
	provider.Logger(scopeName).Emit(context.Background(), log.Record{})
	return catch.record
}

type catcher struct{ record sdklog.Record }

func (c *catcher) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (c *catcher) OnEmit(_ context.Context, r *sdklog.Record) error {
	c.record = r.Clone()
	return nil
}
func (c *catcher) Shutdown(context.Context) error   { return nil }
func (c *catcher) ForceFlush(context.Context) error { return nil }

// export sends lines as they stand on the console: the record's body is the
// logfmt line, and its trace, span and severity are fields of the record.
func (s *shipper) export(ctx context.Context, lines []*Line) error {
	s.records = s.records[:0]
	for _, l := range lines {
		r := s.template.Clone()
		r.SetTimestamp(l.time)
		r.SetObservedTimestamp(l.time)
		r.SetSeverity(log.Severity(l.severity))
		r.SetSeverityText(l.severity.String())
		r.SetBody(attribute.StringValue(l.Text()))
		r.SetTraceID(l.trace)
		r.SetSpanID(l.span)
		r.SetTraceFlags(l.flags)
		s.records = append(s.records, r)
	}
	err := s.exporter.Export(ctx, s.records)
	clear(s.records)
	return err
}

func (s *shipper) stop(ctx context.Context) error {
	err := s.exporter.Shutdown(ctx)
	s.client.Close()
	if err != nil {
		return errors.Join(errors.New("stop log exporter"), err)
	}
	return nil
}
