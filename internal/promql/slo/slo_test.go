package slo_test

import (
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

func TestRatios(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		build           func(promql.Flavor) (promql.Expr, error)
		native, classic string
	}{
		"error ratio by route, with 0 where there is no error": {
			func(f promql.Flavor) (promql.Expr, error) {
				return slo.ErrorRatio(slo.Requests(f, promql.RateInterval()), catalog.HTTPRoute), nil
			},
			`(sum by (http_route) (histogram_count(rate(http_server_request_duration_seconds{http_response_status_code=~"5.."}[$__rate_interval]))) or (sum by (http_route) (histogram_count(rate(http_server_request_duration_seconds[$__rate_interval]))) * 0)) / sum by (http_route) (histogram_count(rate(http_server_request_duration_seconds[$__rate_interval])))`,
			`(sum by (http_route) (rate(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[$__rate_interval])) or (sum by (http_route) (rate(http_server_request_duration_seconds_count[$__rate_interval])) * 0)) / sum by (http_route) (rate(http_server_request_duration_seconds_count[$__rate_interval]))`,
		},
		"slow ratio leaves errors out": {
			func(f promql.Flavor) (promql.Expr, error) {
				return slo.Objectives{}.WithDefaults().SlowRatio(slo.Requests(f, promql.RateInterval()))
			},
			`1 - histogram_fraction(0, 0.3, sum(rate(http_server_request_duration_seconds{http_response_status_code!~"5.."}[$__rate_interval])))`,
			`1 - (sum(rate(http_server_request_duration_seconds_bucket{http_response_status_code!~"5..",le="0.3"}[$__rate_interval])) / sum(rate(http_server_request_duration_seconds_count{http_response_status_code!~"5.."}[$__rate_interval])))`,
		},
		"slow rate is a number for idle services": {
			func(f promql.Flavor) (promql.Expr, error) {
				return slo.Objectives{Latency: time.Second}.WithDefaults().SlowRate(f, promql.Over(5*time.Minute))
			},
			`(((1 - histogram_fraction(0, 1, sum by (service_name, deployment_environment_name) (rate(http_server_request_duration_seconds{http_response_status_code!~"5.."}[5m])))) * sum by (service_name, deployment_environment_name) (histogram_count(rate(http_server_request_duration_seconds{http_response_status_code!~"5.."}[5m])))) >= 0) or (sum by (service_name, deployment_environment_name) (histogram_count(rate(http_server_request_duration_seconds{http_response_status_code!~"5.."}[5m]))) * 0)`,
			`sum by (service_name, deployment_environment_name) (rate(http_server_request_duration_seconds_count{http_response_status_code!~"5.."}[5m])) - sum by (service_name, deployment_environment_name) (rate(http_server_request_duration_seconds_bucket{http_response_status_code!~"5..",le=~"1(\\.0)?"}[5m]))`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for flavor, want := range map[promql.Flavor]string{promql.Native: c.native, promql.Classic: c.classic} {
				got, err := c.build(flavor)
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != want {
					t.Errorf("%s\n got %s\nwant %s", flavor, got, want)
				}
			}
		})
	}
}

func TestObjectivesValidate(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		in     slo.Objectives
		flavor promql.Flavor
		want   string
	}{
		"the defaults are valid":        {slo.Objectives{}, promql.Classic, ""},
		"native takes any latency":      {slo.Objectives{Latency: 275 * time.Millisecond}, promql.Native, ""},
		"a target just above the bound": {slo.Objectives{ErrorTarget: 0.931}, promql.Native, ""},
		"classic needs a bucket bound": {
			slo.Objectives{Latency: 275 * time.Millisecond}, promql.Classic,
			"latency objective 275ms: http_server_request_duration_seconds has no classic bucket bound 0.275: use one of 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1, 2.5, 5, 10, 30, or native histograms",
		},
		"every problem is named": {
			slo.Objectives{Latency: -time.Second, LatencyTarget: 0.9, ErrorTarget: 1}, promql.Native,
			"latency objective -1s is not positive; use for example 300ms\n" +
				"latency target 0.9 is not between 0.9306 and 1: below, a page could never fire; at 1, there is no budget\n" +
				"error target 1 is not between 0.9306 and 1: below, a page could never fire; at 1, there is no budget",
		},
		"percent instead of a ratio": {
			slo.Objectives{ErrorTarget: 99.9}, promql.Native,
			"error target 99.9 is not between 0.9306 and 1: below, a page could never fire; at 1, there is no budget",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := c.in.WithDefaults().Validate(c.flavor); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBudgetsAreRound(t *testing.T) {
	t.Parallel()
	o := slo.Objectives{}.WithDefaults()
	if got := o.ErrorBudget(); got != 0.001 {
		t.Errorf("error budget %v, want 0.001", got)
	}
	if got := o.LatencyBudget(); got != 0.005 {
		t.Errorf("latency budget %v, want 0.005", got)
	}
	if got := slo.PageRatio(0.005); got != 0.072 {
		t.Errorf("page ratio %v, want 0.072", got)
	}
}
