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
	"fmt"
	"io"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/otlp"
)

// maxLine bounds one line with all that belongs to it, the newline included.
// Loki refuses lines over 256 KiB by default, and a bufio.Scanner, which the Go
// programs that read logs use, lines of 64 KiB and more.
const maxLine = 64<<10 - 1

// traceRoom is what of it is kept for the trace and the newline.
const traceRoom = len(" "+catalog.LogTraceID+"="+" "+catalog.LogSpanID+"="+"\n") + 32 + 16

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
			Capacity: c.Capacity, Timeout: otlp.ExportTimeout(c.Endpoint),
			Export: export, Release: (*Line).release, OnState: state(catalog.Logs),
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
	if len(l.text) > maxLine-traceRoom {
		l.text = cut(l.text, maxLine-traceRoom)
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

// CPU returns the processor time spent on each sink that exists; see
// [batch.Queue.CPU].
func (p *Pipeline) CPU() map[catalog.Signal]time.Duration {
	used := make(map[catalog.Signal]time.Duration, 2)
	if p.console != nil {
		used[catalog.Stdout] = p.console.CPU()
	}
	if p.otlp != nil {
		used[catalog.Logs] = p.otlp.CPU()
	}
	return used
}

// BytesSent returns the bytes sent to the endpoint so far.
func (p *Pipeline) BytesSent() uint64 {
	if p.shipper == nil {
		return 0
	}
	return p.shipper.sender.BytesSent()
}

// Flush sends every line that was logged before the call.
func (p *Pipeline) Flush(ctx context.Context) error {
	return p.both(
		func(console *batch.Queue[*Line]) error { return console.Flush(ctx) },
		func(otlp *batch.Queue[*Line]) error { return otlp.Flush(ctx) },
	)
}

// Stop sends what is queued and ends the pipeline. Later lines are dropped and
// counted.
func (p *Pipeline) Stop(ctx context.Context) error {
	// The console ends last, because it hears how the other one ends; but its
	// lines do not wait for that, which may take until ctx ends.
	err := p.both(
		func(console *batch.Queue[*Line]) error { _ = console.Flush(ctx); return nil }, // Stop reports it
		func(otlp *batch.Queue[*Line]) error { return otlp.Stop(ctx) },
	)
	if p.console != nil {
		if e := p.console.Stop(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("write the last log lines to the console: %w", e))
		}
	}
	if p.shipper != nil {
		p.shipper.sender.Close()
	}
	return err
}

// both calls a function for each sink that exists, at the same time: a sink
// that hangs must not take the other one's time.
func (p *Pipeline) both(console, otlp func(*batch.Queue[*Line]) error) error {
	var consoleErr, otlpErr error
	var wg sync.WaitGroup
	if p.console != nil {
		wg.Go(func() { consoleErr = console(p.console) })
	}
	if p.otlp != nil {
		wg.Go(func() { otlpErr = otlp(p.otlp) })
	}
	wg.Wait()
	if consoleErr != nil {
		consoleErr = fmt.Errorf("write the last log lines to the console: %w", consoleErr)
	}
	if otlpErr != nil {
		otlpErr = fmt.Errorf("send the last log lines: %w", otlpErr)
	}
	return errors.Join(consoleErr, otlpErr)
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
