package dashboards_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/dashboards"
)

const generated = "generated"

func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	fresh := t.TempDir()
	if err := dashboards.Write(fresh); err != nil {
		t.Fatal(err)
	}
	want, have := readAll(t, fresh), readAll(t, generated)
	for name, content := range want {
		if !bytes.Equal(have[name], content) {
			t.Errorf("%s/%s is not what the program makes; run go run ./dashboards/cmd/gen", generated, name)
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("%s/%s is made by no dashboard; delete it", generated, name)
		}
	}
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = content
	}
	return files
}

func TestWritingTwiceGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, flavor := range []dashboards.Flavor{dashboards.Native, dashboards.Classic} {
		a, b := t.TempDir(), t.TempDir()
		for _, dir := range []string{a, b} {
			if err := dashboards.WriteWith(dir, dashboards.Options{Flavor: flavor}); err != nil {
				t.Fatal(err)
			}
		}
		first, second := readAll(t, a), readAll(t, b)
		for name := range first {
			if !bytes.Equal(first[name], second[name]) {
				t.Errorf("%v: %s differs from one run to the next", flavor, name)
			}
		}
	}
}

func TestFilesAreNamedByUID(t *testing.T) {
	t.Parallel()
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if got := *d.Model.Uid; got != string(d.UID) || !strings.HasPrefix(got, "plumbline-") || len(got) > 40 {
			t.Errorf("dashboard %q has the uid %q in Grafana", d.UID, got)
		}
		if _, err := os.Stat(filepath.Join(generated, string(d.UID)+".json")); err != nil {
			t.Error(err)
		}
	}
}

func TestOptionsOutOfBoundsWriteNothing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		in   dashboards.Options
		want string
	}{
		"a latency between two classic buckets": {
			dashboards.Options{LatencyObjective: 275 * time.Millisecond, Flavor: dashboards.Classic},
			"has no classic bucket bound 0.275",
		},
		"a target in percent":  {dashboards.Options{ErrorTarget: 99.9}, "error target 99.9 is not between"},
		"a negative latency":   {dashboards.Options{LatencyObjective: -time.Second}, "latency objective -1s is not positive"},
		"a flavour of nowhere": {dashboards.Options{Flavor: 7}, "flavour flavor(7) is unknown; use native or classic"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			err := dashboards.WriteWith(dir, c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to say %q", err, c.want)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestObjectivesReachThePanels(t *testing.T) {
	t.Parallel()
	all, err := dashboards.Build(dashboards.Options{
		LatencyObjective: 250 * time.Millisecond, LatencyTarget: 0.99, ErrorTarget: 0.95, Flavor: dashboards.Classic,
	})
	if err != nil {
		t.Fatal(err)
	}
	content, err := all[0].JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`le=\"0.25\"`, "more than 250ms", "The objective allows 1 %", "The objective allows 5 %",
		`"value": 0.25,`, `"value": 0.144,`, `"value": 0.72,`,
	} {
		if !strings.Contains(string(content), want) {
			t.Errorf("nothing in the dashboard says %s", want)
		}
	}
	if strings.Contains(string(content), "histogram_fraction") {
		t.Error("the classic flavour asks for a native function")
	}
}

func TestWriteNamesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := dashboards.Write(file)
	if err == nil || !strings.HasPrefix(err.Error(), "make folder for dashboards: ") || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}
