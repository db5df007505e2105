//go:build !linux

package cputime

import "time"

// Supported reports whether [Stopwatch] measures anything on this system.
const Supported = false

func threadTime() time.Duration { return 0 }
