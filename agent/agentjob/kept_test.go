package agentjob_test

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// TestJobsThatMatterAreKept: head sampling rejects everything, and still what
// failed is stored, and so is whatever an exemplar points at.
func TestJobsThatMatterAreKept(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t, func(c *agent.Config) { c.Traces.SampleRatio = -1 })
	for i := range 300 {
		_ = agentjob.Run(t.Context(), rec.Agent(), agentjob.Job{Queue: "mail", ID: fmt.Sprint(i)}, func(context.Context) error {
			if i == 200 {
				return errBoom
			}
			return nil
		})
	}
	stored := make(map[string]bool)
	failed := 0
	for _, s := range rec.Spans() {
		stored[s.SpanContext().TraceID().String()] = true
		if agenttest.Attribute(s, catalog.AttrMessagingMessageID) == "200" && strings.Contains(agenttest.Attribute(s, catalog.AttrKept), "error") {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("the job that failed is stored %d times", failed)
	}
	if len(stored) == 300 {
		t.Error("every trace was stored: nothing was decided")
	}
	shown := 0
	for _, b := range rec.Metric(catalog.JobDuration)[0].GetHistogram().GetBucket() {
		if e := b.GetExemplar(); e != nil {
			if shown++; !stored[e.GetLabel()[0].GetValue()] {
				t.Errorf("exemplar %v has no trace", e)
			}
		}
	}
	if shown == 0 {
		t.Error("no exemplar at all")
	}
}

// TestAJobHasItsFlameGraph: its goroutine bears the labels by which Pyroscope
// finds the samples of its span, and loses them afterwards.
func TestAJobHasItsFlameGraph(t *testing.T) {
	rec := agenttest.New(t, func(c *agent.Config) {
		c.Profiles.Disabled, c.Profiles.Address = false, "http://127.0.0.1:1" // nobody is there
	})
	label := ""
	_ = agentjob.Run(t.Context(), rec.Agent(), agentjob.Job{Queue: "mail"}, func(ctx context.Context) error {
		label, _ = pprof.Label(ctx, catalog.ProfileSpanID)
		if id := trace.SpanContextFromContext(ctx).SpanID().String(); label != id {
			t.Errorf("label %q, span %s", label, id)
		}
		return nil
	})
	if got := agenttest.Attribute(rec.Spans()[0], catalog.AttrProfileID); got != label || got == "" {
		t.Errorf("profile %q, label %q", got, label)
	}
	var goroutines strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&goroutines, 1); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(goroutines.String(), label) {
		t.Error("a goroutine still bears the label")
	}
}
