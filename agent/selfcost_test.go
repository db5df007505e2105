package agent_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/cputime"
)

// TestTheAgentCountsWhatItCosts compares the bytes with what has arrived, and
// sees the processor time grow with the work.
func TestTheAgentCountsWhatItCosts(t *testing.T) {
	t.Parallel()
	for name, gzip := range map[string]bool{"plain": false, "gzip": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, registry, out := newStack(t), prometheus.NewRegistry(), &console{}
			a := start(t, s.config(func(c *agent.Config) {
				c.Profiles.Disabled, c.Registry, c.Logs.Console = true, registry, out
				c.Traces.Gzip, c.Logs.Gzip = gzip, gzip
			}))
			cpu := func() map[string]float64 { return values(t, registry, catalog.AgentCPU.Desc().Name) }
			before := cpu()
			for signal, used := range before {
				if used != 0 {
					t.Errorf("%g s of %s before anything was sent", used, signal)
				}
			}
			for range 4 {
				produce(a, 500)
				flush(t, a)
				for signal, used := range cpu() {
					if !(used > before[signal]) {
						t.Errorf("%s used %g s after a further batch, %g s before", signal, used, before[signal])
					}
				}
				before = cpu()
			}
			if want := 3; cputime.Supported && len(before) != want {
				t.Errorf("%d signals with a processor time: %v, want %d", len(before), before, want)
			}
			sent := values(t, registry, catalog.TelemetryBytes.Desc().Name)
			for signal, path := range map[string]string{"traces": "/v1/traces", "logs": "/v1/logs"} {
				s.mu.Lock()
				arrived := s.bytes[path]
				s.mu.Unlock()
				if sent[signal] != float64(arrived) || arrived < 1000 {
					t.Errorf("%g bytes of %s are counted, %d have arrived", sent[signal], signal, arrived)
				}
			}
		})
	}
}

// TestCapsAreExported: how much of each cap is in use, however many tracers and
// transports share it.
func TestCapsAreExported(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a := start(t, silent(func(c *agent.Config) { c.Registry, c.Metrics.MaxSeries = registry, 7 }))
	for range 3 { // three pools and clients of the same service
		w := newWork(a)
		for range 3 {
			w.once(t.Context())
		}
	}
	seen, most := values(t, registry, catalog.LabelValues.Desc().Name), values(t, registry, catalog.LabelValuesMax.Desc().Name)
	for label, want := range map[catalog.Label]struct{ seen, most float64 }{
		catalog.HTTPRoute:        {1, 7},
		catalog.ServerAddress:    {1, 500},
		catalog.DBQuerySignature: {3 + 1, 2 * 500}, // three queries, one command of the cache
		catalog.RPCMethod:        {2, 2 * 500},     // of the server and of the client
		catalog.Queue:            {1, 100},
	} {
		if seen[string(label)] != want.seen || most[string(label)] != want.most {
			t.Errorf("%s: %g values of at most %g, want %g of %g", label, seen[string(label)], most[string(label)], want.seen, want.most)
		}
	}
}
