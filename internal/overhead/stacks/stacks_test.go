package stacks_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/internal/overhead/sink"
	"github.com/cacheu/plumbline/internal/overhead/stacks"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// One stack after the other: profilers and vendors' tracers are global.
func TestEachStackServesAndSendsWhatItRecorded(t *testing.T) {
	for _, s := range stacks.All() {
		var taken sink.Sink
		server := httptest.NewServer(&taken)
		running, err := s.Start(stacks.Config{Sink: server.URL})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		w := httptest.NewRecorder()
		running.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/items/7", nil))
		if w.Code != http.StatusOK || w.Body.String() != "ok" {
			t.Errorf("%s answered %d %q", s.Name, w.Code, w.Body)
		}
		if err := running.Close(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		server.Close()
		if sent := taken.Bytes() > 0; sent != (s.Name != stacks.Bare) {
			t.Errorf("%s sent %d bytes in %d requests", s.Name, taken.Bytes(), taken.Requests())
		}
	}
}
