//go:build race

package replication_test

// raceDetector reports whether the test was built with the race detector.
const raceDetector = true
