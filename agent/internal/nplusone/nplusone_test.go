package nplusone_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/internal/nplusone"
)

// step is one query of a corpus case, or a run of Repeat equal ones.
type step struct {
	Signature string
	Site      uintptr
	Rows      int
	Repeat    int // 0 means once
	// Parallel starts all repetitions before any of them ends.
	Parallel bool
}

type finding struct {
	Signature, Source string
	Count             int
	Milliseconds      int
}

func play(d *nplusone.Detector, steps []step) {
	now := time.Duration(0)
	for _, s := range steps {
		var open []nplusone.Token
		for range max(1, s.Repeat) {
			open = append(open, d.Start(nplusone.Query{Signature: s.Signature, Site: s.Site}, now))
			if !s.Parallel {
				now += time.Millisecond
				d.End(open[0], s.Rows, now)
				open = nil
			}
		}
		now += time.Millisecond
		for _, t := range open {
			d.End(t, s.Rows, now)
		}
	}
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name      string
		Why       string
		Threshold int
		Loop      int // plays Steps so many times; 0 means once
		First     []step
		Steps     []step
		Want      []finding
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			steps := c.First
			for range max(1, c.Loop) {
				steps = append(steps, c.Steps...)
			}
			var d nplusone.Detector
			play(&d, steps)
			var got []finding
			for _, f := range d.Findings(c.Threshold) {
				got = append(got, finding{f.Signature, f.Source, f.Count, int(f.Total.Milliseconds())})
			}
			if len(got) != len(c.Want) {
				t.Fatalf("findings %+v, want %+v (%s)", got, c.Want, c.Why)
			}
			for i := range got {
				if got[i] != c.Want[i] {
					t.Errorf("finding %+v, want %+v (%s)", got[i], c.Want[i], c.Why)
				}
			}
		})
	}
}

// FuzzDetector: any sequence of events is legal, costs bounded memory, and a
// finding always has a source, enough runs and a signature that was played.
func FuzzDetector(f *testing.F) {
	f.Add([]byte{0, 20, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var d nplusone.Detector
		var open []nplusone.Token
		played := make(map[string]int)
		for i := 0; i+1 < len(data); i += 2 {
			signature := string(rune('a' + data[i]%80))
			if data[i] >= 200 && len(open) > 0 {
				d.End(open[0], int(data[i+1])-10, time.Duration(i))
				open = open[1:]
				continue
			}
			played[signature]++
			open = append(open, d.Start(nplusone.Query{Signature: signature, Site: uintptr(data[i+1] % 3)}, time.Duration(i)))
		}
		for _, found := range d.Findings(0) {
			if found.Count < nplusone.DefaultThreshold || found.Count > played[found.Signature] || found.Source == "" || found.Source == found.Signature {
				t.Errorf("%+v of %v", found, played)
			}
		}
	})
}

func BenchmarkTenQueries(b *testing.B) {
	steps := []step{{Signature: "posts", Rows: 20}, {Signature: "author", Rows: 1, Repeat: 9}}
	b.ReportAllocs()
	for b.Loop() {
		var d nplusone.Detector
		play(&d, steps)
		d.Findings(0)
	}
}
