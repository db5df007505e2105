package agent

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// httpMetrics are the instruments of server requests, resolved once per label
// combination.
type httpMetrics struct {
	series *metrics.Cache[httpKey, *metrics.Observer]
	routes *metrics.Cache[string, *routeMetrics]
}

type httpKey struct {
	method, route string
	status        int
}

// routeMetrics are the instruments that have only the route as a label.
type routeMetrics struct {
	active  prometheus.Gauge
	seconds map[catalog.Component]prometheus.Counter
	calls   map[catalog.Component]prometheus.Counter
	queries prometheus.Observer
	recent  metrics.Rolling
}

func newHTTPMetrics(r prometheus.Registerer, maxSeries int) (*httpMetrics, error) {
	duration, err := metrics.Histogram(r, catalog.HTTPServerRequestDuration)
	if err != nil {
		return nil, err
	}
	active, err := metrics.Gauge(r, catalog.HTTPServerActiveRequests)
	if err != nil {
		return nil, err
	}
	seconds, err := metrics.Counter(r, catalog.HTTPServerComponentSeconds)
	if err != nil {
		return nil, err
	}
	calls, err := metrics.Counter(r, catalog.HTTPServerComponentCalls)
	if err != nil {
		return nil, err
	}
	queries, err := metrics.Histogram(r, catalog.DBClientQueriesPerRequest)
	if err != nil {
		return nil, err
	}
	return &httpMetrics{
		series: metrics.NewCache(maxSeries,
			func(k httpKey) httpKey { k.route = catalog.Overflow; return k },
			func(k httpKey) *metrics.Observer {
				return metrics.NewObserver(catalog.HTTPServerRequestDuration,
					duration.WithLabelValues(k.method, k.route, strconv.Itoa(k.status)))
			}),
		routes: metrics.NewCache(maxSeries,
			func(string) string { return catalog.Overflow },
			func(route string) *routeMetrics {
				m := &routeMetrics{
					active:  active.WithLabelValues(route),
					queries: queries.WithLabelValues(route),
					seconds: make(map[catalog.Component]prometheus.Counter),
					calls:   make(map[catalog.Component]prometheus.Counter),
				}
				for _, c := range catalog.Components() {
					m.seconds[c] = seconds.WithLabelValues(route, string(c))
					m.calls[c] = calls.WithLabelValues(route, string(c))
				}
				return m
			}),
	}, nil
}

// HTTPMethod returns the method where HTTP defines it and "_OTHER" for any
// other, so that a client cannot invent label values. Adapters use it.
func HTTPMethod(method string) string {
	switch method {
	case "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return method
	}
	return catalog.MethodOther
}
