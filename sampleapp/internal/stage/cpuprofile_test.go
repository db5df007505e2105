package stage_test

import (
	"bytes"
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/cacheu/plumbline/sampleapp/internal/stage"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// TestUnitsOfWorkHaveTheSharesOfTheExample counts the work itself, of which
// there are 100 units before.
func TestUnitsOfWorkHaveTheSharesOfTheExample(t *testing.T) {
	t.Parallel()
	for variant, payment := range map[string]float64{scenario.Before: 40, scenario.After: 0.4} { // once in 100 requests
		set, _, _ := open(t, "cpu-profile", variant, 0)
		for range 100 {
			pay(t, set)
		}
		got := facts(t, set)
		for fact, want := range map[string]float64{
			"units_of_process_payment": payment, "units_of_calculate_tax": 30, "units_of_validate_input": 10, "units_of_receipt": 20,
		} {
			if got[fact] != want {
				t.Errorf("%s: %s is %v per request, want %v", variant, fact, got[fact], want)
			}
		}
	}
}

func pay(t *testing.T, set *stage.Set) {
	if status, body := ask(t, set.Handler, http.MethodGet, "/api/payments/1"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

// enoughSamples makes the standard error of a share of 40 % 1.1 points, so that
// 5 points are more than four of them.
const enoughSamples = 2000

// TestFlameGraphHasTheSharesOfTheExample is not parallel: a process has one CPU
// profile. Samples are counted, and no time is compared: on a busy machine it
// takes longer and finds the same.
func TestFlameGraphHasTheSharesOfTheExample(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s of processor time for each variant")
	}
	for _, c := range []struct {
		variant string
		shares  map[string]float64
	}{
		{scenario.Before, map[string]float64{"processPayment": 40, "calculateTax": 30, "validateInput": 10}},
		// Without the payment's 40 of 100, the others share the rest.
		{scenario.After, map[string]float64{"processPayment": 0, "calculateTax": 50, "validateInput": 16.7}},
	} {
		got, samples := sharesOf(t, c.variant)
		t.Logf("%s: %v in %d samples", c.variant, got, samples)
		for function, want := range c.shares {
			if math.Abs(got[function]-want) > 5 {
				t.Errorf("%s: %s has %.1f %% of the processor time of handleRequest, want %v within 5 points", c.variant, function, got[function], want)
			}
		}
	}
}

// payments sends requests on every processor. What it does between them takes a
// random time: a request that takes a whole number of the profiler's periods
// would else be sampled in the same place each time.
func payments(t *testing.T, set *stage.Set) {
	var senders sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		senders.Go(func() {
			var sum [sha256.Size]byte
			for range 300 {
				pay(t, set)
				for range rand.IntN(20_000) {
					sum = sha256.Sum256(sum[:])
				}
			}
		})
	}
	senders.Wait()
}

// sharesOf serves requests under the profiler until there are samples enough,
// and returns the percentages of the children of handleRequest.
func sharesOf(t *testing.T, variant string) (shares map[string]float64, samples int64) {
	t.Helper()
	set, _, _ := open(t, "cpu-profile", variant, 0)
	total, counts := int64(0), map[string]int64{}
	for total < enoughSamples && !t.Failed() {
		var buffer bytes.Buffer
		if err := pprof.StartCPUProfile(&buffer); err != nil {
			t.Fatal(err)
		}
		payments(t, set)
		pprof.StopCPUProfile()
		p, err := profile.Parse(&buffer)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Sample {
			var stack []string // innermost first
			for _, l := range s.Location {
				for _, line := range l.Line {
					stack = append(stack, line.Function.Name)
				}
			}
			for i, name := range stack {
				if strings.HasSuffix(name, ".handleRequest") {
					total += s.Value[0]
					if i > 0 {
						child := stack[i-1]
						counts[child[strings.LastIndex(child, ".")+1:]] += s.Value[0]
					}
				}
			}
		}
	}
	shares = map[string]float64{}
	for name, n := range counts {
		shares[name] = 100 * float64(n) / float64(total)
	}
	return shares, total
}
