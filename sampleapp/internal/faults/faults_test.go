package faults_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/faults"
)

func TestParseReadsWhatIsOnAndLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		in   []string
		want faults.Active
	}{
		"nothing":                 {nil, faults.Active{}},
		"faults of other parts":   {[]string{"replica-lag=5s", "stop=api"}, faults.Active{}},
		"latency of all":          {[]string{"latency=1.5s"}, faults.Active{Delay: 1500 * time.Millisecond, DelayShare: 1}},
		"latency of some":         {[]string{"latency=2s@2%"}, faults.Active{Delay: 2 * time.Second, DelayShare: 0.02}},
		"one route":               {[]string{"slow-route=1s@/api/invites"}, faults.Active{Delay: time.Second, DelayShare: 1, DelayRoute: "/api/invites"}},
		"everything else at once": {[]string{"errors=0.5%", "n-plus-one", "pool=90%", "slow-jobs=8s", "memory=95%", "leak=85%", "garbage"}, faults.Active{ErrorShare: 0.005, NPlusOne: true, PoolShare: 0.9, JobDelay: 8 * time.Second, MemoryShare: 0.95, LeakShare: 0.85, Garbage: true}},
	} {
		if got, err := faults.Parse(c.in); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", sentence, got, err, c.want)
		}
	}
	_, err := faults.Parse([]string{"errors=half", "latency=soon", "slow-route=1s", "pool=101%", "memory=0%"})
	for _, want := range []string{`fault "errors=half"`, `fault "latency=soon"`, "no route after @", `"101%" is no share`, `"0%" is no share`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %s", err, want)
		}
	}
}

func TestAFileSwitchesFaultsOnAndOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faults.json")
	var said []string
	read := func() faults.Active {
		return faults.Open(path, func(err error) { said = append(said, err.Error()) }).Active()
	}
	if got := read(); got != (faults.Active{}) {
		t.Errorf("without a file: %+v", got)
	}
	for content, want := range map[string]faults.Active{
		`{"active": ["n-plus-one", "replica-down"]}`: {NPlusOne: true}, `{"active": []}`: {}, `{"active": ["errors=all"]}`: {}, "{": {},
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(); got != want {
			t.Errorf("%s: %+v, want %+v", content, got, want)
		}
	}
	if len(said) != 2 {
		t.Errorf("said %q, want a line for each of the two bad files", said)
	}
	if faults.Open("", nil).Active() != (faults.Active{}) {
		t.Error("no path, and something is on")
	}
}

func TestMiddlewareFailsExactlyItsShare(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]int{"errors=10%": 20, "errors=0.5%": 1, "errors=100%": 200, "slow-route=1ns@/other": 0} {
		path := filepath.Join(t.TempDir(), "faults.json")
		if err := os.WriteFile(path, []byte(`{"active": ["`+content+`"]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		engine := gin.New()
		engine.GET("/", faults.Open(path, func(err error) { t.Error(err) }).Middleware(nil), func(c *gin.Context) { c.Status(http.StatusNoContent) })
		failed := 0
		for range 200 {
			w := httptest.NewRecorder()
			engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code == http.StatusInternalServerError {
				failed++
			} else if w.Code != http.StatusNoContent {
				t.Errorf("%s: status %d", content, w.Code)
			}
		}
		if failed != want {
			t.Errorf("%s: %d of 200 failed, want %d", content, failed, want)
		}
	}
}

// TestHeldConnectionsAreGivenBack takes a whole pool and sees a query wait until
// the fault is over.
func TestHeldConnectionsAreGivenBack(t *testing.T) {
	t.Parallel()
	pool := server.Pool(t)
	path := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(path, []byte(`{"active": ["pool=100%"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	source := faults.Open(path, func(err error) { t.Error(err) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		source.Hold(t.Context(), pool)
	}()
	until(t, func() bool { return pool.Stat().AcquiredConns() == pool.Config().MaxConns })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "select 1"); err != nil {
		t.Error(err)
	}
	until(t, func() bool { return pool.Stat().AcquiredConns() == 0 })
	t.Cleanup(func() { <-done })
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(time.Minute)
	for !ok() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatal("not within a minute")
		}
	}
}
