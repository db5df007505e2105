package loadgen_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

// roundTrip is a server without a network, so that its time can be a fake one.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int) (*http.Response, error) {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("four"))}, nil
}

func attack(t *testing.T, c loadgen.Config, source loadgen.Source, p loadgen.Pacer) []loadgen.Result {
	t.Helper()
	a, err := loadgen.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var results []loadgen.Result
	a.Attack(t.Context(), source, p, func(r loadgen.Result) { results = append(results, r) })
	return results
}

func quantile(results []loadgen.Result, q float64, of func(loadgen.Result) time.Duration) time.Duration {
	var all []time.Duration
	for _, r := range results {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)))]
}

// stalling answers in a millisecond, except that everything that is there
// between from and until waits for until.
func stalling(from, until time.Duration) roundTrip {
	start := time.Now()
	return func(*http.Request) (*http.Response, error) {
		time.Sleep(time.Millisecond)
		if at := time.Since(start); at >= from && at < until {
			time.Sleep(until - at)
		}
		return answer(http.StatusOK)
	}
}

// TestStallIsInTheCorrectedLatencyAlone is the coordinated-omission test: with
// one worker, the requests of the stalled second are sent late, one after the
// other, and each is answered at once.
func TestStallIsInTheCorrectedLatencyAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results := attack(t, loadgen.Config{Client: &http.Client{Transport: stalling(2*time.Second, 3*time.Second)}, MaxOpen: 1},
			loadgen.Always(loadgen.Target{URL: "http://target"}), loadgen.For(loadgen.Constant(100), 10*time.Second))
		if len(results) != 1000 {
			t.Fatalf("%d results, want 1000", len(results))
		}
		corrected := quantile(results, 0.99, loadgen.Result.Corrected)
		raw := quantile(results, 0.99, loadgen.Result.Raw)
		if corrected < 900*time.Millisecond || corrected > 1010*time.Millisecond {
			t.Errorf("the corrected P99 is %v, want about 1 s", corrected)
		}
		if raw != time.Millisecond {
			t.Errorf("the raw P99 is %v, want 1 ms: one request of a thousand was stalled", raw)
		}
	})
}

// TestStallOfARealServer counts what a server of this machine does to its
// requests when it stalls for a second, one connection at a time: half of the
// hundred that were due meanwhile waited for more than half of it, and only one
// of them was being answered.
func TestStallOfARealServer(t *testing.T) {
	t.Parallel()
	const stall, stalled = time.Second, 100
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == stalled {
			<-time.After(stall)
		}
	}))
	defer server.Close()
	results := attack(t, loadgen.Config{MaxOpen: 1}, loadgen.Always(loadgen.Target{URL: server.URL}), loadgen.For(loadgen.Constant(100), 3*time.Second))
	above := func(of func(loadgen.Result) time.Duration) (count int) {
		for _, r := range results {
			if of(r) > stall/2 {
				count++
			}
		}
		return count
	}
	if len(results) != 300 || n.Load() != 300 {
		t.Fatalf("%d results of %d requests, want 300", len(results), n.Load())
	}
	if corrected, raw := above(loadgen.Result.Corrected), above(loadgen.Result.Raw); corrected < 45 || raw != 1 {
		t.Errorf("%d requests took more than half of the stall from their planned time, and %d from their send; want about 50, and 1", corrected, raw)
	}
	corrected, raw := quantile(results, 0.99, loadgen.Result.Corrected), quantile(results, 0.99, loadgen.Result.Raw)
	if corrected < 9*stall/10 || raw > corrected/2 {
		t.Errorf("the corrected P99 is %v and the raw one %v, want about %v, and a fraction of it", corrected, raw, stall)
	}
}

// With as many workers as are needed, all of the stalled second's requests are
// sent in time: the stall is in both latencies.
func TestUnlimitedWorkersAreNeverLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results := attack(t, loadgen.Config{Client: &http.Client{Transport: stalling(2*time.Second, 3*time.Second)}},
			loadgen.Always(loadgen.Target{URL: "http://target"}), loadgen.For(loadgen.Constant(100), 10*time.Second))
		for _, clock := range []func(loadgen.Result) time.Duration{loadgen.Result.Corrected, loadgen.Result.Raw} {
			if p99 := quantile(results, 0.99, clock); p99 < 900*time.Millisecond {
				t.Errorf("a P99 is %v, want about 1 s", p99)
			}
		}
		if late := quantile(results, 0.999, loadgen.Result.Late); late != 0 {
			t.Errorf("requests were sent %v late", late)
		}
	})
}

func TestBoundedLoadSkipsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results := attack(t, loadgen.Config{Client: &http.Client{Transport: stalling(0, 10*time.Second)}, MaxOpen: 3, SkipOver: true},
			loadgen.Always(loadgen.Target{URL: "http://target"}), loadgen.For(loadgen.Constant(10), time.Second))
		count := map[loadgen.Outcome]int{}
		for _, r := range results {
			count[r.Outcome()]++
		}
		if count[loadgen.OK] != 3 || count[loadgen.Skipped] != 7 {
			t.Errorf("got %v, want 3 sent and 7 skipped", count)
		}
	})
}

// A machine that was suspended does not make up for it in a burst, and the
// sequence of targets goes on as if nothing had been skipped.
func TestLongStopIsSkippedAndNotMadeUpFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		source := func() loadgen.Target {
			if n++; n == 51 {
				time.Sleep(40 * time.Second) // blocks the loop, as a suspended machine does
			}
			return loadgen.Target{URL: "http://target", Route: "/" + string(rune('a'+n%3))}
		}
		results := attack(t, loadgen.Config{Client: &http.Client{Transport: stalling(0, 0)}}, source, loadgen.For(loadgen.Constant(10), 100*time.Second))
		skipped := 0
		for _, r := range results {
			if want := "/" + string(rune('a'+(r.Seq+1)%3)); r.Route != want {
				t.Fatalf("request %d goes to %s, want %s", r.Seq, r.Route, want)
			}
			if r.WasSkipped {
				skipped++
			} else if r.Late() > loadgen.DefaultMaxLate {
				t.Errorf("request %d was sent %v late", r.Seq, r.Late())
			}
		}
		if len(results) != 1000 || skipped < 385 || skipped > 395 {
			t.Errorf("%d results, %d skipped; want 1000 and the 390 or so of 39 s", len(results), skipped)
		}
	})
}

func TestOutcomesAreKeptApart(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	n := 0
	next := func(*http.Request) (*http.Response, error) {
		n++
		switch n {
		case 1:
			return answer(204)
		case 2:
			return answer(404)
		case 3:
			return answer(503)
		case 4:
			return nil, broken
		default:
			return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader("ha"), failing{broken}))}, nil
		}
	}
	results := attack(t, loadgen.Config{Client: &http.Client{Transport: roundTrip(next)}, MaxOpen: 1},
		loadgen.Always(loadgen.Target{URL: "http://target"}), loadgen.For(loadgen.Constant(1000), 5*time.Millisecond))
	var got []loadgen.Outcome
	for _, r := range results {
		got = append(got, r.Outcome())
		if (r.Err != nil) != errors.Is(r.Err, broken) {
			t.Errorf("request %d ended with %v", r.Seq, r.Err)
		}
	}
	want := []loadgen.Outcome{loadgen.OK, loadgen.Refused, loadgen.ServerError, loadgen.Failed, loadgen.Failed}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestRequestsCarryTheRun looks at what a real server gets.
func TestRequestsCarryTheRun(t *testing.T) {
	t.Parallel()
	var bad atomic.Pointer[http.Request]
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("baggage") != "plumbline.bench.run_id=run%201" ||
			r.Method != http.MethodPost || string(body) != `{"n": 0}` || r.URL.Path != "/orders/0" ||
			r.Header.Get("Content-Type") != "application/json" {
			bad.Store(r)
		}
	}))
	defer server.Close()
	results := attack(t, loadgen.Config{Tags: loadgen.RunLabels{RunID: "run 1"}.Tags()},
		loadgen.Cycle(server.URL, http.MethodPost, "/orders/:id", []string{"/orders/{n}"}, `{"n": {n}}`), loadgen.For(loadgen.Constant(10), time.Millisecond))
	if len(results) != 1 || results[0].Outcome() != loadgen.OK {
		t.Errorf("got %+v", results)
	}
	if r := bad.Load(); r != nil {
		t.Errorf("the server got %s %s with %v", r.Method, r.URL, r.Header)
	}
}

func TestInterruptedAttackFinishesWhatWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 950*time.Millisecond)
		defer cancel()
		a, err := loadgen.New(loadgen.Config{Client: &http.Client{Transport: stalling(0, 5*time.Second)}})
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		a.Attack(ctx, loadgen.Always(loadgen.Target{URL: "http://target"}), loadgen.Constant(10), func(r loadgen.Result) {
			if r.Outcome() == loadgen.OK && r.Done == 5*time.Second {
				done++
			}
		})
		if done != 10 {
			t.Errorf("%d requests were finished, want the 10 that had been sent", done)
		}
	})
}
