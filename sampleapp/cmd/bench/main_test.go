package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// noEnvironment has no lab.
func noEnvironment(string) string { return "" }

// call runs a command line and returns what it printed and its exit status.
func call(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = exitCode(Run(t.Context(), args, noEnvironment, streams{strings.NewReader(""), &stdout, &stderr}), &stderr)
	return stdout.String() + stderr.String(), status
}

func TestWrongCommandLinesSayWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		args []string
		want string
	}{
		"no command":                  {nil, "there are:\n  list"},
		"an unknown scenario":         {[]string{"run", "--scenario", "x"}, `there is no scenario "x", there are: average-is-a-liar,`},
		"no scenario and no target":   {[]string{"run"}, "there are: average-is-a-liar,"},
		"both":                        {[]string{"run", "--scenario", "cache", "--target", "http://127.0.0.1:1"}, "exclude each other"},
		"a target that is no URL":     {[]string{"run", "--target", "localhost:80"}, "want a URL such as"},
		"three targets":               {[]string{"run", "--target", "http://a", "--target", "http://b", "--target", "http://c"}, "at most two"},
		"a rate below zero":           {[]string{"run", "--target", "http://127.0.0.1:1", "--rate", "-3"}, "above 0 requests per second"},
		"arrivals nobody knows":       {[]string{"run", "--target", "http://127.0.0.1:1", "--arrivals", "burst"}, "use constant or poisson"},
		"a comparison with one run":   {[]string{"compare", "--a", "x"}, "compare needs --a and --b"},
		"an argument that is no flag": {[]string{"list", "all"}, `unexpected argument "all"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if out, status := call(t, c.args...); status != exitUsage || !strings.Contains(out, c.want) {
				t.Errorf("status %d, %s; want %d and %q", status, out, exitUsage, c.want)
			}
		})
	}
}

func TestTargetThatIsDownLeavesNoReport(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	_ = l.Close()
	dir := filepath.Join(t.TempDir(), "out")
	out, status := call(t, "run", "--target", address, "--out", dir)
	if status != exitError || !strings.Contains(out, "the target "+address+" does not answer") {
		t.Errorf("status %d, %s", status, out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// measure runs a short benchmark of a handler and returns the file of its
// result.
func measure(t *testing.T, dir string, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	out, status := call(t, "run", "--target", server.URL, "--out", dir, "--rate", "100", "--length", "100ms")
	if status != 0 {
		t.Fatalf("status %d, %s", status, out)
	}
	for line := range strings.Lines(out) {
		if strings.HasSuffix(line, ".json\n") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no result file in %s", out)
	return ""
}

// The second run answers errors, which no latency hides.
func TestComparisonFailsOnARegression(t *testing.T) {
	t.Parallel()
	well := measure(t, filepath.Join(t.TempDir(), "a"), func(http.ResponseWriter, *http.Request) {})
	ill := measure(t, filepath.Join(t.TempDir(), "b"), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if out, status := call(t, "compare", "--a", well, "--b", ill); status != exitRegression || !strings.Contains(out, "the error rate rose from 0.0 to 100.0 %") {
		t.Errorf("status %d, %s", status, out)
	}
	if out, status := call(t, "compare", "--a", well, "--b", well); status != 0 || !strings.Contains(out, "no difference") {
		t.Errorf("status %d, %s", status, out)
	}
	// By name, below the output folder.
	dir, name := filepath.Split(strings.TrimSuffix(well, ".json"))
	if out, status := call(t, "compare", "--out", dir, "--a", name, "--b", "nothing"); status != exitError ||
		!strings.Contains(out, `there is no run "nothing", there are: `+name) {
		t.Errorf("status %d, %s", status, out)
	}
}

func TestInterruptedRunKeepsAPartialResult(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if requests.Add(1) == 35 { // the warm-up and two rounds, and half of the third
			cancel()
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	err := Run(ctx, []string{"run", "--target", server.URL, "--out", dir, "--rate", "100", "--length", "100ms"}, noEnvironment,
		streams{strings.NewReader(""), &stdout, &stderr})
	if status := exitCode(err, &stderr); status != exitInterrupted {
		t.Errorf("status %d: %v", status, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(files) != 1 || !strings.Contains(stdout.String(), "! Partial: interrupted after 2 of 5 rounds.") {
		t.Fatalf("%v, %s", files, stdout.String())
	}
	if out, status := call(t, "compare", "--a", files[0], "--b", files[0]); status != exitError || !strings.Contains(out, "is partial") {
		t.Errorf("a partial run is compared: status %d, %s", status, out)
	}
}
