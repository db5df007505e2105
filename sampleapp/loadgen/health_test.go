package loadgen_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

func TestGeneratorThatCannotKeepUpSaysSo(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	even := func(late func(n int) time.Duration, skip func(n int) bool) []loadgen.Result {
		var all []loadgen.Result
		for n := range 1000 {
			at := time.Duration(n) * ms
			all = append(all, loadgen.Result{Seq: n, Planned: at, Sent: at + late(n), Done: at + late(n) + ms, WasSkipped: skip(n)})
		}
		return all
	}
	slow := func(late, took time.Duration) []loadgen.Result {
		all := even(func(int) time.Duration { return late }, func(int) bool { return false })
		for i := range all {
			all[i].Done = all[i].Sent + took
		}
		return all
	}
	never, onTime := func(int) bool { return false }, func(int) time.Duration { return 0 }
	for sentence, c := range map[string]struct {
		results []loadgen.Result
		cpu     time.Duration
		want    []string
	}{
		"all is well":                    {even(onTime, never), 0, nil},
		"no results":                     {nil, time.Hour, nil},
		"sends a bit late are no reason": {even(func(n int) time.Duration { return 2 * ms }, never), 0, nil},
		"one in fifty sent 20 ms late": {
			even(func(n int) time.Duration { return time.Duration(n%50/49) * 20 * ms }, never), 0,
			[]string{"the generator sent late: one request in a hundred by 20ms or more (limit 10ms, or 10 % of the P99, which is 21ms)"},
		},
		"late sends to a server that is much later": {slow(20*ms, 250*ms), 0, nil},
		"sends as late as a slow server":            {slow(200*ms, 250*ms), 0, []string{"sent late", "of 1000.0 offered"}},
		"falling behind more and more": {
			even(func(n int) time.Duration { return time.Duration(n) * ms / 4 }, never), 0,
			[]string{"sent late", "of 1000.0 offered"},
		},
		"requests skipped": {even(onTime, func(n int) bool { return n == 500 }), 0, []string{"the generator skipped 1 requests"}},
		"all processors busy with the generator": {
			even(onTime, never), time.Duration(runtime.NumCPU()) * 900 * ms,
			[]string{"the generator itself used 90 % of all processors (limit 80 %)"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			h := loadgen.Assess(c.results, loadgen.Usage{At: start}, loadgen.Usage{CPU: c.cpu, At: start.Add(time.Second)})
			got := h.Problems()
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %d problems: %+v", got, len(c.want), h)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

func TestMetricsKeepClocksAndOutcomesApart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m, err := loadgen.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadgen.NewMetrics(registry); err == nil {
		t.Error("registered twice")
	}
	s := m.Of(loadgen.RunLabels{RunID: "r", Scenario: "s", Variant: "before"})
	s.Begin(50)
	s.Observe(loadgen.Result{Planned: 0, Sent: time.Second, Done: 2 * time.Second, Status: 200, TraceID: "0af7651916cd43dd8448eb211c80319c"})
	s.Observe(loadgen.Result{Status: 500, Done: time.Hour})
	const labels = `run_id="r",scenario="s",variant="before"`
	want := `
# HELP bench_offered_rate Requests per second that the load generator means to send.
# TYPE bench_offered_rate gauge
bench_offered_rate{` + labels + `} 50
# HELP bench_requests_total Benchmark requests by outcome.
# TYPE bench_requests_total counter
`
	for _, o := range []string{"failed", "ok", "refused", "server_error", "skipped"} {
		n := map[string]int{"ok": 1, "server_error": 1}[o]
		want += fmt.Sprintf("bench_requests_total{outcome=%q,%s} %d\n", o, labels, n)
	}
	err = testutil.GatherAndCompare(registry, strings.NewReader(want), catalog.BenchOfferedRate.Desc().Name, catalog.BenchRequests.Desc().Name)
	if err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, f := range families {
		for _, series := range f.GetMetric() {
			if h := series.GetHistogram(); h != nil {
				for _, l := range series.GetLabel() {
					if l.GetName() == "clock" {
						sums[l.GetValue()] += h.GetSampleSum()
					}
				}
				if h.GetSchema() == 0 || h.GetSampleCount() != 1 {
					t.Errorf("schema %d with %d observations, want a native histogram with 1", h.GetSchema(), h.GetSampleCount())
				}
			}
		}
	}
	if sums["corrected"] != 2 || sums["raw"] != 1 {
		t.Errorf("the sums are %v, want 2 s corrected and 1 s raw", sums)
	}
}

// BenchmarkAttack measures the generator itself at 2,000 requests per second
// against a trivial handler in the same process. Run it on one processor:
//
//	go test -run '^$' -bench Attack -cpu 1 -benchtime 10x ./loadgen
//
// One iteration is an attack of one second. achieved/offered and the P99 of the
// send-time error are what counts.
func BenchmarkAttack(b *testing.B) {
	const rate = 2000
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	a, err := loadgen.New(loadgen.Config{})
	if err != nil {
		b.Fatal(err)
	}
	var results []loadgen.Result
	before := loadgen.ReadUsage()
	a.Attack(b.Context(), loadgen.Always(loadgen.Target{URL: server.URL}), loadgen.For(loadgen.Constant(rate), time.Duration(b.N)*time.Second),
		func(r loadgen.Result) { results = append(results, r) })
	h := loadgen.Assess(results, before, loadgen.ReadUsage())
	b.ReportMetric(h.Achieved/rate, "achieved/offered")
	b.ReportMetric(float64(h.SendErrorP99.Microseconds()), "send-error-p99-µs")
	b.ReportMetric(float64(h.SendErrorMax.Microseconds()), "send-error-max-µs")
	b.ReportMetric(h.OwnCPU*float64(runtime.NumCPU()), "cores")
	for _, r := range results {
		if r.Outcome() != loadgen.OK {
			b.Fatalf("request %d: %v %v", r.Seq, r.Outcome(), r.Err)
		}
	}
}
