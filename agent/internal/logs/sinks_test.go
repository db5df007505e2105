package logs_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/logs"
)

// blockedConsole is a terminal that nobody reads: its writes hang.
type blockedConsole struct {
	console
	entered chan struct{} // one value per write
	release chan struct{}
}

func newBlockedConsole() *blockedConsole {
	return &blockedConsole{entered: make(chan struct{}, 1000), release: make(chan struct{})}
}

func (b *blockedConsole) Write(p []byte) (int, error) {
	b.entered <- struct{}{}
	<-b.release
	return b.console.Write(p)
}

// TestABlockedConsoleBlocksNobody logs on while a write to the console hangs:
// were a log call to wait for it, the test would hang too.
func TestABlockedConsoleBlocksNobody(t *testing.T) {
	t.Parallel()
	const capacity, lines = 100, 1000
	b := newBlockedConsole()
	p, _ := start(t, func(c *logs.Config) { c.Console, c.Capacity = b, capacity })
	l := p.Logger(trace.SpanContext{})
	_ = l.Log("n", 0)
	<-b.entered // from here on the console hangs
	for n := 1; n < lines; n++ {
		_ = l.Log("n", n)
	}
	want := batch.Stats{
		Produced: lines, Queued: capacity, Up: true,
		Dropped: map[string]uint64{catalog.ReasonQueueFull: lines - capacity},
	}
	if got := p.Stats()[catalog.Stdout]; !reflect.DeepEqual(got, want) {
		t.Errorf("while the console hangs: %+v, want %+v", got, want)
	}
	close(b.release)
	got := logged(t, p, &b.console)
	if len(got) != capacity {
		t.Fatalf("%d lines, want the %d that were queued", len(got), capacity)
	}
	for n, line := range got {
		if want := fmt.Sprintf("ts=%s n=%d", nowText, n); line != want {
			t.Errorf("line %d is %q, want %q", n, line, want)
		}
	}
}

func TestStopIsBoundedWhenTheConsoleHangs(t *testing.T) {
	t.Parallel()
	leaktest.Run(t, func() {
		b := newBlockedConsole()
		var exported []string
		p, err := logs.Start(logs.Config{Console: b, Exporter: func(_ context.Context, lines []*logs.Line) error {
			for _, l := range lines {
				exported = append(exported, l.Text()[len("ts="+nowText+" "):])
			}
			return nil
		}, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Logger(trace.SpanContext{}).Log("n", 0)
		<-b.entered
		_ = p.Logger(trace.SpanContext{}).Log("n", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "console") {
			t.Errorf("stop: %v, want one that names the console and its context's error", err)
		}
		if want := []string{"n=0", "n=1"}; !reflect.DeepEqual(exported, want) {
			t.Errorf("the other sink got %q, want %q", exported, want)
		}
		if got, want := p.Stats()[catalog.Stdout].Dropped, (map[string]uint64{catalog.ReasonShutdown: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("dropped %v, want %v", got, want)
		}
		_ = p.Logger(trace.SpanContext{}).Log("n", 2) // counted, and nothing else
		if got := p.Stats()[catalog.Logs].Dropped[catalog.ReasonShutdown]; got != 1 {
			t.Errorf("%d lines after the end are counted, want 1", got)
		}
		close(b.release)
	})
}

// TestTheConsoleHearsHowTheEndpointEnds: the line about a backend that refuses
// the last lines must itself come through.
func TestTheConsoleHearsHowTheEndpointEnds(t *testing.T) {
	t.Parallel()
	c := &console{}
	written := make(chan struct{}, 100)
	var p *logs.Pipeline
	p, err := logs.Start(logs.Config{
		Console: writerFunc(func(line []byte) (int, error) {
			defer func() { written <- struct{}{} }()
			return c.Write(line)
		}),
		Exporter: func(context.Context, []*logs.Line) error {
			<-written // the console has what it had, and is closed now if it does not wait
			return errors.New("refused")
		},
		OnState: func(s catalog.Signal, err error) {
			p.Put(p.NewLine(trace.SpanContext{}, logs.Warn).Str("signal", string(s)).Str("err", err.Error()))
		},
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Logger(trace.SpanContext{}).Log("msg", "last")
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	want := "ts=" + nowText + " msg=last\nts=" + nowText + " level=warn signal=logs err=refused\n"
	if got := c.text(); got != want {
		t.Errorf("console\n got %q\nwant %q", got, want)
	}
}

func TestAConsoleThatFailsIsCountedAndReportedOnce(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	var mu sync.Mutex
	var states []error
	p, _ := start(t, func(c *logs.Config) {
		c.Console = writerFunc(func([]byte) (int, error) { return 0, broken })
		c.OnState = func(s catalog.Signal, err error) {
			mu.Lock()
			defer mu.Unlock()
			if s != catalog.Stdout {
				t.Errorf("signal %s", s)
			}
			states = append(states, err)
		}
	})
	for range 3 {
		_ = p.Logger(trace.SpanContext{}).Log("a", 1)
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if len(states) != 1 || !errors.Is(states[0], broken) {
		t.Errorf("states %v, want %v once", states, broken)
	}
	want := batch.Stats{Produced: 3, Dropped: map[string]uint64{catalog.ReasonExport: 3}}
	if got := p.Stats()[catalog.Stdout]; !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestLinesAreWholeUnderLoad has many callers log through both sinks. Lines are
// pooled and shared by the sinks: one that was given back too early would show
// as a line that is torn, twice there or missing.
func TestLinesAreWholeUnderLoad(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 500
	exported := map[string]int{}
	p, c := start(t, func(config *logs.Config) {
		config.Capacity = callers * each
		config.Exporter = func(_ context.Context, lines []*logs.Line) error {
			for _, l := range lines {
				exported[l.Text()]++
			}
			return nil
		}
	})
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			l := p.Logger(trace.SpanContext{})
			for n := range each {
				_ = l.Log("caller", caller, "n", n, "pad", strings.Repeat("x", n%97))
			}
		})
	}
	wg.Wait()
	written := map[string]int{}
	for _, line := range logged(t, p, c) {
		written[line]++
	}
	for caller := range callers {
		for n := range each {
			line := fmt.Sprintf("ts=%s caller=%d n=%d pad=%s", nowText, caller, n, strings.Repeat("x", n%97))
			if n%97 == 0 {
				line += `""`
			}
			if written[line] != 1 || exported[line] != 1 {
				t.Fatalf("%q was written %d and exported %d times", line, written[line], exported[line])
			}
		}
	}
	if len(written) != callers*each || len(exported) != callers*each {
		t.Errorf("%d different lines were written and %d exported, want %d", len(written), len(exported), callers*each)
	}
}
