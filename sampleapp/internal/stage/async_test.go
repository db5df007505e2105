package stage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/internal/stage"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// That a killed worker loses nothing needs processes: see package bench.
func TestEveryInviteIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{scenario.Before, scenario.After} {
		set, _, _ := open(t, "async", variant, 0)
		const guests = 20
		var inviting sync.WaitGroup
		for n := range guests {
			inviting.Go(func() {
				if status, body := ask(t, set.Handler, http.MethodPost, fmt.Sprintf("/api/invites?inviter_id=%d", 1+n%3)); status != http.StatusAccepted {
					t.Errorf("%s: %d %s", variant, status, body)
				}
			})
		}
		inviting.Wait()
		f := facts(t, set) // when the queue is empty
		if f["invites"] != guests || f["emails_sent"] != guests || f["emails_lost"] != 0 || f["emails_sent_twice"] != 0 || f["jobs_tried_again"] != 0 {
			t.Errorf("%s: %v, want %d invites and as many emails", variant, f, guests)
		}
	}
}

// A provider that is asked again sends nothing, and says so by its status.
func TestProviderSendsAMessageOnce(t *testing.T) {
	t.Parallel()
	main, _, env := open(t, "async", scenario.Before, 0) // makes the tables
	provider, err := stage.Open(t.Context(), env, "async", scenario.Before, "email")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{http.StatusCreated, http.StatusOK, http.StatusOK} {
		w := httptest.NewRecorder()
		provider.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/emails",
			strings.NewReader(`{"invite_id": 7, "to": "ada@example.com", "subject": "hello", "text": "come and see"}`)))
		if w.Code != want {
			t.Errorf("the provider answers %d %s, want %d", w.Code, w.Body, want)
		}
	}
	if f := facts(t, main); f["emails_sent"] != 1 || f["emails_sent_twice"] != 0 {
		t.Errorf("got %v, want one email", f)
	}
	if f := facts(t, provider); f["emails_asked_for_again"] != 2 {
		t.Errorf("got %v, want two repetitions", f)
	}
}
