package stores

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// What panels of dashboards ask, answered by how much there is to draw.

// Range is a time range and the distance between two points in it.
type Range struct {
	From, To time.Time
	Step     time.Duration
}

// Points returns how many points a query has over a range, or at its end where
// instant is set: numbers that are not NaN, and native histograms.
func (p Prometheus) Points(ctx context.Context, expr string, instant bool, r Range) (int, error) {
	var answer promAnswer[struct {
		ResultType string
		Result     json.RawMessage
	}]
	path, query := "/api/v1/query", url.Values{"query": {expr}, "time": {unix(r.To)}}
	if !instant {
		path = "/api/v1/query_range"
		query = url.Values{"query": {expr}, "start": {unix(r.From)}, "end": {unix(r.To)}, "step": {strconv.FormatFloat(r.Step.Seconds(), 'f', 3, 64)}}
	}
	if err := p.get(ctx, path, query, &answer); err != nil {
		return 0, fmt.Errorf("query %q: %w", expr, err)
	}
	if answer.Data.ResultType == "scalar" {
		return 1, nil
	}
	var series []struct {
		Value, Histogram   []any
		Values, Histograms [][]any
	}
	if err := json.Unmarshal(answer.Data.Result, &series); err != nil {
		return 0, fmt.Errorf("query %q: %w", expr, err)
	}
	points := 0
	for _, s := range series {
		points += len(s.Histograms)
		if s.Histogram != nil {
			points++
		}
		for _, v := range append(s.Values, s.Value) {
			if len(v) == 2 && v[1] != "NaN" {
				points++
			}
		}
	}
	return points, nil
}

// LabelValues returns the values of a label over the series that a selector
// matches, sorted.
func (p Prometheus) LabelValues(ctx context.Context, label, selector string, from, to time.Time) ([]string, error) {
	var answer promAnswer[[]string]
	query := url.Values{"match[]": {selector}, "start": {unix(from)}, "end": {unix(to)}}
	if err := p.get(ctx, "/api/v1/label/"+label+"/values", query, &answer); err != nil {
		return nil, fmt.Errorf("values of %s over %s: %w", label, selector, err)
	}
	return answer.Data, nil
}

// Points returns how many points or lines a LogQL query has over a range.
func (l Loki) Points(ctx context.Context, expr string, r Range) (int, error) {
	var answer struct {
		Data struct {
			Result []struct{ Values []json.RawMessage }
		}
	}
	query := url.Values{
		"query": {expr}, "limit": {"100"}, "step": {strconv.FormatFloat(r.Step.Seconds(), 'f', 3, 64)},
		"start": {strconv.FormatInt(r.From.UnixNano(), 10)}, "end": {strconv.FormatInt(r.To.UnixNano(), 10)},
	}
	if err := get(ctx, l.URL, "/loki/api/v1/query_range", query, &answer); err != nil {
		return 0, fmt.Errorf("query %q: %w", expr, err)
	}
	points := 0
	for _, s := range answer.Data.Result {
		points += len(s.Values)
	}
	return points, nil
}

// Search returns how many traces of a service match: tags are those that one
// span of the service must have, atLeast is how long it must have taken, "" for
// any time.
func (j Jaeger) Search(ctx context.Context, service string, tags map[string]string, atLeast string, r Range) (int, error) {
	var answer struct{ Data []struct{ TraceID string } }
	query := url.Values{
		"service": {service}, "limit": {"50"},
		"start": {strconv.FormatInt(r.From.UnixMicro(), 10)}, "end": {strconv.FormatInt(r.To.UnixMicro(), 10)},
	}
	if atLeast != "" {
		query.Set("minDuration", atLeast)
	}
	if len(tags) > 0 {
		text, err := json.Marshal(tags)
		if err != nil {
			return 0, err
		}
		query.Set("tags", string(text))
	}
	if err := get(ctx, j.URL, "/api/traces", query, &answer); err != nil {
		return 0, fmt.Errorf("traces of %s: %w", service, err)
	}
	return len(answer.Data), nil
}

// Profile returns the flame graph of a type of profile.
func (p Pyroscope) Profile(ctx context.Context, profile, selector string, from, to time.Time) (FlameGraph, error) {
	return p.mergeOf(ctx, profile, "SelectMergeStacktraces", selector, nil, from, to)
}
