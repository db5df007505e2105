package main

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

func TestRunWritesEveryFormUnlessTold(t *testing.T) {
	t.Parallel()
	for form, want := range map[string][]string{
		"all":        {"grafana/jobs.yml", "kubernetes/classic/jobs.yml", "kubernetes/native/jobs.yml", "prometheus/classic/jobs.yml", "prometheus/native/jobs.yml"},
		"grafana":    {"grafana/jobs.yml"},
		"kubernetes": {"kubernetes/classic/jobs.yml", "kubernetes/native/jobs.yml"},
	} {
		dir := t.TempDir()
		if err := run([]string{"--out", dir, "--form", form, "--target", "99", "--datasource-uid", "mimir"}, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		var got []string
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if filepath.Base(path) == "jobs.yml" {
				got = append(got, path)
			}
			return err
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("--form %s writes %q, want %q, %v", form, got, want, err)
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(got[0])))
		if err != nil || !strings.Contains(string(content), "99% of answered requests within 300ms") {
			t.Errorf("--target is not in %s, %v", got[0], err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		want string
	}{
		"an unknown flavour": {[]string{"--flavor", "old"}, `--flavor: unknown histogram flavour "old"; use native or classic, or both`},
		"an argument":        {[]string{"native"}, `unexpected argument "native"; every option starts with --`},
		"a target of 1000 %": {[]string{"--latency-target", "1000"}, "latency target 10 is not between 0.9306 and 1"},
		"an unknown form":    {[]string{"--form", "jsonnet"}, `--form: unknown form "jsonnet"; use prometheus, grafana, kubernetes or all`},
		"two zeros, which would mean defaults": {[]string{"--min-requests", "0", "--latency-objective", "0s"},
			"--latency-objective is \"0s\"; leave it out for its default, which is 300ms\n--min-requests is \"0\"; leave it out for its default, which is 100"},
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

// TestEveryOptionIsDocumented compares the flags with docs/alerts.md.
func TestEveryOptionIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	var s settings
	s.flags().VisitAll(func(f *flag.Flag) {
		line := regexp.MustCompile("(?m)^\\| .*`--" + f.Name + "`.*\\| (.*) \\| .* \\|$").FindStringSubmatch(string(page))
		if line == nil {
			t.Errorf("docs/alerts.md does not say what --%s is", f.Name)
			return
		}
		// Addresses and the list of stores are described there, not repeated.
		if value := strings.Trim(line[1], "`"); value != f.DefValue && f.Name != "runbook-base" && f.Name != "store-jobs" && value+"0s" != f.DefValue {
			t.Errorf("docs/alerts.md says that --%s is %s by default, and it is %s", f.Name, value, f.DefValue)
		}
	})
}
