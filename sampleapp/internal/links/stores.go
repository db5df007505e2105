package links

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 32 << 20

// around is how far from an exemplar its lines and profiles are looked for: a
// request may last, and a profile covers 15 seconds.
const around = 90 * time.Second

// exemplar is one that a histogram of a service holds.
type exemplar struct {
	service, trace string
	at             time.Time
}

// exemplars returns those of all services' requests and jobs in a time range.
func (p *Probe) exemplars(ctx context.Context, from, to time.Time) ([]exemplar, error) {
	var all []exemplar
	for _, h := range []catalog.Histogram{catalog.HTTPServerRequestDuration, catalog.JobDuration} {
		var answer struct {
			Data []struct {
				SeriesLabels map[string]string `json:"seriesLabels"`
				Exemplars    []struct {
					Labels    map[string]string `json:"labels"`
					Timestamp float64           `json:"timestamp"`
				} `json:"exemplars"`
			} `json:"data"`
		}
		query := url.Values{"query": {h.Desc().Name + "_bucket"}, "start": {seconds(from)}, "end": {seconds(to)}}
		if err := p.get(ctx, p.cfg.Prometheus+"/api/v1/query_exemplars", query, &answer); err != nil {
			return nil, fmt.Errorf("ask Prometheus for exemplars: %w", err)
		}
		for _, s := range answer.Data {
			for _, e := range s.Exemplars {
				all = append(all, exemplar{
					service: s.SeriesLabels[string(catalog.ServiceName)], trace: e.Labels[catalog.ExemplarTraceID],
					at: time.UnixMilli(int64(e.Timestamp * 1000)),
				})
			}
		}
	}
	return all, nil
}

// trace asks Jaeger for the trace, and returns whether a span of the service
// points at a profile.
func (p *Probe) trace(ctx context.Context, e exemplar) (profiled bool, err error) {
	var answer struct {
		Data []struct {
			Processes map[string]struct {
				ServiceName string `json:"serviceName"`
			} `json:"processes"`
			Spans []struct {
				ProcessID string `json:"processID"`
				Tags      []struct {
					Key string `json:"key"`
				} `json:"tags"`
			} `json:"spans"`
		} `json:"data"`
	}
	if err := p.get(ctx, p.cfg.Jaeger+"/api/traces/"+url.PathEscape(e.trace), nil, &answer); err != nil {
		return false, err
	}
	spans := 0
	for _, t := range answer.Data {
		for _, s := range t.Spans {
			spans++
			for _, tag := range s.Tags {
				profiled = profiled || tag.Key == catalog.AttrProfileID && t.Processes[s.ProcessID].ServiceName == e.service
			}
		}
	}
	if spans == 0 {
		return false, errNothing
	}
	return profiled, nil
}

// logs asks Loki for a line of the service that belongs to the trace.
func (p *Probe) logs(ctx context.Context, e exemplar) error {
	var answer struct {
		Data struct {
			Result []json.RawMessage `json:"result"`
		} `json:"data"`
	}
	query := url.Values{
		"query": {fmt.Sprintf("{%s=%q} | %s=%q", catalog.ServiceName, e.service, catalog.LogTraceID, e.trace)},
		"limit": {"1"}, "start": {nanoseconds(e.at.Add(-around))}, "end": {nanoseconds(e.at.Add(around))},
	}
	if err := p.get(ctx, p.cfg.Loki+"/loki/api/v1/query_range", query, &answer); err != nil {
		return err
	}
	if len(answer.Data.Result) == 0 {
		return errNothing
	}
	return nil
}

// profile asks Pyroscope for the service's processor time around the exemplar.
// A single short span need not have a sample of its own, the service always
// has.
func (p *Probe) profile(ctx context.Context, e exemplar) error {
	const processorTime = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	in, err := json.Marshal(map[string]any{
		"profile_typeID": processorTime, "label_selector": fmt.Sprintf("{%s=%q}", catalog.ServiceName, e.service),
		"start": e.at.Add(-around).UnixMilli(), "end": e.at.Add(around).UnixMilli(),
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.Pyroscope+"/querier.v1.QuerierService/SelectMergeStacktraces", bytes.NewReader(in))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	var answer struct {
		Flamegraph struct {
			Total json.RawMessage `json:"total"` // absent for zero
		} `json:"flamegraph"`
	}
	if err := p.do(r, &answer); err != nil {
		return err
	}
	if len(answer.Flamegraph.Total) == 0 {
		return errNothing
	}
	return nil
}

func (p *Probe) get(ctx context.Context, address string, query url.Values, out any) error {
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return p.do(r, out)
}

func (p *Probe) do(r *http.Request, out any) error {
	response, err := p.cfg.Client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", r.URL.Path, err)
	}
	if response.StatusCode == http.StatusNotFound {
		return errNothing
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", r.URL.Path, response.Status)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", r.URL.Path, err)
	}
	return nil
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
