package main

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
)

func TestPairedRatioCancelsWhatDrifts(t *testing.T) {
	t.Parallel()
	// The machine gets slower and slower; within each pair the difference is
	// 10 %, once a little more and once a little less.
	off := []float64{1, 2, 4, 8, 16}
	on := []float64{1.1, 2.2, 4.41, 8.79, 17.6}
	got := pairedRatio(on, off)
	if math.Abs(got.Estimate-1.1) > 0.001 || got.Low < 1.09 || got.High > 1.11 {
		t.Errorf("ratio %+v, want 1.1 with a narrow interval", got)
	}
	if wide := pairedRatio([]float64{1, 4}, []float64{2, 2}); wide.Low > 0.1 || wide.High < 10 {
		t.Errorf("two contradicting pairs give %+v, want an interval that says nothing", wide)
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i + 1)
	}
	for q, want := range map[float64]float64{0.99: 99, 0.5: 50, 1: 100, 0: 1} {
		if got := quantile(values, q); got != want {
			t.Errorf("the %g quantile of 1 to 100 is %g, want %g", q, got, want)
		}
	}
}

func TestSumAddsTheReasonsOfOneSignal(t *testing.T) {
	t.Parallel()
	name := catalog.TelemetryDropped.Desc().Name
	text := name + `{reason="a",signal="logs"} 2` + "\n" + name + `{reason="b",signal="logs"} 40 1.5` + "\n" +
		name + `{reason="a",signal="traces"} 100` + "\n# " + name + "\n"
	if got := sum(text, catalog.TelemetryDropped, string(catalog.Logs)); got != 42 {
		t.Errorf("sum %g, want 42", got)
	}
}

func TestGateHoldsUntilItIsOpened(t *testing.T) {
	t.Parallel()
	g := newGate()
	if !g.wait(t.Context()) {
		t.Fatal("a new gate is closed")
	}
	g.set(true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if g.wait(gone) {
		t.Fatal("a held request whose client has gone went through")
	}
	passed := make(chan bool)
	go func() { passed <- g.wait(t.Context()) }()
	g.set(false)
	if !<-passed {
		t.Fatal("a held request did not pass when the gate was opened")
	}
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-rounds 1":         "at least 2",
		"-part requests,xy": `names "xy"`,
	} {
		err := Run(t.Context(), append(strings.Fields(args), "-out", t.TempDir()+"/none.json"), t.Output())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %s", args, err, want)
		}
	}
}
