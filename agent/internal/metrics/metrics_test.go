package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// inStep calls f for each step on two goroutines that take every step at the
// same instant, as nearly as that can be had.
func inStep(steps int, f func(step int)) {
	var at [2]atomic.Int64
	var wg sync.WaitGroup
	for me := range at {
		wg.Go(func() {
			for step := range steps {
				at[me].Store(int64(step) + 1)
				for spins := 0; at[1-me].Load() <= int64(step); spins++ {
					if spins > 200 {
						runtime.Gosched()
					}
				}
				for range step * (me + 1) % 97 { // the one that comes last is ahead; not always
					at[me].Load()
				}
				f(step)
			}
		})
	}
	wg.Wait()
}

func TestCacheIsBoundedUnderConcurrency(t *testing.T) {
	t.Parallel()
	const limit, keys = 750, 1000
	var made sync.Map
	c := metrics.NewCache(limit,
		func(key string) string { return "other of " + key[:1] },
		func(key string) string {
			if _, again := made.LoadOrStore(key, true); again {
				t.Errorf("the value of %q was made twice", key)
			}
			return "value of " + key
		})
	var overflowed atomic.Int64
	inStep(keys, func(i int) {
		key := fmt.Sprintf("%c%d", 'a'+byte(i%2), i)
		switch got := c.Get(key); got {
		case "value of " + key:
		case "value of other of " + key[:1]:
			overflowed.Add(1)
		default:
			t.Errorf("Get(%q) = %q", key, got)
		}
	})
	if got, want := c.Len(), limit+2; got != want { // two overflow keys
		t.Errorf("the cache has %d keys, want %d", got, want)
	}
	if got, want := overflowed.Load(), int64(2*(keys-limit)); got != want {
		t.Errorf("%d reads overflowed, want %d", got, want)
	}
}

func TestCacheKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	c := metrics.NewCache(2, func(int) int { return -1 }, func(key int) *int { return &key })
	first, second := c.Get(1), c.Get(2)
	overflow := c.Get(3)
	tests := map[string]struct {
		key  int
		want *int
	}{
		"the first key that came in":  {1, first},
		"the last key that came in":   {2, second},
		"a key that came too late":    {3, overflow},
		"another that came too late":  {4, overflow},
		"the overflow key on its own": {-1, overflow},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.Get(test.key); got != test.want {
				t.Errorf("Get(%d) is the value of %d, want that of %d", test.key, *got, *test.want)
			}
		})
	}
	if *overflow != -1 || *first != 1 || *second != 2 {
		t.Errorf("values are of %d, %d and %d", *first, *second, *overflow)
	}
}

func newObserver(t *testing.T) (*metrics.Observer, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	vec, err := metrics.Histogram(registry, catalog.HTTPServerRequestDuration)
	if err != nil {
		t.Fatal(err)
	}
	return metrics.NewObserver(catalog.HTTPServerRequestDuration, vec.WithLabelValues("GET", "/", "200")), registry
}

func TestWantsOneExemplarPerBucketAndSecond(t *testing.T) {
	t.Parallel()
	o, _ := newObserver(t)
	start := time.Unix(1000, 0)
	steps := []struct {
		what    string
		latency time.Duration
		at      time.Duration
		want    bool
	}{
		{"the first of a bucket", 40 * time.Millisecond, 0, true},
		{"the second of it, at once", 40 * time.Millisecond, 0, false},
		{"another latency of the same bucket", 30 * time.Millisecond, 0, false},
		{"the inclusive upper bound of that bucket", 50 * time.Millisecond, 0, false},
		{"just above that bound", 50*time.Millisecond + 1, 0, true},
		{"the fastest", 0, 0, true},
		{"the slowest, past all bounds", time.Hour, 0, true},
		{"again just before the second is over", 40 * time.Millisecond, time.Second - 1, false},
		{"again when the second is over", 40 * time.Millisecond, time.Second, true},
		{"and then not again", 40 * time.Millisecond, time.Second + 1, false},
		{"the slowest again", 2 * time.Hour, time.Second, true},
	}
	for _, s := range steps {
		if got := o.Wants(s.latency, start.Add(s.at)); got != s.want {
			t.Errorf("%s (%s at %s): %v, want %v", s.what, s.latency, s.at, got, s.want)
		}
	}
}

func TestWantsIsClaimedByOne(t *testing.T) {
	t.Parallel()
	const seconds = 20_000
	o, _ := newObserver(t)
	claimed := make([]atomic.Int32, seconds)
	inStep(seconds, func(second int) {
		if o.Wants(time.Millisecond, time.Unix(1000+int64(second), 0)) {
			claimed[second].Add(1)
		}
	})
	for second := range claimed {
		if n := claimed[second].Load(); n != 1 {
			t.Fatalf("second %d: %d callers were told to give an exemplar, want 1", second, n)
		}
	}
}

func TestObserveGivesTheTraceAsExemplar(t *testing.T) {
	t.Parallel()
	o, registry := newObserver(t)
	id := trace.TraceID{0xab, 15: 0xcd}
	o.Observe(40*time.Millisecond, id)
	o.Observe(400*time.Millisecond, trace.TraceID{})
	found := map[float64]string{}
	for _, b := range gather(t, registry, catalog.HTTPServerRequestDuration)[0].GetHistogram().GetBucket() {
		if e := b.GetExemplar(); e != nil {
			found[b.GetUpperBound()] = fmt.Sprintf("%s=%s %g", e.GetLabel()[0].GetName(), e.GetLabel()[0].GetValue(), e.GetValue())
		}
	}
	want := "trace_id=ab0000000000000000000000000000cd 0.04"
	if len(found) != 1 || found[0.05] != want {
		t.Errorf("exemplars %v, want only %q in the bucket up to 0.05", found, want)
	}
}

func TestHistogramHasBothForms(t *testing.T) {
	t.Parallel()
	o, registry := newObserver(t)
	for _, d := range []time.Duration{3 * time.Millisecond, 4 * time.Millisecond, 7 * time.Second} {
		o.Observe(d, trace.TraceID{})
	}
	h := gather(t, registry, catalog.HTTPServerRequestDuration)[0].GetHistogram()
	if got := h.GetSchema(); got != 5 {
		t.Errorf("native schema %d, want 5: buckets of 2.2 %%", got)
	}
	native := 0
	for _, span := range h.GetPositiveSpan() {
		native += int(span.GetLength())
	}
	if native < 3 {
		t.Errorf("%d native buckets for three different latencies", native)
	}
	bounds := make([]float64, 0, len(h.GetBucket()))
	counts := map[float64]uint64{}
	for _, b := range h.GetBucket() {
		bounds = append(bounds, b.GetUpperBound())
		counts[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	if !slices.Equal(bounds, catalog.LatencyBuckets) {
		t.Errorf("classic bounds %v, want those of the catalogue %v", bounds, catalog.LatencyBuckets)
	}
	for bound, want := range map[float64]uint64{0.0025: 0, 0.005: 2, 5: 2, 10: 3} {
		if counts[bound] != want {
			t.Errorf("%d observations up to %g s, want %d", counts[bound], bound, want)
		}
	}
	if text := scrapeText(t, registry); !strings.Contains(text, `_bucket{http_request_method="GET",http_response_status_code="200",http_route="/",le="0.005"} 2`) {
		t.Errorf("the text format lacks the classic bucket:\n%s", text)
	}
}

func scrapeText(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestAnInstrumentIsSharedByThoseWhoAskForIt(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	labels := prometheus.Labels{string(catalog.ServiceName): "shop"}
	// Two wrappers of the same labels, as two adapters of one agent have them.
	one, two := prometheus.WrapRegistererWith(labels, registry), prometheus.WrapRegistererWith(labels, registry)

	counter1, err1 := metrics.Counter(one, catalog.HTTPServerComponentCalls)
	counter2, err2 := metrics.Counter(two, catalog.HTTPServerComponentCalls)
	if err1 != nil || err2 != nil || counter1 != counter2 {
		t.Errorf("counters %p and %p, errors %v and %v", counter1, counter2, err1, err2)
	}
	gauge1, err1 := metrics.Gauge(one, catalog.HTTPServerActiveRequests)
	gauge2, err2 := metrics.Gauge(two, catalog.HTTPServerActiveRequests)
	if err1 != nil || err2 != nil || gauge1 != gauge2 {
		t.Errorf("gauges %p and %p, errors %v and %v", gauge1, gauge2, err1, err2)
	}
	histogram1, err1 := metrics.Histogram(one, catalog.DBClientOperationDuration)
	histogram2, err2 := metrics.Histogram(two, catalog.DBClientOperationDuration)
	if err1 != nil || err2 != nil || histogram1 != histogram2 {
		t.Errorf("histograms %p and %p, errors %v and %v", histogram1, histogram2, err1, err2)
	}

	counter1.WithLabelValues("/", "db").Add(2)
	counter2.WithLabelValues("/", "db").Add(3)
	series := gather(t, registry, catalog.HTTPServerComponentCalls)
	if len(series) != 1 || series[0].GetCounter().GetValue() != 5 {
		t.Errorf("series %v, want one of 5", series)
	}
}

func TestAForeignMetricOfTheSameNameIsAnError(t *testing.T) {
	t.Parallel()
	d := catalog.HTTPServerActiveRequests.Desc()
	tests := map[string]prometheus.Collector{
		"of another kind":   prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.LabelNames()),
		"with other labels": prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, []string{"path"}),
	}
	for name, foreign := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(foreign)
			vec, err := metrics.Gauge(registry, catalog.HTTPServerActiveRequests)
			if err == nil || !strings.Contains(err.Error(), d.Name) {
				t.Errorf("error %v, want one that names %s", err, d.Name)
			}
			vec.WithLabelValues("/").Inc() // what is returned works all the same
		})
	}
}

func TestDescWithoutLeavesOutOneLabel(t *testing.T) {
	t.Parallel()
	m := prometheus.MustNewConstMetric(metrics.DescWithout(catalog.DBClientConnections, catalog.Pool), prometheus.GaugeValue, 1, "idle")
	want := prometheus.NewDesc(catalog.DBClientConnections.Desc().Name, catalog.DBClientConnections.Desc().Help, []string{"state"}, nil)
	if got := m.Desc().String(); got != want.String() {
		t.Errorf("got %s, want %s", got, want)
	}
	full := prometheus.NewDesc(catalog.DBClientConnections.Desc().Name, catalog.DBClientConnections.Desc().Help, []string{"pool", "state"}, nil)
	if got := metrics.Desc(catalog.DBClientConnections).String(); got != full.String() {
		t.Errorf("got %s, want %s", got, full)
	}
}

func BenchmarkCacheGet(b *testing.B) {
	type key struct {
		method, route string
		status        int
	}
	c := metrics.NewCache(100, func(k key) key { k.route = catalog.Overflow; return k }, func(key) *int { return new(int) })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Get(key{"GET", "/users/:id", 200})
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	registry := prometheus.NewRegistry()
	vec, err := metrics.Histogram(registry, catalog.HTTPServerRequestDuration)
	if err != nil {
		b.Fatal(err)
	}
	o := metrics.NewObserver(catalog.HTTPServerRequestDuration, vec.WithLabelValues("GET", "/", "200"))
	b.ReportAllocs()
	for b.Loop() {
		o.Observe(3*time.Millisecond, trace.TraceID{})
	}
}
