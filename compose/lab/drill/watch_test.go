package drill

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answering is a server that answers each path with a text, and others with 404.
func answering(t *testing.T, texts map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := texts[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestLookTellsWhatFiresAndWhatHasArrived(t *testing.T) {
	t.Parallel()
	s := servers{client: http.DefaultClient,
		prometheus: answering(t, map[string]string{"/api/v1/alerts": `{"data": {"alerts": [
			{"state": "firing", "labels": {"alertname": "TargetDown", "severity": "page", "job": "api"}},
			{"state": "firing", "labels": {"alertname": "TargetDown", "severity": "page", "job": "email"}},
			{"state": "pending", "labels": {"alertname": "JobsFail", "severity": "ticket"}},
			{"state": "firing", "labels": {"alertname": "UtilizationHigh", "severity": "ticket", "resource": "cpu"}},
			{"state": "firing", "labels": {"alertname": "UtilizationHigh", "severity": "ticket", "resource": "db_pool"}}]}}`}),
		alertmanager: answering(t, map[string]string{"/api/v2/alerts": `[{"labels": {"alertname": "TargetDown", "severity": "page"}},
			{"labels": {"alertname": "SaturationHurts", "severity": "page", "resource": "io"}}]`}),
	}
	now, err := s.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := setOf([]Alert{page("TargetDown"), ticket("UtilizationHigh")}); !maps.Equal(now.firing, want) {
		t.Errorf("firing %v, want %v", now.firing, want)
	}
	if want := setOf([]Alert{page("TargetDown")}); !maps.Equal(now.known, want) {
		t.Errorf("known %v, want %v", now.known, want)
	}
	s.alertmanager = answering(t, nil)
	if _, err := s.look(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("without Alertmanager: %v", err)
	}
}

func TestNoteLeavesOutWhatIsExpectedOrOlder(t *testing.T) {
	t.Parallel()
	r := Result{Drill: Drill{Fires: []Alert{page("TargetDown")}}, others: map[Alert]bool{}}
	r.note(state{firing: setOf([]Alert{page("TargetDown"), {"Deadman", "heartbeat"}, ticket("JobsFail"), ticket("ErrorBudgetBurnSlow")})},
		setOf([]Alert{ticket("ErrorBudgetBurnSlow")}))
	if want := setOf([]Alert{ticket("JobsFail")}); !maps.Equal(r.others, want) {
		t.Errorf("others are %v, want %v", r.others, want)
	}
}
