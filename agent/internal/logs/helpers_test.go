package logs_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logfmt/logfmt"

	"github.com/cacheu/plumbline/agent/internal/logs"
)

// now is what the pipelines of these tests take for the time.
var now = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)

const nowText = "2026-03-04T05:06:07.000008Z"

// console keeps what is written to it.
type console struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.buf.Write(p)
}

// text returns what has been written since the last call.
func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.buf.Reset()
	return c.buf.String()
}

// start starts a pipeline that writes to the returned console. It ends with
// the test.
func start(tb testing.TB, options ...func(*logs.Config)) (*logs.Pipeline, *console) {
	tb.Helper()
	c := &console{}
	config := logs.Config{Console: c, Now: func() time.Time { return now }}
	for _, set := range options {
		set(&config)
	}
	p, err := logs.Start(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			tb.Errorf("stop: %v", err)
		}
	})
	return p, c
}

// logged flushes and returns the lines since the last call.
func logged(tb testing.TB, p *logs.Pipeline, c *console) []string {
	tb.Helper()
	if err := p.Flush(context.Background()); err != nil {
		tb.Fatal(err)
	}
	text := c.text()
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		tb.Errorf("the last line is not ended: %q", text)
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// oneLine is logged for a single line.
func oneLine(tb testing.TB, p *logs.Pipeline, c *console) string {
	tb.Helper()
	lines := logged(tb, p, c)
	if len(lines) != 1 {
		tb.Fatalf("%d lines, want 1: %q", len(lines), lines)
	}
	return lines[0]
}

type pair struct{ key, value string }

// decode reads a line with the decoder that go-kit's users read logs with.
func decode(tb testing.TB, line string) []pair {
	tb.Helper()
	var pairs []pair
	d := logfmt.NewDecoder(strings.NewReader(line))
	for d.ScanRecord() {
		for d.ScanKeyval() {
			pairs = append(pairs, pair{string(d.Key()), string(d.Value())})
		}
	}
	if err := d.Err(); err != nil {
		tb.Fatalf("decode %q: %v", line, err)
	}
	return pairs
}
