// Package logs is the agent's log pipeline: a log call encodes one logfmt line
// into a pooled buffer and puts it on two bounded queues, one for the console
// and one for the OTLP endpoint. It does no input or output itself, so that a
// sink that blocks costs the caller nothing.
//
// Files: logfmt.go encodes, kit.go and slog.go are the two front ends,
// pipeline.go and line.go carry lines to the queues, otlp.go ships them.
package logs

import (
	"context"
	"errors"
	"io"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// maxLine bounds one line. Loki refuses lines over 256 KiB by default; far
// less than that is no longer a line that anybody reads.
const maxLine = 64 << 10

// Config says where lines go.
type Config struct {
	// Console receives every line, newline included, in whole batches; nil
	// for none. Writes come from one goroutine.
	Console io.Writer
	// Endpoint is the OTLP destination; nil for none.
	Endpoint *otlp.Endpoint
	Resource *resource.Resource
	// Capacity is the most lines that wait, for each of the two sinks.
	Capacity int
	// Level is the least severity that is kept.
	Level Severity
	// OnState is told when a sink stops and starts working.
	OnState func(catalog.Signal, error)
	// Exporter, if not nil, takes batches in place of Endpoint.
	Exporter func(context.Context, []*Line) error
	// Now tells the time; nil means [time.Now].
	Now func() time.Time
}

// Pipeline is a running log pipeline. The nil pipeline drops everything.
type Pipeline struct {
	level   Severity
	now     func() time.Time
	console *batch.Queue[*Line]
	otlp    *batch.Queue[*Line]
	shipper *shipper
}

// Start builds the pipeline. It does not connect.
func Start(c Config) (*Pipeline, error) {
	p := &Pipeline{level: c.Level, now: c.Now}
	if p.now == nil {
		p.now = time.Now
	}
	state := func(s catalog.Signal) func(error) {
		if c.OnState == nil {
			return nil
		}
		return func(err error) { c.OnState(s, err) }
	}
	export := c.Exporter
	if export == nil && c.Endpoint != nil {
		s, err := newShipper(*c.Endpoint, c.Resource)
		if err != nil {
			return nil, err
		}
		p.shipper, export = s, s.export
	}
	if export != nil {
		p.otlp = batch.New(batch.Config[*Line]{
			Capacity: c.Capacity, Export: export, Release: (*Line).release, OnState: state(catalog.Logs),
		})
	}
	if c.Console != nil {
		w := &consoleWriter{w: c.Console}
		p.console = batch.New(batch.Config[*Line]{
			Capacity: c.Capacity, Interval: 100 * time.Millisecond, Timeout: time.Hour,
			Export: w.export, Release: (*Line).release, OnState: state(catalog.Stdout),
		})
	}
	return p, nil
}

// put hands a finished line to every sink. The line belongs to the pipeline
// afterwards.
func (p *Pipeline) put(l *Line) {
	if len(l.text) > maxLine-len(truncated) {
		l.text = append(l.text[:maxLine-len(truncated)], truncated...)
	}
	l.appendTrace() // after the cut: a line that is cut off must still lead to its trace
	l.text = append(l.text, '\n')
	l.refs.Store(3) // both sinks and this function
	for _, q := range [2]*batch.Queue[*Line]{p.console, p.otlp} {
		if q == nil || !q.Put(l) {
			l.release()
		}
	}
	l.release()
}

const truncated = "...truncated"

// Stats returns the accounts of the sinks that exist.
func (p *Pipeline) Stats() map[catalog.Signal]batch.Stats {
	stats := make(map[catalog.Signal]batch.Stats, 2)
	if p.console != nil {
		stats[catalog.Stdout] = p.console.Stats()
	}
	if p.otlp != nil {
		stats[catalog.Logs] = p.otlp.Stats()
	}
	return stats
}

// BytesSent returns the bytes sent to the endpoint so far.
func (p *Pipeline) BytesSent() uint64 {
	if p.shipper == nil {
		return 0
	}
	return p.shipper.client.BytesSent()
}

// Flush sends every line that was logged before the call.
func (p *Pipeline) Flush(ctx context.Context) error {
	return p.each(ctx, (*batch.Queue[*Line]).Flush)
}

// Stop sends what is queued and ends the pipeline. Later lines are dropped and
// counted.
func (p *Pipeline) Stop(ctx context.Context) error {
	err := p.each(ctx, (*batch.Queue[*Line]).Stop)
	if p.shipper != nil {
		err = errors.Join(err, p.shipper.stop(context.WithoutCancel(ctx)))
	}
	return err
}

func (p *Pipeline) each(ctx context.Context, do func(*batch.Queue[*Line], context.Context) error) error {
	var err error
	for _, q := range []*batch.Queue[*Line]{p.console, p.otlp} {
		if q != nil {
			err = errors.Join(err, do(q, ctx))
		}
	}
	return err
}

// consoleWriter writes batches as one write each.
type consoleWriter struct {
	w   io.Writer
	buf []byte
}

func (c *consoleWriter) export(_ context.Context, lines []*Line) error {
	c.buf = c.buf[:0]
	for _, l := range lines {
		c.buf = append(c.buf, l.text...)
	}
	_, err := c.w.Write(c.buf)
	if cap(c.buf) > 1<<20 { // one huge burst must not be held for ever
		c.buf = nil
	}
	return err
}
