package stage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// A user saves and looks at once, on a replica that is behind.
func TestWhatAUserSaved(t *testing.T) {
	t.Parallel()
	for variant, want := range map[string]map[string]float64{
		scenario.Before:  {"stale_reads_shown_as_current": 5},
		"after-routing":  {"reads_from_the_primary": 5},
		"after-cache":    {"reads_from_the_cache": 5},
		"after-eventual": {"stale_reads_marked_as_such": 5},
	} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			set, _, _ := open(t, "replication-lag", variant, 0)
			for range 5 {
				status, saved := ask(t, set.Handler, http.MethodPut, "/api/profiles/7")
				_, shown := ask(t, set.Handler, http.MethodGet, "/api/profiles/7")
				if status != http.StatusOK || (saved == shown) != (variant == "after-routing" || variant == "after-cache") {
					t.Errorf("%d, saved %s, shown %s", status, saved, shown)
				}
				if strings.Contains(shown, `"pending":true`) != (variant == "after-eventual") {
					t.Errorf("shown %s", shown)
				}
			}
			// Somebody who has saved nothing reads from the replica.
			if status, body := ask(t, set.Handler, http.MethodGet, "/api/profiles/8"); status != http.StatusOK || !strings.Contains(body, `"version":0`) {
				t.Errorf("%d %s", status, body)
			}
			for name, n := range facts(t, set) {
				if name == "reads" {
					continue
				}
				if n != want[name] {
					t.Errorf("%s is %v, want %v", name, n, want[name])
				}
			}
		})
	}
}
