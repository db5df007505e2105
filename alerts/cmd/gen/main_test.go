package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunWritesWhatTheFlagsSay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := run([]string{"--out", dir, "--flavor", "native", "--latency-objective", "250ms", "--error-target", "99", "--time-scale", "0.1"}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "prometheus", "native", "slo-errors.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"99.5% of answered requests within 250ms, 99% of requests without", "(14.4 * 0.01)", "interval: 3s"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the rules do not say %s", want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "prometheus", "classic")); !os.IsNotExist(err) {
		t.Errorf("the other flavour was written too: %v", err)
	}
}

func TestRunWritesBothFlavoursUnlessTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := run([]string{"--out", dir}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	for _, flavor := range []string{"native", "classic"} {
		committed, err := os.ReadDir(filepath.Join("..", "..", "generated", "prometheus", flavor))
		if err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(filepath.Join(dir, "prometheus", flavor)); err != nil || len(entries) != len(committed) {
			t.Errorf("%s: %d files, want the %d committed ones, %v", flavor, len(entries), len(committed), err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		want string
	}{
		"an unknown flavour":  {[]string{"--flavor", "old"}, `--flavor: unknown histogram flavour "old"; use native or classic, or both`},
		"an argument":         {[]string{"native"}, `unexpected argument "native"; every option starts with --`},
		"a target of 1000 %":  {[]string{"--latency-target", "1000"}, "latency target 10 is not between 0.9306 and 1"},
		"an option it has no": {[]string{"--goal", "1"}, "flag provided but not defined: -goal"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(append([]string{"--out", t.TempDir()}, c.args...), &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}
