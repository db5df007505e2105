package alerts_test

import (
	"path/filepath"
	"testing"

	"github.com/cacheu/plumbline/internal/promql/promqltest"
)

func TestPromtoolAcceptsTheRules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(generated, "*", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule files: %v", err)
	}
	promqltest.Run(t, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, files...)...)
}

func TestPromtoolTests(t *testing.T) {
	t.Parallel()
	for _, file := range testFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			promqltest.Run(t, "test", "rules", file)
		})
	}
}

func TestPrometheusParsesTheRunbooksQueries(t *testing.T) {
	t.Parallel()
	for alert, text := range runbooks(t) {
		t.Run(alert, func(t *testing.T) {
			t.Parallel()
			promqltest.Parses(t, queriesOf(text)...)
		})
	}
}

func testFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("tests", "*_test.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no promtool tests: %v", err)
	}
	return files
}
