package stores

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Prometheus is a client of Prometheus at a base URL.
type Prometheus struct {
	URL string
	// Timeout bounds one query. Defaults to the package's.
	Timeout time.Duration
}

func (p Prometheus) get(ctx context.Context, path string, query url.Values, out any) error {
	return getWithin(ctx, cmp.Or(p.Timeout, Timeout), p.URL, path, query, out)
}

// Sample is one series of an instant query.
type Sample struct {
	Labels map[string]string
	Value  float64
}

type promAnswer[T any] struct {
	Status string
	Error  string
	Data   T
}

// Query runs an instant query and returns its series; a scalar is one series
// without labels. Series whose value is a histogram are an error: ask for a
// number of it.
func (p Prometheus) Query(ctx context.Context, expr string) ([]Sample, error) {
	var answer promAnswer[struct {
		ResultType string
		Result     []struct {
			Metric    map[string]string
			Value     [2]any
			Histogram any
		}
	}]
	if err := p.get(ctx, "/api/v1/query", url.Values{"query": {expr}}, &answer); err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	samples := make([]Sample, 0, len(answer.Data.Result))
	for _, r := range answer.Data.Result {
		text, ok := r.Value[1].(string)
		if !ok || r.Histogram != nil {
			return nil, fmt.Errorf("query %q: series %v is not a number", expr, r.Metric)
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %q: %w", expr, err)
		}
		samples = append(samples, Sample{r.Metric, value})
	}
	return samples, nil
}

// Exemplar is one exemplar of a series.
type Exemplar struct {
	Series map[string]string
	Labels map[string]string
	Value  float64
	Time   time.Time
}

// Exemplars returns the exemplars of the expression's series in a time range.
func (p Prometheus) Exemplars(ctx context.Context, expr string, from, to time.Time) ([]Exemplar, error) {
	var answer promAnswer[[]struct {
		SeriesLabels map[string]string
		Exemplars    []struct {
			Labels    map[string]string
			Value     string
			Timestamp float64
		}
	}]
	query := url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}}
	if err := p.get(ctx, "/api/v1/query_exemplars", query, &answer); err != nil {
		return nil, fmt.Errorf("exemplars of %q: %w", expr, err)
	}
	var out []Exemplar
	for _, s := range answer.Data {
		for _, e := range s.Exemplars {
			value, err := strconv.ParseFloat(e.Value, 64)
			if err != nil {
				return nil, fmt.Errorf("exemplars of %q: %w", expr, err)
			}
			out = append(out, Exemplar{s.SeriesLabels, e.Labels, value, time.UnixMilli(int64(e.Timestamp * 1000))})
		}
	}
	return out, nil
}

// Rules returns the names of the rules that are loaded, by group, with the
// error of each rule that cannot be evaluated.
func (p Prometheus) Rules(ctx context.Context) (map[string][]Rule, error) {
	var answer promAnswer[struct {
		Groups []struct {
			Name  string
			Rules []Rule
		}
	}]
	if err := p.get(ctx, "/api/v1/rules", nil, &answer); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	groups := make(map[string][]Rule)
	for _, g := range answer.Data.Groups {
		groups[g.Name] = append(groups[g.Name], g.Rules...)
	}
	return groups, nil
}

// Rule is one rule as Prometheus has loaded it.
type Rule struct {
	Name, Type, Health, LastError, State string
	// EvaluationTime is how long its last evaluation took, in seconds.
	EvaluationTime float64
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
