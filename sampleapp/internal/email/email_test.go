package email_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/email"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

var server *testdb.Server

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(testdb.Main(m, &server))
}

func start(t *testing.T) (call func(method, path, body string) (int, string)) {
	t.Helper()
	s := httptest.NewServer(email.New(nil, server.Pool(t)))
	t.Cleanup(s.Close)
	return func(method, path, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		return response.StatusCode, string(answer)
	}
}

func TestMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	call := start(t)
	const body = `{"invite_id": 5, "to": "A@example.com", "subject": "S", "text": "T"}`
	status, first := call("POST", "/emails", body)
	if status != 201 || !strings.HasPrefix(first, `{"invite_id":5,"recipient":"a@example.com","subject":"S","body":"T","sent_at":"`) {
		t.Errorf("the first time: %d %s", status, first)
	}
	if status, again := call("POST", "/emails", body); status != 200 || again != first {
		t.Errorf("the second time: %d %s, want 200 %s", status, again, first)
	}
	if status, got := call("GET", "/emails/5", ""); status != 200 || got != first {
		t.Errorf("read: %d %s, want 200 %s", status, got, first)
	}
	const other = `{"invite_id": 5, "to": "b@example.com", "subject": "S", "text": "T"}`
	const want = `{"error":"a message with this id went to another address","field":"invite_id"}`
	if status, answer := call("POST", "/emails", other); status != 409 || answer != want {
		t.Errorf("the id for another address: %d %s, want 409 %s", status, answer, want)
	}
}

func TestSameMessageAtTheSameTimeIsSentOnce(t *testing.T) {
	t.Parallel()
	call := start(t)
	var wg sync.WaitGroup
	statuses := make([]int, 12)
	for i := range statuses {
		wg.Go(func() {
			statuses[i], _ = call("POST", "/emails", `{"invite_id": 5, "to": "a@example.com", "subject": "S", "text": "T"}`)
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[201] != 1 || count[200] != 11 {
		t.Errorf("statuses %v, want 201 once and 200 otherwise", count)
	}
}

func TestBadMessagesAreRefused(t *testing.T) {
	t.Parallel()
	call := start(t)
	for sentence, c := range map[string]struct {
		request, body string
		status        int
		want          string
	}{
		"no id":                {"POST /emails", `{"to": "a@example.com", "subject": "S", "text": "T"}`, 400, `{"error":"want a whole number of at least 1","field":"invite_id"}`},
		"no address":           {"POST /emails", `{"invite_id": 1, "subject": "S", "text": "T"}`, 400, `{"error":"want an email address of at most 254 characters","field":"to"}`},
		"no subject":           {"POST /emails", `{"invite_id": 1, "to": "a@example.com", "text": "T"}`, 400, `{"error":"want 1 to 200 characters","field":"subject"}`},
		"an endless text":      {"POST /emails", `{"invite_id": 1, "to": "a@example.com", "subject": "S", "text": "` + strings.Repeat("x", 10_001) + `"}`, 400, `{"error":"want 1 to 10000 characters","field":"text"}`},
		"an unknown message":   {"GET /emails/6", "", 404, `{"error":"there is none with the id 6","field":"invite_id"}`},
		"an id that is a word": {"GET /emails/x", "", 400, `{"error":"want a whole number of at least 1","field":"invite_id"}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			method, path, _ := strings.Cut(c.request, " ")
			if status, answer := call(method, path, c.body); status != c.status || answer != c.want {
				t.Errorf("answered %d %s, want %d %s", status, answer, c.status, c.want)
			}
		})
	}
}
