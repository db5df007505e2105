// Package scrape reads what a service exposes to Prometheus and says by how
// much it grew.
//
// A [Snapshot] is plain data. Reading one costs the parsing of the exposition
// format, a millisecond or so.
package scrape

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Snapshot is every series of a service at one time.
type Snapshot map[string]*dto.MetricFamily

// Read asks url, which must answer in the text format.
func Read(ctx context.Context, client *http.Client, url string) (Snapshot, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make a request for metrics: %w", err)
	}
	request.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %s answers %s", url, response.Status)
	}
	return Parse(response.Body)
}

// Parse reads the text format.
func Parse(r io.Reader) (Snapshot, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	return families, nil
}

// Match restricts series to those with these labels.
type Match map[catalog.Label]string

// Sum adds up the values of the matching series: of a counter or gauge its
// value, of a histogram the sum of its observations.
func (s Snapshot) Sum(m catalog.Metric, match Match) float64 {
	return s.total(m, match, func(x *dto.Metric) float64 {
		return x.GetCounter().GetValue() + x.GetGauge().GetValue() + x.GetHistogram().GetSampleSum()
	})
}

// Count adds up how many observations the matching series of a histogram have.
func (s Snapshot) Count(h catalog.Histogram, match Match) float64 {
	return s.total(h, match, func(x *dto.Metric) float64 { return float64(x.GetHistogram().GetSampleCount()) })
}

// CountAbove adds up the observations above the limit, which must be one of
// the classic bucket bounds; NaN if it is none.
func (s Snapshot) CountAbove(h catalog.Histogram, limit float64, match Match) float64 {
	return s.total(h, match, func(x *dto.Metric) float64 {
		for _, b := range x.GetHistogram().GetBucket() {
			if b.GetUpperBound() == limit {
				return float64(x.GetHistogram().GetSampleCount() - b.GetCumulativeCount())
			}
		}
		return math.NaN()
	})
}

func (s Snapshot) total(m catalog.Metric, match Match, of func(*dto.Metric) float64) (total float64) {
	for _, x := range s[m.Desc().Name].GetMetric() {
		if fits(x, match) {
			total += of(x)
		}
	}
	return total
}

// Values returns the values of a label over the series of a metric.
func (s Snapshot) Values(m catalog.Metric, label catalog.Label) []string {
	var values []string
	seen := map[string]bool{}
	for _, x := range s[m.Desc().Name].GetMetric() {
		for _, l := range x.GetLabel() {
			if l.GetName() == string(label) && !seen[l.GetValue()] {
				seen[l.GetValue()] = true
				values = append(values, l.GetValue())
			}
		}
	}
	return values
}

func fits(x *dto.Metric, match Match) bool {
	found := 0
	for _, l := range x.GetLabel() {
		if want, ok := match[catalog.Label(l.GetName())]; ok {
			if l.GetValue() != want {
				return false
			}
			found++
		}
	}
	return found == len(match)
}
