package agentlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agentlog"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

var errDisk = errors.New("disk full")

// slow is a sink that takes its time and fails.
type slow struct{ takes time.Duration }

func (s slow) Write(p []byte) (int, error) {
	<-time.After(s.takes)
	return len(p), errDisk
}

// request runs f in a measured request and returns the seconds and calls of a
// component.
func request(t *testing.T, rec *agenttest.Recorder, f func(context.Context)) (share func(catalog.Component) (seconds, calls float64)) {
	t.Helper()
	handler := agenthttp.Middleware(rec.Agent())(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) }))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return func(c catalog.Component) (seconds, calls float64) {
		for _, m := range rec.Metric(catalog.HTTPServerComponentSeconds) {
			if agenttest.Labels(m)[string(catalog.ComponentLabel)] == string(c) {
				seconds += m.GetCounter().GetValue()
			}
		}
		for _, m := range rec.Metric(catalog.HTTPServerComponentCalls) {
			if agenttest.Labels(m)[string(catalog.ComponentLabel)] == string(c) {
				calls += m.GetCounter().GetValue()
			}
		}
		return seconds, calls
	}
}

// TestABlockingSinkIsSeen is the reason for the package: 500 ms in a write of
// 520 ms in all. The clock is synctest's, so that the numbers are exact.
func TestABlockingSinkIsSeen(t *testing.T) {
	t.Parallel()
	tests := map[string]func(ctx context.Context, a *agent.Agent, w io.Writer) error{
		"go-kit logger": func(ctx context.Context, a *agent.Agent, w io.Writer) error {
			return kitlog.With(agentlog.Logger(ctx, a, kitlog.NewLogfmtLogger(w)), "k", "v").Log("msg", "hello")
		},
		"writer": func(ctx context.Context, a *agent.Agent, w io.Writer) error {
			n, err := agentlog.Writer(ctx, a, w).Write([]byte("hello"))
			if n != 5 {
				t.Errorf("%d bytes were written, want 5", n)
			}
			return err
		},
		"slog handler": func(ctx context.Context, a *agent.Agent, w io.Writer) error {
			h := agentlog.Handler(a, slog.NewTextHandler(w, nil)).WithGroup("g").WithAttrs([]slog.Attr{slog.Int("i", 1)})
			return h.Handle(ctx, slog.NewRecord(time.Now(), slog.LevelInfo, "hello", 0))
		},
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rec := agenttest.New(t)
				share := request(t, rec, func(ctx context.Context) {
					<-time.After(20 * time.Millisecond)
					if err := write(ctx, rec.Agent(), slow{500 * time.Millisecond}); !errors.Is(err, errDisk) {
						t.Errorf("error %v, want that of the sink", err)
					}
				})
				if seconds, calls := share(catalog.Log); seconds != 0.5 || calls != 1 {
					t.Errorf("log: %v s in %v calls, want 0.5 in 1", seconds, calls)
				}
				if seconds, _ := share(catalog.Self); seconds != 0.02 {
					t.Errorf("self: %v s, want 0.02", seconds)
				}
				if n := len(rec.Spans()); n != 1 {
					t.Errorf("%d spans, want the request's alone: a log call is no span", n)
				}
			})
		})
	}
}

func TestAPanicOfTheLoggerIsPassedOnAndCharged(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	share := request(t, rec, func(ctx context.Context) {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("panic %v, want boom", p)
			}
		}()
		_ = agentlog.Logger(ctx, rec.Agent(), kitlog.LoggerFunc(func(...any) error { panic("boom") })).Log()
	})
	if _, calls := share(catalog.Log); calls != 1 {
		t.Errorf("%v calls, want 1", calls)
	}
}

func TestOutsideARequestNobodyIsCharged(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	var out bytes.Buffer
	_, _ = agentlog.Writer(t.Context(), rec.Agent(), &out).Write([]byte("hello"))
	if out.String() != "hello" {
		t.Errorf("wrote %q", out.String())
	}
	if m := rec.Metric(catalog.HTTPServerComponentSeconds); m != nil {
		t.Errorf("charged %v", m)
	}
}

// TestTheHandlerStaysAHandler runs the standard library's rules for handlers.
func TestTheHandlerStaysAHandler(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return agentlog.Handler(rec.Agent(), slog.NewJSONHandler(&out, nil))
	}, func(t *testing.T) map[string]any {
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line
	})
	if h := agentlog.Handler(rec.Agent(), slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError})); h.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("the handler is enabled for a level that the wrapped one leaves out")
	}
}

func TestANilAgentAddsNoLayer(t *testing.T) {
	t.Parallel()
	var w bytes.Buffer
	if got := agentlog.Writer(t.Context(), nil, &w); got != io.Writer(&w) {
		t.Errorf("Writer = %T", got)
	}
	h := slog.NewTextHandler(&w, nil)
	if got := agentlog.Handler(nil, h); got != slog.Handler(h) {
		t.Errorf("Handler = %T", got)
	}
	l := kitlog.NewSyncLogger(kitlog.NewNopLogger())
	if got := agentlog.Logger(t.Context(), nil, l); got != l {
		t.Errorf("Logger = %T", got)
	}
}

// BenchmarkLog is a logger that does nothing, bare and charged.
func BenchmarkLog(b *testing.B) {
	rec := agenttest.New(b)
	request, r := rec.Agent().StartRequest(httptest.NewRequest(http.MethodGet, "/", nil), "/")
	defer request.End(agent.Response{})
	for name, w := range map[string]io.Writer{"bare": io.Discard, "charged": agentlog.Writer(r.Context(), rec.Agent(), io.Discard)} {
		b.Run(name, func(b *testing.B) {
			line := []byte("hello\n")
			b.ReportAllocs()
			for b.Loop() {
				_, _ = w.Write(line)
			}
		})
	}
}
