package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A benchmark runs by itself: without a lab it is told of none.
func TestBenchmarkWithoutALabIsToldOfNone(t *testing.T) {
	t.Parallel()
	c, err := Config{Root: t.TempDir(), Home: t.TempDir(), Cache: t.TempDir(), Mode: Native}.checked()
	if err != nil {
		t.Fatal(err)
	}
	env, err := c.benchEnv(t.Context())
	if err != nil || len(env) != 0 {
		t.Errorf("got %q, %v", env, err)
	}
}

func TestBenchmarkThatDoesNotBuildSaysSo(t *testing.T) {
	t.Parallel()
	c := Config{Root: t.TempDir(), Home: t.TempDir(), Cache: t.TempDir(), Mode: Native}
	if err := os.MkdirAll(filepath.Join(c.Root, "sampleapp"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := Bench(t.Context(), c, []string{"list"}, &out, &out)
	if err == nil || !strings.HasPrefix(err.Error(), "build the benchmark: ") || !strings.Contains(out.String(), "go.mod") {
		t.Errorf("got %v, %s", err, out.String())
	}
}
