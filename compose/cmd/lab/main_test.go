package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
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
