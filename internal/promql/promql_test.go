package promql_test

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

func TestDistributionPrintsEachFlavour(t *testing.T) {
	t.Parallel()
	ofAPI := func(f promql.Flavor) promql.Distribution {
		return promql.Of(f, catalog.HTTPServerRequestDuration, promql.Over(5*time.Minute),
			promql.Equal(catalog.ServiceName, "api"))
	}
	cases := map[string]struct {
		build           func(promql.Distribution) promql.Expr
		native, classic string
	}{
		"P99 of everything": {
			func(d promql.Distribution) promql.Expr { return d.Quantile(0.99) },
			`histogram_quantile(0.99, sum(rate(http_server_request_duration_seconds{service_name="api"}[5m])))`,
			`histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{service_name="api"}[5m])))`,
		},
		"P99.9 by route": {
			func(d promql.Distribution) promql.Expr { return d.By(catalog.HTTPRoute).Quantile(0.999) },
			`histogram_quantile(0.999, sum by (http_route) (rate(http_server_request_duration_seconds{service_name="api"}[5m])))`,
			`histogram_quantile(0.999, sum by (http_route, le) (rate(http_server_request_duration_seconds_bucket{service_name="api"}[5m])))`,
		},
		"mean by route": {
			func(d promql.Distribution) promql.Expr { return d.By(catalog.HTTPRoute).Mean() },
			`histogram_avg(sum by (http_route) (rate(http_server_request_duration_seconds{service_name="api"}[5m])))`,
			`sum by (http_route) (rate(http_server_request_duration_seconds_sum{service_name="api"}[5m])) / sum by (http_route) (rate(http_server_request_duration_seconds_count{service_name="api"}[5m]))`,
		},
		"observations per second": {
			func(d promql.Distribution) promql.Expr { return d.Rate() },
			`sum(histogram_count(rate(http_server_request_duration_seconds{service_name="api"}[5m])))`,
			`sum(rate(http_server_request_duration_seconds_count{service_name="api"}[5m]))`,
		},
		"heatmap": {
			func(d promql.Distribution) promql.Expr { return d.Buckets() },
			`sum(rate(http_server_request_duration_seconds{service_name="api"}[5m]))`,
			`sum by (le) (rate(http_server_request_duration_seconds_bucket{service_name="api"}[5m]))`,
		},
		"a label named twice is printed once": {
			func(d promql.Distribution) promql.Expr { return d.By(catalog.HTTPRoute, catalog.HTTPRoute).Buckets() },
			`sum by (http_route) (rate(http_server_request_duration_seconds{service_name="api"}[5m]))`,
			`sum by (http_route, le) (rate(http_server_request_duration_seconds_bucket{service_name="api"}[5m]))`,
		},
		"series that exist": {
			func(d promql.Distribution) promql.Expr { return d.Present() },
			`http_server_request_duration_seconds{service_name="api"}`,
			`http_server_request_duration_seconds_count{service_name="api"}`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.build(ofAPI(promql.Native)).String(); got != c.native {
				t.Errorf("native\n got %s\nwant %s", got, c.native)
			}
			if got := c.build(ofAPI(promql.Classic)).String(); got != c.classic {
				t.Errorf("classic\n got %s\nwant %s", got, c.classic)
			}
		})
	}
}

func TestFractionAtMost(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		flavor    promql.Flavor
		threshold float64
		want      string
		wantErr   string
	}{
		"native takes any threshold": {
			promql.Native, 0.275,
			`histogram_fraction(0, 0.275, sum(rate(http_server_request_duration_seconds[5m])))`, "",
		},
		"classic counts the bucket of its bound": {
			promql.Classic, promql.Seconds(300 * time.Millisecond),
			`sum(rate(http_server_request_duration_seconds_bucket{le="0.3"}[5m])) / sum(rate(http_server_request_duration_seconds_count[5m]))`, "",
		},
		"classic knows both spellings of a whole bound": {
			promql.Classic, 1,
			`sum(rate(http_server_request_duration_seconds_bucket{le=~"1(\\.0)?"}[5m])) / sum(rate(http_server_request_duration_seconds_count[5m]))`, "",
		},
		"classic refuses a threshold between bounds and names them": {
			promql.Classic, 0.275, "",
			"http_server_request_duration_seconds has no classic bucket bound 0.275: use one of 0.0001, 0.00025, 0.0005, " +
				"0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1, 2.5, 5, 10, 30, or native histograms",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := promql.Of(c.flavor, catalog.HTTPServerRequestDuration, promql.Over(5*time.Minute))
			got, err := d.FractionAtMost(c.threshold)
			if c.wantErr != "" {
				if err == nil || err.Error() != c.wantErr {
					t.Fatalf("error\n got %v\nwant %s", err, c.wantErr)
				}
				if !got.IsZero() {
					t.Errorf("a query came with the error: %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	up := promql.Value(catalog.Up)
	ratio := promql.Value(catalog.ServiceErrorRatio(catalog.SLOWindow1h))
	hour := promql.Over(time.Hour)
	cases := map[string]struct {
		got  promql.Expr
		want string
	}{
		"rate of a counter":                 {promql.Rate(catalog.ProcessCPUSeconds, promql.RateInterval()), `rate(process_cpu_seconds_total[$__rate_interval])`},
		"increase over the range":           {promql.Increase(catalog.DBClientNPlusOne, promql.WholeRange()), `increase(db_client_n_plus_one_total[$__range])`},
		"gauge with all matchers":           {promql.Value(catalog.Up, promql.Equal(catalog.Job, "a"), promql.NotEqual(catalog.Instance, "")), `up{job="a",instance!=""}`},
		"values are literal":                {promql.Value(catalog.Up, promql.OneOf(catalog.Job, "a.b", "c|d")), `up{job=~"a\\.b|c\\|d"}`},
		"values are excluded":               {promql.Value(catalog.Up, promql.NoneOf(catalog.Job, "a", "b")), `up{job!~"a|b"}`},
		"pattern":                           {promql.Value(catalog.Up, promql.Like(catalog.Job, regexp.MustCompile(`x\d`)), promql.NotLike(catalog.Job, regexp.MustCompile("x1"))), `up{job=~"x\\d",job!~"x1"}`},
		"dashboard variable":                {promql.Value(catalog.Up, promql.Selected(catalog.Job, catalog.VarService)), `up{job=~"$service_name"}`},
		"dashboard variable with one value": {promql.Value(catalog.Up, promql.SelectedOne(catalog.Job, catalog.VarService)), `up{job="$service_name"}`},
		"zero matcher":                      {promql.Value(catalog.Up, promql.Matcher{}), `up`},
		"broken UTF-8 is replaced":          {promql.Value(catalog.Up, promql.Equal(catalog.Job, "a\xff\"\n")), `up{job="a\ufffd\"\n"}`},
		"functions over time of a recorded series": {
			promql.Div(promql.SumOverTime(catalog.ServiceErrors, hour), promql.SumOverTime(catalog.ServiceRequests, hour)),
			`sum_over_time(service:http_server_errors:rate5m[1h]) / sum_over_time(service:http_server_requests:rate5m[1h])`,
		},
		"functions over time of a gauge": {
			promql.Add(promql.MaxOverTime(catalog.Up, hour), promql.Sub(promql.AvgOverTime(catalog.Up, hour), promql.LastOverTime(catalog.Up, hour))),
			`max_over_time(up[1h]) + (avg_over_time(up[1h]) - last_over_time(up[1h]))`,
		},
		"aggregations": {
			promql.Max(promql.Min(promql.Count(promql.Group(up, catalog.Job, catalog.Instance), catalog.Job))),
			`max(min(count by (job) (group by (job, instance) (up))))`,
		},
		"arithmetic keeps its parentheses": {
			promql.Mul(promql.Complement(ratio), promql.Times(up, promql.Number(-2))),
			`(1 - service:http_server_errors:ratio_rate1h) * (up * -2)`,
		},
		"comparison with a product": {
			promql.Above(ratio, promql.Product(14.4, 0.001)),
			`service:http_server_errors:ratio_rate1h > (14.4 * 0.001)`,
		},
		"comparisons": {
			promql.And(promql.AtLeast(up, promql.Number(math.Inf(-1))), promql.Below(up, promql.Number(math.NaN()))),
			`(up >= -Inf) and (up < NaN)`,
		},
		"a chain of one set operator needs no parentheses on its left": {
			promql.Or(promql.Or(up, ratio), up),
			`up or service:http_server_errors:ratio_rate1h or up`,
		},
		"a chain of different set operators keeps them": {
			promql.Or(promql.And(up, ratio), up),
			`(up and service:http_server_errors:ratio_rate1h) or up`,
		},
		"partners by some labels": {
			promql.UnlessOn(promql.Equals(up, promql.Number(0)), promql.AndOn(up, up, catalog.Job, catalog.Instance), catalog.Job),
			`(up == 0) unless on (job) (up and on (job, instance) up)`,
		},
		"everything by one number": {promql.DivAll(promql.Count(up, catalog.Job), promql.Count(up)), `count by (job) (up) / on () group_left () count(up)`},
		"unless by all labels":     {promql.Unless(up, up), `up unless up`},
		"zero scalar":              {promql.Above(up, promql.Scalar{}), `up > 0`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.got.String(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestMultilineBreaksAtOperators(t *testing.T) {
	t.Parallel()
	long := promql.Value(catalog.ServiceErrorRatio(catalog.SLOWindow1h), promql.Equal(catalog.ServiceName, strings.Repeat("x", 30)))
	limit := promql.Product(14.4, 0.001)
	got := promql.Or(promql.And(promql.Above(long, limit), promql.Above(long, limit)), long).Multiline()
	series := `service:http_server_errors:ratio_rate1h{service_name="` + strings.Repeat("x", 30) + `"}`
	want := "(\n" +
		"  (\n    " + series + " > (14.4 * 0.001)\n  )\n" +
		"  and\n" +
		"  (\n    " + series + " > (14.4 * 0.001)\n  )\n" +
		")\n" +
		"or\n" + series
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                    "0s",
		-time.Second:                         "0s",
		400 * time.Microsecond:               "0s",
		1500 * time.Millisecond:              "1s500ms",
		5 * time.Minute:                      "5m",
		36 * time.Hour:                       "1d12h",
		72 * time.Hour:                       "3d",
		7*time.Hour + 12*time.Minute:         "7h12m",
		25*time.Hour + 61*time.Second:        "1d1h1m1s",
		30 * time.Second:                     "30s",
		90*24*time.Hour + 2*time.Millisecond: "90d2ms",
	} {
		if got := promql.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestParseFlavor(t *testing.T) {
	t.Parallel()
	for _, f := range promql.Flavors() {
		if got, err := promql.ParseFlavor(f.String()); err != nil || got != f {
			t.Errorf("ParseFlavor(%q) = %v, %v", f, got, err)
		}
	}
	_, err := promql.ParseFlavor("summary")
	if want := `unknown histogram flavour "summary"; use native or classic`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := promql.Flavor(7).String(); got != "flavor(7)" {
		t.Errorf("unknown flavour prints %q", got)
	}
}
