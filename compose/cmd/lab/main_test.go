package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/compose/lab"
)

// noEnvironment points the lab at an empty home of its own.
func noEnvironment(t *testing.T) func(string) string {
	t.Helper()
	home := t.TempDir()
	return func(name string) string {
		return map[string]string{"PLUMBLINE_HOME": home, "PLUMBLINE_CACHE": home, "LAB": "native"}[name]
	}
}

func TestWrongCommandLinesSayWhatThereIs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		want string
	}{
		"no command":             {nil, `there is no command ""`},
		"an unknown command":     {[]string{"benchmark"}, `there is no command "benchmark"`},
		"an unknown flag":        {[]string{"status", "--yaml"}, "-yaml"},
		"an argument too many":   {[]string{"up", "loki"}, `unexpected argument "loki"`},
		"two components of logs": {[]string{"logs", "loki", "api"}, `unexpected argument "api"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Run(t.Context(), c.args, noEnvironment(t), &bytes.Buffer{})
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	err := Run(t.Context(), []string{"help"}, noEnvironment(t), &bytes.Buffer{})
	for _, command := range []string{"up", "status", "logs", "down", "build", "bench"} {
		if err == nil || !strings.Contains(err.Error(), "\n  "+command+" ") {
			t.Errorf("the list of commands lacks %s:\n%v", command, err)
		}
	}
}

// TestFailuresAreExplained: only a benchmark has said itself what went wrong. A
// program that a build runs has not, although it ends in the same way.
func TestFailuresAreExplained(t *testing.T) {
	t.Parallel()
	failed := exec.Command("sh", "-c", "exit 3").Run()
	for name, c := range map[string]struct {
		err    error
		status int
		text   string
	}{
		"success":                 {nil, 0, ""},
		"a wrong command line":    {fmt.Errorf("no such flag: %w", errUsage), 2, "no such flag"},
		"a benchmark's verdict":   {lab.ExitStatus(3), 3, ""},
		"a build that has failed": {fmt.Errorf("build loki: %w\nundefined: x", failed), 1, "lab: build loki: exit status 3\nundefined: x"},
	} {
		if status, text := outcome(c.err); status != c.status || !strings.HasPrefix(text, c.text) || (c.text == "") != (text == "") {
			t.Errorf("%s: status %d and %q, want %d and %q", name, status, text, c.status, c.text)
		}
	}
}

func TestLabThatIsNotUp(t *testing.T) {
	t.Parallel()
	getenv := noEnvironment(t)
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"status"}, getenv, &out); err == nil || !strings.Contains(err.Error(), "not up") {
		t.Errorf("status: %v", err)
	}
	if err := Run(t.Context(), []string{"status", "--json"}, getenv, &out); err == nil || !strings.Contains(out.String(), `"running": false`) {
		t.Errorf("status --json: %v, %q", err, out.String())
	}
	out.Reset()
	if err := Run(t.Context(), []string{"down"}, getenv, &out); err != nil || out.String() != "the lab is not up\n" {
		t.Errorf("down: %v, %q", err, out.String())
	}
	if err := Run(t.Context(), []string{"logs"}, getenv, &out); err == nil || !strings.Contains(err.Error(), "never started") {
		t.Errorf("logs: %v", err)
	}
}

func TestBadVariablesAreReportedTogether(t *testing.T) {
	t.Parallel()
	getenv := func(name string) string {
		return map[string]string{"LOKI_PORT": "many", "LOAD_RATE": "fast"}[name]
	}
	err := Run(t.Context(), []string{"up"}, getenv, &bytes.Buffer{})
	for _, part := range []string{"LOKI_PORT", "LOAD_RATE"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %s", err, part)
		}
	}
}
