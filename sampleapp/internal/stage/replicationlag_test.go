package stage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// A user saves and looks at once, and the replica applies nothing meanwhile.
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
			set, _, env := open(t, "replication-lag", variant, 0)
			// Somebody who has saved nothing reads what the replica has.
			if status, body := ask(t, set.Handler, http.MethodGet, "/api/profiles/8"); status != http.StatusOK || !strings.Contains(body, `"version":0`) {
				t.Errorf("%d %s", status, body)
			}
			from := facts(t, set)
			if _, err := env.Replica.Exec(t.Context(), "select pg_wal_replay_pause()"); err != nil { // as far behind as can be
				t.Fatal(err)
			}
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
			for name, n := range facts(t, set) {
				if got := n - from[name]; name != "reads" && got != want[name] {
					t.Errorf("%s is %v, want %v", name, got, want[name])
				}
			}
		})
	}
}
