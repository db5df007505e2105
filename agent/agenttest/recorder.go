// Package agenttest helps to test services that embed the agent: an agent whose
// telemetry stays in memory ([New]), a check that a handler has no N+1 problem
// ([NoNPlusOne]), and the suites that adapters for HTTP and SQL must pass.
//
// It is for tests only; nothing else of the agent imports it. Recorders may be
// used by parallel tests; each costs an agent, which takes about a millisecond
// to start, and fails its test where the agent cannot start or end.
package agenttest

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
)

// flushTimeout bounds the wait for the agent's queues. They are in memory, so
// that only a defect makes it pass.
const flushTimeout = 10 * time.Second

// Recorder is an agent and what it has recorded. Its methods are safe for
// concurrent use.
type Recorder struct {
	tb       TB
	agent    *agent.Agent
	registry *prometheus.Registry
	spans    spanStore
	lines    lineStore
}

// TB is the part of [testing.TB] that the package needs, so that examples can
// have a recorder too.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// New starts an agent that sends nothing anywhere. It is shut down when the
// test ends. Options change the configuration before the start; what they set
// of Traces.SpanExporter, Logs.Console and Registry is overwritten.
func New(tb TB, options ...func(*agent.Config)) *Recorder {
	tb.Helper()
	r := &Recorder{tb: tb, registry: prometheus.NewPedanticRegistry()}
	config := agent.Config{Service: "test", AdminAddr: agent.Off}
	config.Profiles.Disabled = true
	config.Logs.Disabled = true
	for _, set := range options {
		set(&config)
	}
	config.Registry = r.registry
	config.Traces.SpanExporter = &r.spans
	config.Logs.Console = &r.lines
	a, err := agent.Start(context.Background(), config)
	if err != nil {
		tb.Fatalf("start agent: %v", err)
	}
	r.agent = a
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := a.Shutdown(ctx); err != nil {
			tb.Errorf("shut down agent: %v", err)
		}
	})
	return r
}

// Agent returns the agent. It belongs to the recorder.
func (r *Recorder) Agent() *agent.Agent { return r.agent }

// Spans returns the spans that have ended, oldest first.
func (r *Recorder) Spans() []sdktrace.ReadOnlySpan {
	r.tb.Helper()
	r.flush()
	return r.spans.all()
}

// Lines returns the log lines, oldest first, without their newlines.
func (r *Recorder) Lines() []string {
	r.tb.Helper()
	r.flush()
	return r.lines.all()
}

// Metric returns the series of a metric, in the registry's order. A metric
// that has none returns nil.
func (r *Recorder) Metric(m catalog.Metric) []*dto.Metric {
	r.tb.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.tb.Errorf("gather metrics: %v", err)
	}
	for _, f := range families {
		if f.GetName() == m.Desc().Name {
			return f.GetMetric()
		}
	}
	return nil
}

func (r *Recorder) flush() {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := r.agent.Flush(ctx); err != nil {
		r.tb.Errorf("flush agent: %v", err)
	}
}

// Labels returns a series' labels as a map, constant ones included.
func Labels(m *dto.Metric) map[string]string {
	labels := make(map[string]string, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

// spanStore is an exporter that keeps spans.
type spanStore struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

var _ sdktrace.SpanExporter = (*spanStore)(nil)

// ExportSpans implements [sdktrace.SpanExporter].
func (s *spanStore) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = append(s.spans, spans...)
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (*spanStore) Shutdown(context.Context) error { return nil }

func (s *spanStore) all() []sdktrace.ReadOnlySpan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sdktrace.ReadOnlySpan(nil), s.spans...)
}

// lineStore is a console that keeps lines.
type lineStore struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (s *lineStore) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *lineStore) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.TrimSuffix(s.buf.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
