// Package leaktest helps tests of the agent to wait for a condition and to find
// goroutines that outlive what they belong to.
//
// It works beside parallel tests, because it looks at no other goroutines than
// those that the code at hand has started. It is for tests only and safe for
// concurrent use.
package leaktest

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Patience bounds a wait. What is waited for takes milliseconds; only a defect,
// or a machine that is busy beyond use, makes it pass.
const Patience = 20 * time.Second

// label marks the goroutines of one test. Goroutines inherit it.
const label = "leaktest"

// Run calls f and fails the test where a goroutine that f started, directly or
// not, has not ended soon after f has returned.
func Run(tb testing.TB, f func()) {
	tb.Helper()
	run(tb, f, Patience)
}

func run(tb testing.TB, f func(), patience time.Duration) {
	tb.Helper()
	name := tb.Name()
	pprof.Do(context.Background(), pprof.Labels(label, name), func(context.Context) { f() })
	var left []string
	if !wait(patience, func() bool { left = goroutines(name); return len(left) == 0 }) {
		tb.Errorf("goroutines are left:\n%s", strings.Join(left, "\n\n"))
	}
}

// Eventually waits until done reports true, and fails the test at once if it
// does not within [Patience].
func Eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	if !wait(Patience, done) {
		tb.Fatalf("not within %s: %s", Patience, what)
	}
}

// wait asks again and again, at growing distances: asking costs time too.
func wait(patience time.Duration, done func() bool) bool {
	deadline := time.After(patience)
	for pause := time.Millisecond; !done(); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-deadline:
			return done()
		case <-time.After(pause):
		}
	}
	return true
}

// goroutines returns the stacks of those that bear the test's label.
func goroutines(name string) []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{"cannot read the goroutine profile: " + err.Error()}
	}
	var found []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, strconv.Quote(label)+":"+strconv.Quote(name)) {
			found = append(found, stack)
		}
	}
	return found
}
