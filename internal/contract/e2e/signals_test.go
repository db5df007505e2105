package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/stores"
)

// services are the roles of sampleapp that serve requests.
var services = []string{"gateway", "api", "email", "worker"}

// arrival is how long a signal may take to its store: a scrape or profile
// interval and the store's own delay, twice.
const arrival = 90 * time.Second

func newRequest(ctx context.Context, method, url, body string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err == nil && body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}

func newTraceID() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()|1) }

// everySignalArrives drives real requests through the
// gateway and asks each store for what they must have left there.
func everySignalArrives(t *testing.T) {
	trace, invite := newTraceID(), newTraceID()
	if r := call(t, http.MethodGet, "/api/orders?user_id=7", "", trace); r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(r.Body)
		t.Fatalf("orders: %s: %s", r.Status, body)
	}
	if r := call(t, http.MethodPost, "/api/invites", `{"inviter_id":1,"email":"ada@example.com"}`, invite); r.StatusCode >= 300 {
		body, _ := io.ReadAll(r.Body)
		t.Fatalf("invite: %s: %s", r.Status, body)
	}
	for _, service := range services {
		t.Run(service+" has native and classic RED histograms in Prometheus", func(t *testing.T) {
			t.Parallel()
			name := duration(service)
			for _, expr := range []string{
				fmt.Sprintf(`sum(histogram_count(%s{service_name=%q}))`, name, service),
				fmt.Sprintf(`sum(%s_count{service_name=%q})`, name, service),
				fmt.Sprintf(`sum(%s_bucket{service_name=%q,le="+Inf"})`, name, service),
			} {
				eventually(t, arrival, func(ctx context.Context) error { return positive(ctx, expr) })
			}
		})
		t.Run(service+" has a CPU profile that names its own functions", func(t *testing.T) {
			t.Parallel()
			eventually(t, arrival, func(ctx context.Context) error { return profiled(ctx, service) })
		})
		t.Run(service+" accounts for everything it produced", func(t *testing.T) {
			t.Parallel()
			for _, signal := range []catalog.Signal{catalog.Traces, catalog.Logs, catalog.Profiles} {
				eventually(t, arrival, func(ctx context.Context) error { return balanced(ctx, service, signal) })
			}
		})
	}
	t.Run("a request is one trace from the gateway to PostgreSQL, with the right parents", func(t *testing.T) {
		t.Parallel()
		eventually(t, arrival, func(ctx context.Context) error {
			return chained(ctx, trace, "gateway GET /api/orders", "gateway GET", "api GET /api/orders", "api SELECT")
		})
	})
	t.Run("an invite is one trace over the queue to the email service", func(t *testing.T) {
		t.Parallel()
		eventually(t, arrival, func(ctx context.Context) error {
			for _, service := range services {
				spans, err := the.jaeger.Trace(ctx, invite)
				if err != nil {
					return err
				}
				if !anySpan(spans, func(s stores.Span) bool { return s.Service == service }) {
					return fmt.Errorf("no span of %s among %d", service, len(spans))
				}
			}
			return nil
		})
	})
	for service, id := range map[string]string{"gateway": trace, "api": trace, "worker": invite, "email": invite} {
		t.Run(service+" has its log lines in Loki by trace", func(t *testing.T) {
			t.Parallel()
			eventually(t, arrival, func(ctx context.Context) error { return logged(ctx, service, id) })
		})
	}
}

// duration is the histogram of a service's work: requests, or jobs where it
// serves none.
func duration(service string) string {
	if service == "worker" {
		return catalog.JobDuration.Desc().Name
	}
	return catalog.HTTPServerRequestDuration.Desc().Name
}

func positive(ctx context.Context, expr string) error {
	samples, err := the.prometheus.Query(ctx, expr)
	if err != nil {
		return err
	}
	if len(samples) != 1 || !(samples[0].Value > 0) {
		return fmt.Errorf("%s = %v, want one number above 0", expr, samples)
	}
	return nil
}

// profiled looks for a function of sampleapp in the service's CPU profile. A
// service that does little needs requests to be seen at 100 samples a second,
// which the lab's background load sends.
func profiled(ctx context.Context, service string) error {
	graph, err := the.pyroscope.CPU(ctx, fmt.Sprintf(`{service_name=%q}`, service), the.began, time.Now())
	if err != nil {
		return err
	}
	for _, name := range graph.Names {
		if strings.Contains(name, "plumbline/sampleapp/") || strings.HasPrefix(name, "main.") {
			return nil
		}
	}
	return fmt.Errorf("no function of sampleapp among %d (%d ns in all)", len(graph.Names), graph.Total)
}

// balanced checks produced = sent + dropped + queued within one scrape, and
// that something was sent and nothing dropped.
func balanced(ctx context.Context, service string, signal catalog.Signal) error {
	value := func(m catalog.Metric) (float64, error) {
		expr := fmt.Sprintf(`sum(%s{service_name=%q,signal=%q})`, m.Desc().Name, service, signal)
		samples, err := the.prometheus.Query(ctx, expr)
		if err != nil {
			return 0, err
		}
		if len(samples) != 1 {
			return 0, fmt.Errorf("%s has %d series", expr, len(samples))
		}
		return samples[0].Value, nil
	}
	expr := fmt.Sprintf(`sum(%[1]s{%[5]s}) - sum(%[2]s{%[5]s}) - sum(%[3]s{%[5]s}) - sum(%[4]s{%[5]s})`,
		catalog.TelemetryProduced.Desc().Name, catalog.TelemetrySent.Desc().Name,
		catalog.TelemetryDropped.Desc().Name, catalog.TelemetryQueue.Desc().Name,
		fmt.Sprintf(`service_name=%q,signal=%q`, service, signal))
	samples, err := the.prometheus.Query(ctx, expr)
	if err != nil {
		return err
	}
	if len(samples) != 1 || samples[0].Value != 0 {
		return fmt.Errorf("%s: produced - sent - dropped - queued = %v, want 0", signal, samples)
	}
	sent, err := value(catalog.TelemetrySent)
	if err != nil {
		return err
	}
	dropped, err := value(catalog.TelemetryDropped)
	if err != nil {
		return err
	}
	if sent == 0 || dropped != 0 {
		return fmt.Errorf("%s: %v sent and %v dropped, want some and none", signal, sent, dropped)
	}
	return nil
}

// chained checks that the trace has spans of these names, "service name", each
// the child of the one before it. The last is a prefix, because a query's span
// is named by its table as well.
func chained(ctx context.Context, trace string, want ...string) error {
	spans, err := the.jaeger.Trace(ctx, trace)
	if err != nil {
		return err
	}
	parents := map[string]bool{"00f067aa0ba902b7": true}
	for i, name := range want {
		next := make(map[string]bool)
		for _, s := range spans {
			label := s.Service + " " + s.Name
			if parents[s.Parent] && (label == name || i == len(want)-1 && strings.HasPrefix(label, name)) {
				next[s.SpanID] = true
			}
		}
		if len(next) == 0 {
			return fmt.Errorf("no span %q below %q; the trace has %s", name, want[max(0, i-1)], describe(spans))
		}
		parents = next
	}
	return nil
}

func describe(spans []stores.Span) string {
	names := make([]string, len(spans))
	for i, s := range spans {
		names[i] = fmt.Sprintf("%s %s (%s<-%s)", s.Service, s.Name, s.SpanID, s.Parent)
	}
	return strings.Join(names, ", ")
}

func anySpan(spans []stores.Span, f func(stores.Span) bool) bool {
	for _, s := range spans {
		if f(s) {
			return true
		}
	}
	return false
}

// logged checks that Loki has the service's lines of a trace, as a person finds
// them: by the service's label and the trace's structured metadata.
func logged(ctx context.Context, service, trace string) error {
	lines, err := the.loki.Query(ctx, fmt.Sprintf("{service_name=%q} | trace_id=%q", service, trace), the.began, time.Now())
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return errors.New("no line")
	}
	for _, line := range lines {
		if !strings.Contains(line.Text, catalog.LogTraceID+"="+trace) {
			return fmt.Errorf("line %q does not name its trace", line.Text)
		}
		if line.Labels["span_id"] == "" {
			return fmt.Errorf("line has no span_id: %v", line.Labels)
		}
	}
	return nil
}
