package agentgin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent/agentgin"
	"github.com/cacheu/plumbline/agent/replication"
)

// TestSessionsTravelHoweverTheAnswerBegins sends a position out with each kind
// of answer, and in again with the next request.
func TestSessionsTravelHoweverTheAnswerBegins(t *testing.T) {
	t.Parallel()
	sessions, err := replication.NewSessions(replication.SessionsConfig{
		Keys: []replication.Key{{ID: "k", Secret: []byte(strings.Repeat("s", 32))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(*gin.Context){
		"nothing":  func(*gin.Context) {},
		"a status": func(c *gin.Context) { c.Status(http.StatusNoContent) },
		"JSON":     func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"a": 1}) },
		"a string": func(c *gin.Context) { c.String(http.StatusOK, "done") },
		"a flush":  func(c *gin.Context) { c.Writer.Flush() },
		"an abort": func(c *gin.Context) { c.AbortWithStatus(http.StatusTeapot) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			router := gin.New()
			router.Use(agentgin.Sessions(sessions))
			var came replication.LSN
			router.GET("/", func(c *gin.Context) {
				session := replication.SessionFrom(c.Request.Context())
				came = session.Position()
				session.Note(came + 100)
				answer(c)
			})
			server := httptest.NewServer(router)
			t.Cleanup(server.Close)
			var cookie string
			for _, want := range []replication.LSN{0, 100, 200} {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Cookie", cookie)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if came != want {
					t.Errorf("the request came with position %d, want %d", came, want)
				}
				cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
				if cookie == "" || response.Header.Get(replication.DefaultHeader) == "" {
					t.Fatalf("the answer carries no token: %v", response.Header)
				}
			}
		})
	}
}

func TestNoSessionsAreNoHindrance(t *testing.T) {
	t.Parallel()
	router := gin.New()
	router.Use(agentgin.Sessions(nil))
	router.GET("/", func(c *gin.Context) { c.Status(http.StatusTeapot) })
	w := httptest.NewRecorder()
	router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusTeapot {
		t.Errorf("status %d", w.Code)
	}
}
