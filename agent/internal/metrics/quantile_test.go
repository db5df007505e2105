package metrics_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// tolerance is how far a P99 that Prometheus computes from the native histogram
// may be from the exact P99 of the same requests.
const tolerance = 0.03

// distributions are the shapes that latencies have. The exact P99 of each is
// taken from the samples, not from the formula.
func distributions() map[string][]time.Duration {
	const n = 50_000
	r := rand.New(rand.NewPCG(7, 99))
	lognormal := func(median time.Duration, sigma float64) time.Duration {
		return time.Duration(float64(median) * math.Exp(sigma*r.NormFloat64()))
	}
	fill := func(sample func(i int) time.Duration) []time.Duration {
		all := make([]time.Duration, n)
		for i := range all {
			all[i] = sample(i)
		}
		return all
	}
	d := map[string][]time.Duration{
		"lognormal, narrow": fill(func(int) time.Duration { return lognormal(20*time.Millisecond, 0.4) }),
		"lognormal, wide":   fill(func(int) time.Duration { return lognormal(2*time.Millisecond, 1.2) }),
		"bimodal: 95 % hit a cache, 5 % miss": fill(func(i int) time.Duration {
			if i%20 == 0 {
				return lognormal(400*time.Millisecond, 0.2)
			}
			return lognormal(3*time.Millisecond, 0.3)
		}),
		"bimodal with the P99 in the lower mode": fill(func(i int) time.Duration {
			if i%200 == 0 {
				return lognormal(5*time.Second, 0.1)
			}
			return lognormal(8*time.Millisecond, 0.3)
		}),
		"constant with outliers past the P99": fill(func(i int) time.Duration {
			if i%50 == 0 {
				return 2 * time.Second
			}
			return 5 * time.Millisecond
		}),
	}
	return d
}

func TestP99FromTheNativeHistogram(t *testing.T) {
	t.Parallel()
	for name, samples := range distributions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkP99(t, samples)
		})
	}
}

// TestP99OfAConstant moves a constant latency through the buckets. It is the
// hard case: all requests are in one bucket, and the interpolation cannot know
// where in it.
func TestP99OfAConstant(t *testing.T) {
	t.Parallel()
	worst := 0.0
	for latency := 5 * time.Millisecond; latency < 6*time.Millisecond; latency += 17 * time.Microsecond {
		samples := slices.Repeat([]time.Duration{latency}, 995)
		samples = append(samples, slices.Repeat([]time.Duration{3 * time.Second}, 5)...)
		worst = max(worst, checkP99(t, samples))
	}
	t.Logf("worst error of a constant: %.2f %%", 100*worst)
}

func checkP99(t *testing.T, samples []time.Duration) float64 {
	t.Helper()
	exact := quantileOf(samples, 0.99)
	h := observe(t, samples)
	if got := h.GetSampleCount(); got != uint64(len(samples)) {
		t.Fatalf("%d observations, want %d", got, len(samples))
	}
	native := nativeQuantile(h, 0.99)
	off := math.Abs(native-exact) / exact
	t.Logf("exact %.3f ms, native %.3f ms (%.2f %% off, schema %d, %d buckets)",
		1000*exact, 1000*native, 100*off, h.GetSchema(), len(h.GetPositiveDelta()))
	if !(off <= tolerance) {
		t.Errorf("P99 = %.3f ms, exact is %.3f ms: %.2f %% off", 1000*native, 1000*exact, 100*off)
	}
	return off
}

// observe records the samples as the agent does, and gathers the histogram.
func observe(t *testing.T, samples []time.Duration) *dto.Histogram {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	vec, err := metrics.Histogram(registry, catalog.HTTPServerRequestDuration)
	if err != nil {
		t.Fatal(err)
	}
	observer := metrics.NewObserver(catalog.HTTPServerRequestDuration, vec.WithLabelValues("GET", "/", "200"))
	for _, d := range samples {
		observer.Observe(d, trace.TraceID{})
	}
	return gather(t, registry, catalog.HTTPServerRequestDuration)[0].GetHistogram()
}

func gather(t *testing.T, g prometheus.Gatherer, m catalog.Metric) []*dto.Metric {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == m.Desc().Name {
			return f.GetMetric()
		}
	}
	t.Fatalf("%s is not exposed", m.Desc().Name)
	return nil
}

// quantileOf is the nearest-rank quantile, in seconds.
func quantileOf(samples []time.Duration, q float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[int(math.Ceil(q*float64(len(sorted))))-1].Seconds()
}

// nativeQuantile does what histogram_quantile does in PromQL for standard
// exponential buckets: it walks to the bucket that holds the rank, and
// interpolates within it exponentially.
func nativeQuantile(h *dto.Histogram, q float64) float64 {
	rank := q * float64(h.GetSampleCount())
	base := math.Exp2(math.Exp2(-float64(h.GetSchema()))) // the growth from bucket to bucket
	seen := float64(h.GetZeroCount())
	if seen >= rank {
		return h.GetZeroThreshold() * rank / seen
	}
	index, population, delta := int32(0), int64(0), 0
	for _, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			population += h.GetPositiveDelta()[delta]
			if seen+float64(population) >= rank {
				lower := math.Pow(base, float64(index-1))
				return lower * math.Pow(base, (rank-seen)/float64(population))
			}
			seen += float64(population)
			delta++
			index++
		}
	}
	return math.Inf(1)
}

// TestP99AsPrometheusComputesIt gives the histograms to Prometheus' own engine,
// by promtool, and has it compare its histogram_quantile with the exact P99.
func TestP99AsPrometheusComputesIt(t *testing.T) {
	t.Parallel()
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		t.Skip("it needs promtool; set PROMTOOL to its path, as `make test` does")
	}
	var tests strings.Builder
	tests.WriteString("evaluation_interval: 1m\ntests:\n")
	for name, samples := range distributions() {
		h := observe(t, samples)
		fmt.Fprintf(&tests, "- name: %q\n  interval: 1m\n  input_series:\n  - series: h\n    values: '%s'\n", name, notation(h))
		fmt.Fprintf(&tests, "  promql_expr_test:\n  - expr: abs(histogram_quantile(0.99, h) / %g - 1) <= bool %g\n    eval_time: 0m\n"+
			"    exp_samples:\n    - labels: '{}'\n      value: 1\n", quantileOf(samples, 0.99), tolerance)
	}
	file := filepath.Join(t.TempDir(), "quantile_test.yml")
	if err := os.WriteFile(file, []byte(tests.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// notation writes a native histogram as promtool reads it.
func notation(h *dto.Histogram) string {
	var counts []string
	first, index, population, delta := int32(0), int32(0), int64(0), 0
	for i, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		if i == 0 {
			first = index
		} else {
			counts = append(counts, slices.Repeat([]string{"0"}, int(span.GetOffset()))...)
		}
		for range span.GetLength() {
			population += h.GetPositiveDelta()[delta]
			counts = append(counts, strconv.FormatInt(population, 10))
			delta++
			index++
		}
	}
	return fmt.Sprintf("{{schema:%d count:%d sum:%g z_bucket:%d z_bucket_w:%g offset:%d buckets:[%s]}}",
		h.GetSchema(), h.GetSampleCount(), h.GetSampleSum(), h.GetZeroCount(), h.GetZeroThreshold(), first, strings.Join(counts, " "))
}
