//go:build race

package logs_test

// raceEnabled is true where the race detector runs: it makes sync.Pool forget
// on purpose, so that allocations cannot be counted.
const raceEnabled = true
