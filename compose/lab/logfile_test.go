package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLastLinesOfALog(t *testing.T) {
	t.Parallel()
	var long strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&long, "line %d of a log that is longer than what is read of it\n", i)
	}
	cases := map[string]struct {
		content string
		want    []string
	}{
		"fewer lines than asked for": {"a\nb\n", []string{"a", "b"}},
		"more lines than asked for":  {"a\nb\nc\nd\n", []string{"b", "c", "d"}},
		"a last line without an end": {"a\nb", []string{"a", "b"}},
		"an empty log":               {"", nil},
		"a log longer than the window": {long.String(), []string{
			"line 4997 of a log that is longer than what is read of it",
			"line 4998 of a log that is longer than what is read of it",
			"line 4999 of a log that is longer than what is read of it",
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.log")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := tail(path, 3); !slices.Equal(got, c.want) {
				t.Errorf("tail %q, want %q", got, c.want)
			}
		})
	}
	if got := tail(filepath.Join(t.TempDir(), "none"), 3); got != nil {
		t.Errorf("no log has lines %q", got)
	}
}

func TestLogIsBoundedAndWrittenOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.log")
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	fmt.Fprint(log, "0123456789abcdef\n")
	if err := boundLog(path, 100); err != nil || fileContent(t, path) != "0123456789abcdef\n" {
		t.Fatalf("a small log is cut: %v", err)
	}
	if err := boundLog(path, 5); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(log, "more\n")
	if got, kept := fileContent(t, path), fileContent(t, path+".1"); got != "more\n" || kept != "cdef\n" {
		t.Errorf("log %q, kept %q", got, kept)
	}
	if err := boundLog(filepath.Join(t.TempDir(), "none"), 1); err != nil {
		t.Errorf("a log that is not there: %v", err)
	}
}

func fileContent(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEarlierLogIsKeptBeside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.log")
	for _, line := range []string{"first", "second"} {
		log, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(log, line)
		_ = log.Close()
	}
	if now, before := fileContent(t, path), fileContent(t, path+".1"); now != "second" || before != "first" {
		t.Errorf("log %q, earlier log %q", now, before)
	}
}

func TestFollowedLogPrintsWholeLinesAndNoticesANewBeginning(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loki.log")
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	fmt.Fprint(log, "old\n")
	f := newLogFollower(path, "loki", true)
	var out bytes.Buffer
	if err := f.begin(&out); err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"one\ntw", "o\n"} {
		fmt.Fprint(log, piece)
		if err := f.more(&out); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(log, "new\n")
	if err := f.more(&out); err != nil {
		t.Fatal(err)
	}
	const prefix = "loki          | "
	if want := prefix + "old\n" + prefix + "one\n" + prefix + "two\n" + prefix + "new\n"; out.String() != want {
		t.Errorf("followed %q, want %q", out.String(), want)
	}
}

func TestLogsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := Logs(t.Context(), c, &bytes.Buffer{}, "", false); err == nil || !strings.Contains(err.Error(), "never started") {
		t.Errorf("without logs: %v", err)
	}
	testPlan(t, c)
	for _, name := range []string{"loki", "api"} {
		if err := os.WriteFile(paths{c.Home}.log(name), []byte(name+" says hello\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var one, all bytes.Buffer
	if err := Logs(t.Context(), c, &one, "loki", false); err != nil || one.String() != "loki says hello\n" {
		t.Errorf("one component: %q, %v", one.String(), err)
	}
	if err := Logs(t.Context(), c, &all, "", false); err != nil || strings.Count(all.String(), "\n") != 2 {
		t.Errorf("all components: %q, %v", all.String(), err)
	}
	if err := Logs(t.Context(), c, &all, "oracle", false); err == nil || !strings.Contains(err.Error(), "api, loki") {
		t.Errorf("an unknown component: %v", err)
	}
}
