package stage_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Sixty requests come at once where four are served at a time and eight may
// wait.
func TestLimiterBoundsTheQueue(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{scenario.Before, scenario.After} {
		set, recorder, _ := open(t, "utilization", variant, 0)
		const all = 60
		var asking sync.WaitGroup
		start := make(chan struct{})
		for range all {
			asking.Go(func() {
				<-start
				if status, body := ask(t, set.Handler, http.MethodGet, "/api/quotes/1"); status != http.StatusOK && status != http.StatusTooManyRequests {
					t.Errorf("%s: %d %s", variant, status, body)
				}
			})
		}
		close(start)
		asking.Wait()
		f := facts(t, set)
		if f["requests_served"]+f["requests_turned_away"] != all {
			t.Errorf("%s: %v, want %d in all", variant, f, all)
		}
		if variant == scenario.Before {
			if f["requests_turned_away"] != 0 || f["requests_waiting_max"] < 30 {
				t.Errorf("before: %v, want nobody turned away and most of them waiting at once", f)
			}
			continue
		}
		decisions := 0.0
		for _, m := range recorder.Metric(catalog.LimiterDecisions) {
			if v := m.GetCounter().GetValue(); v > 0 && m.GetLabel()[0].GetValue() != catalog.DecisionAdmitted {
				decisions += v
			}
		}
		if f["requests_turned_away"] < 10 || decisions != f["requests_turned_away"] {
			t.Errorf("after: %v, of which the limiter counted %v", f, decisions)
		}
	}
}
