package saturation

import (
	"errors"
	"net/http"
)

// Admit asks for an HTTP request to be admitted and waits for its turn, if need
// be. If it is not, Admit answers 429 Too Many Requests with Retry-After and
// returns false; where the client has gone, it answers nothing. Else
// [Limiter.Release] must follow. It is for routers whose middleware is no
// [http.Handler]; see the example for gin.
func (l *Limiter) Admit(w http.ResponseWriter, r *http.Request) bool {
	if l == nil {
		return true
	}
	err := l.Acquire(r.Context())
	if errors.Is(err, ErrShed) {
		w.Header().Set("Retry-After", l.retry)
		http.Error(w, "too many requests at the moment, try again later", http.StatusTooManyRequests)
	}
	return err == nil
}

// Middleware returns a handler that passes on the requests which are admitted.
// Put it inside of the agent's middleware, so that the others are counted too,
// and around the routes that cost something, so that health checks get through.
func (l *Limiter) Middleware(next http.Handler) http.Handler {
	if l == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.Admit(w, r) {
			return
		}
		defer l.Release()
		next.ServeHTTP(w, r)
	})
}
