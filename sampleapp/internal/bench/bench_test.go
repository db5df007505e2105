package bench_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// plain is a spec for a target of somebody's own.
func plain() scenario.Spec {
	return scenario.Spec{Title: "GET / of a test", Requests: []scenario.Request{{Path: "/"}}}
}

func short(rounds int) scenario.Load {
	return scenario.Load{Rate: 200, Arrivals: "constant", Length: 100 * time.Millisecond, Rounds: rounds}
}

func target(t *testing.T, name string, h http.HandlerFunc) bench.Target {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return bench.Target{Name: name, Base: s.URL}
}

func ok(http.ResponseWriter, *http.Request) {}

func TestRoundsAlternateAndCountEverything(t *testing.T) {
	t.Parallel()
	var order strings.Builder
	var last atomic.Value
	note := func(name string) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("baggage") != "" && last.Swap(name) != name {
				order.WriteString(name + " ")
			}
		}
	}
	result, err := bench.Run(t.Context(), bench.Config{
		Spec: plain(), Load: short(3), Targets: []bench.Target{target(t, "before", note("before")), target(t, "after", note("after"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Warm-up of both, and then there and back: the turns meet.
	if got, want := order.String(), "before after before after before after "; got != want {
		t.Errorf("the order is %q, want %q", got, want)
	}
	for _, v := range result.Variants {
		if v.Counts[loadgen.OK] != 60 || v.Corrected.N != 60 || len(v.Rounds) != 3 || v.ErrorRate != 0 {
			t.Errorf("%s has %v, %d latencies in %d rounds; want 60 in 3", v.Name, v.Counts, v.Corrected.N, len(v.Rounds))
		}
	}
	if c := result.Comparisons[0]; c.Of != "after" || c.Against != "before" || c.Tail.Verdict != stats.TooFew {
		t.Errorf("three rounds are judged: %+v", c)
	}
}

func TestTargetThatIsDownIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	_ = l.Close()
	result, err := bench.Run(t.Context(), bench.Config{Spec: plain(), Load: short(5), Targets: []bench.Target{{Name: "target", Base: address}}})
	if result != nil || err == nil || !strings.HasPrefix(err.Error(), "the target "+address+" does not answer: ") {
		t.Errorf("got %v, %v", result, err)
	}
}

// Errors come first in every form of the report, and their latency does not
// make the target look fast.
func TestErrorsComeFirst(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	failing := func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	}
	result, err := bench.Run(t.Context(), bench.Config{Spec: plain(), Load: short(2), Targets: []bench.Target{target(t, "target", failing)}})
	if err != nil {
		t.Fatal(err)
	}
	v := result.Variants[0]
	if v.ErrorRate < 0.4 || v.ErrorRate > 0.6 || v.Failures.N != v.Counts[loadgen.ServerError] || v.Corrected.N != v.Counts[loadgen.OK] || v.LastError != "status 503" {
		t.Errorf("got %v of %v failed, %d latencies of successes, %d of failures, last %q", v.ErrorRate, v.Counts, v.Corrected.N, v.Failures.N, v.LastError)
	}
	page, err := result.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, report := range []string{result.Markdown(), result.Text(), page} {
		failed, latency := strings.Index(report, "of the requests of target failed"), strings.Index(report, "P50")
		if failed < 0 || latency < failed {
			t.Errorf("the error rate is at %d and the first latency at %d of\n%s", failed, latency, report)
		}
	}
}

func TestInterruptedRunIsPartial(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	result, err := bench.Run(ctx, bench.Config{Spec: plain(), Load: short(50), Targets: []bench.Target{target(t, "target", func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 70 { // warm-up, two rounds, half of the third
			cancel()
		}
	})}})
	if !errors.Is(err, context.Canceled) || result == nil || result.Partial != "interrupted after 2 of 50 rounds" {
		t.Fatalf("got %+v, %v", result, err)
	}
	if len(result.Variants[0].Rounds) != 2 || result.Variants[0].Corrected.N != 40 {
		t.Errorf("%d rounds with %d latencies, want what was complete", len(result.Variants[0].Rounds), result.Variants[0].Corrected.N)
	}
	if !strings.Contains(result.Markdown(), "**Partial: interrupted after 2 of 50 rounds.**") {
		t.Error("the report does not say so")
	}
}

func TestInterruptedBeforeTheFirstRoundIsNoResult(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	result, err := bench.Run(ctx, bench.Config{Spec: plain(), Load: short(5), Targets: []bench.Target{target(t, "target", ok)}})
	if result != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", result, err)
	}
}

// made returns a run of one variant whose latencies are drawn, with a tail and
// a middle that are slower by the given factors.
func made(seed uint64, middle, tail float64) *bench.Result {
	random := rand.New(rand.NewPCG(21, seed))
	v := bench.Variant{Name: "target", Counts: map[loadgen.Outcome]int{loadgen.OK: 5000}}
	for range 5 {
		var round bench.Round
		for range 1000 {
			us := 10_000 * (1 + 0.2*random.Float64()) * middle
			if random.IntN(50) == 0 {
				us *= 3 * tail
			}
			round.Corrected = append(round.Corrected, int64(us))
		}
		v.Rounds = append(v.Rounds, round)
	}
	v.Corrected = stats.Summarize(v.Samples())
	return &bench.Result{RunID: "made", Variants: []bench.Variant{v}}
}

func TestCompareFindsRegressionsPastTheThreshold(t *testing.T) {
	t.Parallel()
	failing := made(9, 1, 1)
	failing.Variants[0].ErrorRate = 0.2
	for sentence, c := range map[string]struct {
		b         *bench.Result
		threshold float64
		want      []string
	}{
		"the same again":                   {made(2, 1, 1), 0, nil},
		"everything 20 % slower":           {made(3, 1.2, 1), 0, []string{"P50 is 20 % slower", "P99 is"}},
		"only the tail, 30 % slower":       {made(4, 1, 1.3), 0, []string{"P99 is"}},
		"slower, and the threshold allows": {made(5, 1.2, 1), 0.5, nil},
		"faster":                           {made(6, 0.5, 1), 0, nil},
		"errors":                           {failing, 0, []string{"the error rate rose from 0.0 to 20.0 %"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			all, err := bench.Compare(made(1, 1, 1), c.b, c.threshold)
			if err != nil {
				t.Fatal(err)
			}
			got := all[0].Regressions
			if len(got) != len(c.want) || (bench.Regressed(all) != nil) != (len(c.want) > 0) {
				t.Fatalf("got %q, want %q\n%s", got, c.want, all[0].Text())
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

func TestRunsThatCannotBeComparedAreRefused(t *testing.T) {
	t.Parallel()
	other := made(2, 1, 1)
	other.Variants[0].Name = "after"
	if _, err := bench.Compare(made(1, 1, 1), other, 0); err == nil || err.Error() != "the runs have no variant in common: target against after" {
		t.Errorf("got %v", err)
	}
	published := made(2, 1, 1).Published()
	if _, err := bench.Compare(made(1, 1, 1), &published, 0); err == nil || !strings.Contains(err.Error(), "has no single latencies") {
		t.Errorf("got %v", err)
	}
}

func TestResultsSurviveTheirFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := made(1, 1, 1)
	files, err := r.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := bench.Read(files.JSON)
	if err != nil {
		t.Fatal(err)
	}
	all, err := bench.Compare(r, again, 0)
	if err != nil || all[0].P99Ratio.Value != 1 || all[0].Superiority != 0.5 {
		t.Errorf("the file differs: %+v, %v", all, err)
	}
	page, err := os.ReadFile(files.HTML)
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"http://", "https://", "<script", "<link", "@import"} {
		if strings.Contains(string(page), outside) {
			t.Errorf("the page needs something from outside: %s", outside)
		}
	}
	for _, other := range []string{`{"format": 7}`, `not JSON`} {
		path := filepath.Join(dir, "other.json")
		if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := bench.Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s is read: %v", other, err)
		}
	}
}

// A disk that is full is as a folder that cannot be written: an error, and
// nothing that looks like a result.
func TestReportThatCannotBeKeptLeavesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := made(1, 1, 1).Write(file); err == nil || !strings.Contains(err.Error(), "keep the result") {
		t.Errorf("got %v", err)
	}
}

func TestAnnotationSaysWhatWasFound(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body := make([]byte, 4096)
		n, _ := r.Body.Read(body)
		got.Store(r.Method + " " + r.URL.Path + " " + user + ":" + password + " " + string(body[:n]))
	}))
	defer s.Close()
	r := made(1, 1, 1)
	r.RunID, r.Started, r.Seconds = "run-1", time.Unix(100, 0), 5
	if err := bench.Annotate(t.Context(), bench.Grafana{URL: s.URL + "/", User: "u", Password: "p"}, r); err != nil {
		t.Fatal(err)
	}
	want := `POST /api/annotations u:p {"tags":["plumbline","benchmark","run-1"],"text":"benchmark run-1","time":100000,"timeEnd":105000}`
	if got.Load() != want {
		t.Errorf("Grafana got %v\nwant %s", got.Load(), want)
	}
	s.Close()
	if err := bench.Annotate(t.Context(), bench.Grafana{URL: s.URL}, r); err == nil {
		t.Error("a Grafana that is down is no error")
	}
	if err := bench.Annotate(t.Context(), bench.Grafana{}, r); err != nil {
		t.Errorf("without a Grafana: %v", err)
	}
}
