package console

import (
	"net/http"
	"slices"
	"strings"
)

// Route is one kind of query that is let through to a store.
type Route struct {
	Store  string
	Method string
	// Path is the path at the store. A segment "*" stands for one segment of
	// any text but "." and "..".
	Path string
}

// Routes lists every query that is let through. None of them changes a store:
// the POSTs are queries whose text may be too long for an address.
func Routes() []Route {
	var routes []Route
	add := func(store, method string, paths ...string) {
		for _, p := range paths {
			routes = append(routes, Route{store, method, p})
		}
	}
	add("prometheus", http.MethodPost, "/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/series")
	add("prometheus", http.MethodGet, "/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/series",
		"/api/v1/labels", "/api/v1/label/*/values", "/api/v1/metadata", "/api/v1/rules", "/api/v1/alerts")
	add("loki", http.MethodGet, "/loki/api/v1/query", "/loki/api/v1/query_range", "/loki/api/v1/labels", "/loki/api/v1/label/*/values")
	add("jaeger", http.MethodGet, "/api/services", "/api/services/*/operations", "/api/traces", "/api/traces/*")
	for _, method := range []string{
		"SelectMergeStacktraces", "SelectMergeSpanProfile", "SelectSeries", "Diff", "ProfileTypes", "LabelNames", "LabelValues",
	} {
		add("pyroscope", http.MethodPost, "/querier.v1.QuerierService/"+method)
	}
	return routes
}

// allowed reports whether a route lets the query through, and whether one does
// with another method.
func allowed(routes []Route, store, method, path string) (ok, otherMethod bool) {
	for _, r := range routes {
		if r.Store != store || !matches(r.Path, path) {
			continue
		}
		if r.Method == method {
			return true, false
		}
		otherMethod = true
	}
	return false, otherMethod
}

// matches compares a path, decoded, with a route's pattern.
func matches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, have, func(w, h string) bool {
		if w == "*" {
			return h != "" && h != "." && h != ".."
		}
		return w == h
	})
}
