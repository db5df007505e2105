package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// exemplarsLeadToTracesAndLogs follows the links that a person
// clicks in Grafana.
func exemplarsLeadToTracesAndLogs(t *testing.T) {
	for _, service := range services {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			eventually(t, arrival, func(ctx context.Context) error { return followed(ctx, service) })
		})
	}
}

// followed takes the service's exemplars that had time to arrive everywhere,
// and follows each.
func followed(ctx context.Context, service string) error {
	expr := fmt.Sprintf(`%s_bucket{service_name=%q}`, duration(service), service)
	exemplars, err := the.prometheus.Exemplars(ctx, expr, the.began, time.Now().Add(-10*time.Second))
	if err != nil {
		return err
	}
	if len(exemplars) == 0 {
		return fmt.Errorf("%s has no exemplar", expr)
	}
	for _, e := range exemplars[max(0, len(exemplars)-10):] {
		trace := e.Labels[catalog.ExemplarTraceID]
		spans, err := the.jaeger.Trace(ctx, trace)
		if err != nil {
			return err
		}
		if len(spans) == 0 {
			return fmt.Errorf("exemplar of %v points at trace %q, which Jaeger does not have", e.Series, trace)
		}
		if err := logged(ctx, service, trace); err != nil {
			return fmt.Errorf("logs of exemplar %s: %w", trace, err)
		}
	}
	return nil
}

// spanOpensItsFlameGraph asks Pyroscope for the processor time of single spans,
// as Grafana's trace view does.
func spanOpensItsFlameGraph(t *testing.T) {
	computingSpan(t)
	t.Run("a span that does not exist has none", func(t *testing.T) {
		none, err := the.pyroscope.SpanCPU(t.Context(), `{service_name="api"}`, []string{"00000000000000ff"}, the.began, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if none.Total != 0 {
			t.Errorf("%d ns of a span that never was", none.Total)
		}
	})
}

// computingSpan returns a span of the api, and its trace, that has samples of
// its own. A span is only seen by a sampler of 100 Hz when it works for some
// time, so many are made, and one must do.
func computingSpan(t *testing.T) (trace, span string) {
	t.Helper()
	var traces []string
	for range 300 {
		trace := newTraceID()
		if r := call(t, http.MethodGet, "/api/orders?user_id=7&limit=100", "", trace); r.StatusCode != http.StatusOK {
			t.Fatalf("orders: %s", r.Status)
		}
		traces = append(traces, trace)
	}
	var ids []string
	eventually(t, arrival, func(ctx context.Context) error {
		ids = ids[:0]
		for _, trace := range traces {
			id, err := profileID(ctx, trace)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	eventually(t, arrival, func(ctx context.Context) error {
		all, err := the.pyroscope.SpanCPU(ctx, `{service_name="api"}`, ids, the.began, time.Now())
		if err != nil {
			return err
		}
		if all.Total == 0 {
			return fmt.Errorf("no sample of %d spans", len(ids))
		}
		for i, id := range ids {
			one, err := the.pyroscope.SpanCPU(ctx, `{service_name="api"}`, []string{id}, the.began, time.Now())
			if err != nil {
				return err
			}
			if one.Total > 0 && one.Total <= all.Total {
				trace, span = traces[i], id
				return nil
			}
		}
		return fmt.Errorf("%d ns of all spans together, but none of a single one", all.Total)
	})
	return trace, span
}

// profileID returns the profile id of the api's server span.
func profileID(ctx context.Context, trace string) (string, error) {
	spans, err := the.jaeger.Trace(ctx, trace)
	if err != nil {
		return "", err
	}
	for _, s := range spans {
		if s.Service == "api" && s.Tags[catalog.AttrProfileID] != "" {
			if s.Tags[catalog.AttrProfileID] != s.SpanID {
				return "", fmt.Errorf("profile id %s of span %s", s.Tags[catalog.AttrProfileID], s.SpanID)
			}
			return s.SpanID, nil
		}
	}
	return "", fmt.Errorf("trace %s has no span of api with a profile id among %d", trace, len(spans))
}

// linksLeadSomewhere reads what the lab's own probe of links says of itself. An
// exemplar must be 45 seconds old before it counts.
func linksLeadSomewhere(t *testing.T) {
	const (
		hops  = 3 // trace, logs, profile
		least = 0.99
		limit = 3 * time.Minute
	)
	eventually(t, limit, func(ctx context.Context) error {
		samples, err := the.prometheus.Query(ctx, catalog.LinkReachable.Desc().Name)
		if err != nil {
			return err
		}
		if len(samples) != hops {
			return fmt.Errorf("%d hops are measured, want %d: %v", len(samples), hops, samples)
		}
		for _, s := range samples {
			if !(s.Value >= least) {
				return fmt.Errorf("only %.1f %% of the links to %s lead somewhere, want %.0f %%", 100*s.Value, s.Labels[string(catalog.Hop)], 100*least)
			}
		}
		return nil
	})
}
