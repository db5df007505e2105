package saturation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/saturation"
)

func TestMiddlewareAnswers429(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, saturation.LimiterConfig{Concurrency: 1, Queue: -1, RetryAfter: 1500 * time.Millisecond})
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := l.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
	}))
	first := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		handler.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "/", nil))
	}()
	<-entered
	second := httptest.NewRecorder()
	handler.ServeHTTP(second, httptest.NewRequest(http.MethodGet, "/", nil))
	if second.Code != http.StatusTooManyRequests || second.Header().Get("Retry-After") != "2" {
		t.Errorf("answers %d, Retry-After %q, want 429 and 2", second.Code, second.Header().Get("Retry-After"))
	}
	close(leave)
	<-done
	if first.Code != http.StatusOK || l.Usage().Used != 0 {
		t.Errorf("the first one got %d, and %v places are taken", first.Code, l.Usage().Used)
	}
}

func TestAPanicFreesThePlaceAndGoesOn(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, saturation.LimiterConfig{Concurrency: 1})
	handler := l.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the host's") }))
	func() {
		defer func() {
			if p := recover(); p != "the host's" {
				t.Errorf("recovered %v", p)
			}
		}()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}()
	if used := l.Usage().Used; used != 0 {
		t.Errorf("%v places are taken", used)
	}
}

func TestAClientThatHasGoneIsNotAnswered(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, saturation.LimiterConfig{Concurrency: 1})
	if err := l.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	if l.Admit(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)) {
		t.Error("admitted")
	}
	if w.Code != http.StatusOK || w.Body.Len() > 0 || len(w.Header()) > 0 { // the recorder's zero value
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
}

func TestANilLimiterIsNoMiddleware(t *testing.T) {
	t.Parallel()
	var l *saturation.Limiter
	w := httptest.NewRecorder()
	l.Middleware(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound || !l.Admit(w, httptest.NewRequest(http.MethodGet, "/", nil)) {
		t.Errorf("answered %d", w.Code)
	}
}
