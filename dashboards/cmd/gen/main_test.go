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
	err := run([]string{"--out", dir, "--flavor", "classic", "--latency-objective", "250ms", "--latency-target", "99"}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "plumbline-service-overview.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`le=\"0.25\"`, "The objective allows 1 %", "The objective allows 0.1 %"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the dashboard does not say %s", want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		want string
	}{
		"an unknown flavour":  {[]string{"--flavor", "both"}, `--flavor: unknown histogram flavour "both"; use native or classic`},
		"an argument":         {[]string{"native"}, `unexpected argument "native"; every option starts with --`},
		"a target of 1000 %":  {[]string{"--error-target", "1000"}, "error target 10 is not between 0.9306 and 1"},
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
