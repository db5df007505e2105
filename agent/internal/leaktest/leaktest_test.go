package leaktest

import (
	"strings"
	"testing"
	"time"
)

// recorder notes a failure in place of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, format)
	for _, arg := range args {
		if text, ok := arg.(string); ok {
			r.errors = append(r.errors, text)
		}
	}
}

func TestRunIsQuietWhenGoroutinesEnd(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	Run(r, func() {
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
	})
	if len(r.errors) > 0 {
		t.Errorf("reported %q", r.errors)
	}
}

func TestRunFindsAGoroutineOfAGoroutine(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	stop := make(chan struct{})
	defer close(stop)
	run(r, func() {
		started := make(chan struct{})
		go func() {
			go func() { close(started); blockUntil(stop) }()
		}()
		<-started
	}, 50*time.Millisecond)
	if len(r.errors) == 0 || !strings.Contains(strings.Join(r.errors, "\n"), "blockUntil") {
		t.Errorf("reported %q, want the stack of blockUntil", r.errors)
	}
}

func blockUntil(stop <-chan struct{}) { <-stop }
