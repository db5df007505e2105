package logs_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/internal/logs"
)

var (
	testSpan  = trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0xab, 15: 1}, SpanID: trace.SpanID{0xcd, 7: 2}})
	spanPairs = "trace_id=ab000000000000000000000000000001 span_id=cd00000000000002"
)

func TestLevels(t *testing.T) {
	t.Parallel()
	type entry struct {
		name string
		log  func(kitlog.Logger, *slog.Logger)
		at   logs.Severity
	}
	ctx := context.Background()
	entries := []entry{
		{"kit debug", func(k kitlog.Logger, _ *slog.Logger) { _ = level.Debug(k).Log() }, logs.Debug},
		{"kit info", func(k kitlog.Logger, _ *slog.Logger) { _ = level.Info(k).Log() }, logs.Info},
		{"kit warn", func(k kitlog.Logger, _ *slog.Logger) { _ = level.Warn(k).Log() }, logs.Warn},
		{"kit error", func(k kitlog.Logger, _ *slog.Logger) { _ = level.Error(k).Log() }, logs.Error},
		{"kit without a level", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log() }, logs.Info},
		{"kit with a level by hand", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log("level", "WARNING") }, logs.Warn},
		{"kit with an unknown level", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log("level", "loud") }, logs.Info},
		{"kit with slog's level", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log("level", slog.LevelError) }, logs.Error},
		{"kit with a level that panics", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log("level", (*explodingStringer)(nil)) }, logs.Info},
		{"kit with a level of no use", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log("level", 17) }, logs.Info},
		{"kit with a level without a value", func(k kitlog.Logger, _ *slog.Logger) { _ = k.Log("level") }, logs.Info},
		{"slog debug", func(_ kitlog.Logger, s *slog.Logger) { s.Debug("") }, logs.Debug},
		{"slog info", func(_ kitlog.Logger, s *slog.Logger) { s.Info("") }, logs.Info},
		{"slog warn", func(_ kitlog.Logger, s *slog.Logger) { s.Warn("") }, logs.Warn},
		{"slog error", func(_ kitlog.Logger, s *slog.Logger) { s.Error("") }, logs.Error},
		{"slog below debug", func(_ kitlog.Logger, s *slog.Logger) { s.Log(ctx, slog.LevelDebug-4, "") }, logs.Debug},
		{"slog between info and warn", func(_ kitlog.Logger, s *slog.Logger) { s.Log(ctx, slog.LevelInfo+2, "") }, logs.Info},
		{"slog above error", func(_ kitlog.Logger, s *slog.Logger) { s.Log(ctx, slog.LevelError+4, "") }, logs.Error},
	}
	for _, least := range []logs.Severity{logs.Debug, logs.Info, logs.Warn, logs.Error} {
		for _, e := range entries {
			t.Run(e.name+" when "+least.String()+" is kept", func(t *testing.T) {
				t.Parallel()
				var got []logs.Severity
				p, c := start(t, func(config *logs.Config) {
					config.Level = least
					config.Exporter = func(_ context.Context, lines []*logs.Line) error {
						for _, l := range lines {
							got = append(got, l.Severity())
						}
						return nil
					}
				})
				e.log(p.Logger(trace.SpanContext{}), slog.New(p.Handler()))
				lines := logged(t, p, c)
				if e.at < least {
					if len(lines) != 0 || len(got) != 0 {
						t.Errorf("%q was logged", lines)
					}
					return
				}
				if len(lines) != 1 || !slices.Equal(got, []logs.Severity{e.at}) {
					t.Errorf("lines %q of severities %v, want one of %v", lines, got, e.at)
				}
			})
		}
	}
}

func TestSlogAsksBeforeItFormats(t *testing.T) {
	t.Parallel()
	p, _ := start(t, func(c *logs.Config) { c.Level = logs.Warn })
	h := p.Handler().WithGroup("g").WithAttrs([]slog.Attr{slog.Int("a", 1)})
	for l, want := range map[slog.Level]bool{slog.LevelDebug: false, slog.LevelInfo: false, slog.LevelInfo + 3: false, slog.LevelWarn: true, slog.LevelError: true} {
		if got := h.Enabled(t.Context(), l); got != want {
			t.Errorf("Enabled(%v) = %v, want %v", l, got, want)
		}
	}
}

func TestFrontEnds(t *testing.T) {
	t.Parallel()
	spanned := trace.ContextWithSpanContext(context.Background(), testSpan)
	tests := map[string]struct {
		log  func(*logs.Pipeline)
		want string // without the time
	}{
		"go-kit's level comes where go-kit puts it": {
			func(p *logs.Pipeline) {
				_ = level.Warn(p.Logger(trace.SpanContext{})).Log("msg", "low disk", "free", 3)
			},
			`level=warn msg="low disk" free=3`,
		},
		"go-kit's context is kept, and its values are evaluated": {
			func(p *logs.Pipeline) {
				l := kitlog.With(p.Logger(trace.SpanContext{}), "component", "cart", "n", kitlog.Valuer(func() any { return 7 }))
				_ = l.Log("msg", "hi")
			},
			`component=cart n=7 msg=hi`,
		},
		"a go-kit line in a span carries it at its end": {
			func(p *logs.Pipeline) { _ = p.Logger(testSpan).Log("msg", "hi") },
			`msg=hi ` + spanPairs,
		},
		"a slog line begins with level and message": {
			func(p *logs.Pipeline) { slog.New(p.Handler()).Warn("low disk", "free", 3) },
			`level=warn msg="low disk" free=3`,
		},
		"a slog line carries the span of its context": {
			func(p *logs.Pipeline) { slog.New(p.Handler()).InfoContext(spanned, "hi", "a", 1) },
			`level=info msg=hi a=1 ` + spanPairs,
		},
		"slog groups are prefixes with dots": {
			func(p *logs.Pipeline) {
				l := slog.New(p.Handler()).With("a", 1).WithGroup("http").With("b", 2).WithGroup("req")
				l.Info("hi", "c", 3, slog.Group("user", "id", 4, slog.Group("", "in", 5)))
			},
			`level=info msg=hi a=1 http.b=2 http.req.c=3 http.req.user.id=4 http.req.user.in=5`,
		},
		"loggers derived from one do not share attributes": {
			func(p *logs.Pipeline) {
				base := slog.New(p.Handler()).With("a", 1)
				one, _ := base.With("b", 2), base.With("c", 3)
				one.Info("hi")
			},
			`level=info msg=hi a=1 b=2`,
		},
		"a slog value that panics is noted": {
			func(p *logs.Pipeline) { slog.New(p.Handler()).Info("hi", "a", explodingStringer{}, "b", 2) },
			`level=info msg=hi a="!PANIC in logs_test.explodingStringer" b=2`,
		},
		"a hostile slog message stays one line": {
			func(p *logs.Pipeline) { slog.New(p.Handler()).Info("hi\nlevel=error msg=forged", "a\nb=", "c\r") },
			`level=info msg="hi\nlevel=error msg=forged" a_b_="c\r"`,
		},
		"slog's kinds of values": {
			func(p *logs.Pipeline) {
				slog.New(p.Handler()).Info("hi", "d", time.Second, "t", now, "u", uint64(7), "f", 0.5, "ok", false, "n", nil)
			},
			`level=info msg=hi d=1s t=2026-03-04T05:06:07.000008Z u=7 f=0.5 ok=false n=null`,
		},
		"a line of the agent's own": {
			func(p *logs.Pipeline) {
				p.Put(p.NewLine(testSpan, logs.Error).Str("msg", "a b").Int("n", -3).Seconds("took", 1234567*time.Nanosecond))
			},
			`level=error msg="a b" n=-3 took=0.001235 ` + spanPairs,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := start(t)
			test.log(p)
			line := oneLine(t, p, c)
			_, rest, _ := strings.Cut(line, " ") // slog takes its own time
			if rest != test.want {
				t.Errorf("\n got %s\nwant %s", rest, test.want)
			}
		})
	}
}

func TestANilPipelineDropsEverything(t *testing.T) {
	t.Parallel()
	var p *logs.Pipeline
	if err := p.Logger(testSpan).Log("a", explodingStringer{}); err != nil {
		t.Error(err)
	}
	h := p.Handler()
	if h.Enabled(t.Context(), slog.LevelError) {
		t.Error("a nil pipeline wants lines")
	}
	if err := h.WithGroup("g").WithAttrs([]slog.Attr{slog.Int("a", 1)}).Handle(t.Context(), slog.Record{}); err != nil {
		t.Error(err)
	}
	p.Put(p.NewLine(testSpan, logs.Error).Str("a", "b").Int("c", 1).Seconds("d", 1))
}

// TestSlogConformance runs the standard library's checks of a handler. Two
// things are adapted: this handler's keys have other names, and a record
// without a time is given the pipeline's, which is taken out again.
func TestSlogConformance(t *testing.T) {
	t.Parallel()
	p, c := start(t)
	slogtest.Run(t, func(*testing.T) slog.Handler { return p.Handler() }, func(t *testing.T) map[string]any {
		result := map[string]any{}
		for _, kv := range decode(t, oneLine(t, p, c)) {
			switch {
			case kv.key == "ts" && kv.value == nowText: // no time was given
			case kv.key == "ts":
				result[slog.TimeKey] = kv.value
			default:
				nest(result, strings.Split(kv.key, "."), kv.value)
			}
		}
		return result
	})
}

// nest turns the key G.H.a back into a map within a map.
func nest(m map[string]any, path []string, value string) {
	if len(path) == 1 {
		m[path[0]] = value
		return
	}
	inner, ok := m[path[0]].(map[string]any)
	if !ok {
		inner = map[string]any{}
		m[path[0]] = inner
	}
	nest(inner, path[1:], value)
}

// TestAllocations is the promise of an asynchronous log call: at most two
// allocations beyond those for the caller's own arguments. There are none when
// lines come back to the pool, and two when they do not. It measures with the
// sinks at work, which allocate nothing for a line either.
func TestAllocations(t *testing.T) {
	var gate sync.Mutex
	p, err := logs.Start(logs.Config{Capacity: 1 << 14, Console: writerFunc(func(b []byte) (int, error) {
		gate.Lock()
		defer gate.Unlock()
		return len(b), nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	var kit kitlog.Logger = p.Logger(testSpan)
	keyvals := []any{"level", level.InfoValue(), "msg", "order placed", "user", "u-42", "path", "/orders"}
	ctx := trace.ContextWithSpanContext(context.Background(), testSpan)
	sl := slog.New(p.Handler())
	attrs := []slog.Attr{slog.String("user", "u-42"), slog.String("path", "/orders"), slog.Int("n", 1000), slog.Bool("new", true)}
	failure := errors.New("no route")
	tests := []struct {
		name string
		log  func()
		most float64
	}{
		{"go-kit with four strings", func() { _ = kit.Log(keyvals...) }, 1},
		{"slog with four attributes", func() { sl.LogAttrs(ctx, slog.LevelInfo, "order placed", attrs...) }, 1},
		{"the agent's own line", func() {
			p.Put(p.NewLine(testSpan, logs.Info).Str("msg", "request").Int("status", 200).Seconds("took", time.Second))
		}, 1},
		{"go-kit with an error", func() { _ = kit.Log("err", failure) }, 1},
	}
	for _, test := range tests {
		gate.Lock() // so that as many lines are in flight as ever will be
		for range 3000 {
			test.log()
		}
		gate.Unlock()
		if err := p.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(1000, test.log)
		t.Logf("%s: %.0f allocations", test.name, got)
		if got > test.most && !raceEnabled {
			t.Errorf("%s: %.0f allocations, want at most %.0f", test.name, got, test.most)
		}
	}
}
