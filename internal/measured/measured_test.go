package measured_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/measured"
)

func TestResultsAreKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.json")
	none, err := measured.Load[map[string]int](file)
	if err != nil || none != nil {
		t.Errorf("without a file: %v, %v, want nothing", none, err)
	}
	want := map[string]int{"a": 1}
	if err := measured.Save(file, want); err != nil {
		t.Fatal(err)
	}
	if got, err := measured.Load[map[string]int](file); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := measured.Load[map[string]int](file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken file: %v, want an error that names it", err)
	}
}

func TestMedianAndBytes(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := measured.Median(values); got != want {
			t.Errorf("median of %v is %g, want %g", values, got, want)
		}
	}
	const text = "VmPeak:\t  9 kB\nVmHWM:\t  2048 kB\n"
	if got := measured.Bytes(text, "VmHWM"); got != 2<<20 {
		t.Errorf("%d bytes, want 2 MiB", got)
	}
	if got := measured.Bytes(text, "VmRSS"); got != 0 {
		t.Errorf("%d bytes of what is not there", got)
	}
}
