package agentjob_test

import (
	"context"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agenttest"
)

// BenchmarkRun is a job that does nothing, bare and measured.
func BenchmarkRun(b *testing.B) {
	for name, on := range map[string]bool{"bare": false, "measured": true} {
		b.Run(name, func(b *testing.B) {
			var a *agent.Agent
			if on {
				a = agenttest.New(b).Agent()
			}
			job := agentjob.Job{Queue: "mail", Kind: "welcome", ID: "7", Attempt: 1, Due: time.Now()}
			nothing := func(context.Context) error { return nil }
			b.ReportAllocs()
			for b.Loop() {
				_ = agentjob.Run(b.Context(), a, job, nothing)
			}
		})
	}
}
