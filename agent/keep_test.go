package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// unsampled is an agent whose head sampling rejects every trace.
func unsampled(t *testing.T, options ...func(*agent.Config)) *agenttest.Recorder {
	t.Helper()
	return agenttest.New(t, append([]func(*agent.Config){func(c *agent.Config) { c.Traces.SampleRatio = -1 }}, options...)...)
}

func serve(rec *agenttest.Recorder, header http.Header, f http.HandlerFunc) {
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	for name, values := range header {
		r.Header[name] = values
	}
	agenthttp.Middleware(rec.Agent())(f).ServeHTTP(httptest.NewRecorder(), r)
}

func query(rec *agenttest.Recorder, ctx context.Context, signature string, rows int64) {
	_, call := rec.Agent().StartCall(ctx, agent.CallInfo{Component: catalog.DB, Name: "q", Query: signature})
	call.SetRows(rows)
	call.End(nil)
}

func TestTracesThatMatterAreKeptWithAllTheirSpans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		child   bool
		reason  string
	}{
		"it failed":    {reason: "error,exemplar", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }},
		"the exemplar": {reason: "exemplar", handler: func(http.ResponseWriter, *http.Request) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := unsampled(t)
			serve(rec, nil, func(w http.ResponseWriter, r *http.Request) {
				query(rec, r.Context(), "a", 1)
				c.handler(w, r)
			})
			spans := rec.Spans()
			if len(spans) != 2 {
				t.Fatalf("%d spans, want the query's and the root's", len(spans))
			}
			if got := agenttest.Attribute(spans[1], catalog.AttrKept); got != c.reason {
				t.Errorf("kept for %q, want %q", got, c.reason)
			}
			if spans[1].SpanContext().IsSampled() {
				t.Error("the span claims to be sampled, which other services would follow")
			}
		})
	}
}

// TestEveryExemplarHasAStoredTrace is the promise: whatever Prometheus shows as
// an exemplar, of any metric, can be opened.
func TestEveryExemplarHasAStoredTrace(t *testing.T) {
	t.Parallel()
	rec := unsampled(t)
	for i := range 500 {
		serve(rec, nil, func(_ http.ResponseWriter, r *http.Request) { query(rec, r.Context(), fmt.Sprint(i%3), 1) })
	}
	stored := make(map[string]bool)
	for _, s := range rec.Spans() {
		stored[s.SpanContext().TraceID().String()] = true
	}
	shown := 0
	for _, m := range rec.Metric(catalog.HTTPServerRequestDuration) {
		for _, b := range m.GetHistogram().GetBucket() {
			if b.GetExemplar() != nil {
				shown++
				if id := b.GetExemplar().GetLabel()[0].GetValue(); !stored[id] {
					t.Errorf("exemplar %s has no trace", id)
				}
			}
		}
	}
	if shown == 0 {
		t.Error("no exemplar at all")
	}
	if len(stored) == 500 {
		t.Error("every trace was stored: nothing was decided")
	}
}

func TestAFindingKeepsItsTrace(t *testing.T) {
	t.Parallel()
	rec := unsampled(t)
	handler := func(n int) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			query(rec, r.Context(), "posts", 20)
			for range n {
				query(rec, r.Context(), "author", 1)
			}
		}
	}
	serve(rec, nil, handler(0)) // takes the exemplar of its bucket
	serve(rec, nil, handler(20))
	spans := rec.Spans()
	root := spans[len(spans)-1]
	if len(root.Events()) != 1 || root.Events()[0].Name != catalog.EventNPlusOne {
		t.Fatalf("events %v, want one of an N+1 problem", root.Events())
	}
}

func TestTheCallersDecisionIsRespected(t *testing.T) {
	t.Parallel()
	rec := unsampled(t)
	fail := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	serve(rec, http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}}, fail)
	if n := len(rec.Spans()); n != 0 {
		t.Errorf("%d spans of a trace that the caller does not sample", n)
	}
	serve(rec, http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}, func(http.ResponseWriter, *http.Request) {})
	if n := len(rec.Spans()); n != 1 {
		t.Errorf("%d spans of a trace that the caller samples, want 1", n)
	}
}

func TestKeepingCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	rec := unsampled(t, func(c *agent.Config) { c.Traces.Keep = -1 })
	serve(rec, nil, func(w http.ResponseWriter, r *http.Request) {
		if trace.SpanFromContext(r.Context()).IsRecording() {
			t.Error("the span is recorded")
		}
		w.WriteHeader(500)
	})
	if n := len(rec.Spans()); n != 0 {
		t.Errorf("%d spans", n)
	}
	for _, m := range rec.Metric(catalog.HTTPServerRequestDuration) {
		for _, b := range m.GetHistogram().GetBucket() {
			if b.GetExemplar() != nil {
				t.Error("an exemplar points at a trace that is not stored")
			}
		}
	}
}

// TestWatchedTracesAreBounded opens more traces than are watched.
func TestWatchedTracesAreBounded(t *testing.T) {
	t.Parallel()
	rec := unsampled(t, func(c *agent.Config) { c.Traces.Keep = 16 })
	tracer := rec.Agent().TracerProvider().Tracer("test")
	for range 200 {
		ctx, root := tracer.Start(t.Context(), "root", trace.WithNewRoot())
		_, child := tracer.Start(ctx, "child")
		child.End()
		_ = root // never ends
	}
	dropped := 0.0
	for _, m := range rec.Metric(catalog.TelemetryDropped) {
		if l := agenttest.Labels(m); l["reason"] == catalog.ReasonEvicted && l["signal"] == "traces" {
			dropped += m.GetCounter().GetValue()
		}
	}
	if dropped < 184 || dropped >= 200 {
		t.Errorf("%v spans were evicted of 200, with room for 16 traces", dropped)
	}
}
