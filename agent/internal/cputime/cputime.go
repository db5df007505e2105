// Package cputime tells how much processor time a piece of work used.
//
// A [Stopwatch] reads the clock of the thread that its goroutine runs on, and
// holds the goroutine on that thread meanwhile. So it counts what the goroutine
// itself does, system calls included and waiting excluded, and nothing of what
// the goroutine has others do. Starting and stopping one costs about a
// microsecond; it suits work that is done about once a second.
package cputime

import (
	"runtime"
	"time"
)

// Stopwatch measures from [Start] to [Stopwatch.Stop]. It belongs to the
// goroutine that started it.
type Stopwatch struct{ begun time.Duration }

// Start begins to measure, and keeps the calling goroutine on its thread until
// Stop, which must follow. Where threads have no clock that can be read it does
// nothing; see [Supported].
func Start() Stopwatch {
	if !Supported {
		return Stopwatch{}
	}
	runtime.LockOSThread()
	return Stopwatch{threadTime()}
}

// Stop returns the processor time that the goroutine has used since Start.
func (s Stopwatch) Stop() time.Duration {
	if !Supported {
		return 0
	}
	used := threadTime() - s.begun
	runtime.UnlockOSThread()
	return max(0, used)
}
