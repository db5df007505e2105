package stores

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// ProfileCPU is the profile type of processor time.
const ProfileCPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"

// Pyroscope is a client of Pyroscope at a base URL.
type Pyroscope struct{ URL string }

// FlameGraph is a merged profile.
type FlameGraph struct {
	// Names are the functions that occur in it.
	Names []string
	// Total is the sum of all samples, in the profile's unit.
	Total int64
}

// CPU returns the flame graph of the series that the selector matches.
func (p Pyroscope) CPU(ctx context.Context, selector string, from, to time.Time) (FlameGraph, error) {
	return p.merge(ctx, "SelectMergeStacktraces", selector, nil, from, to)
}

// SpanCPU returns the flame graph of spans, given by their profile ids.
func (p Pyroscope) SpanCPU(ctx context.Context, selector string, spans []string, from, to time.Time) (FlameGraph, error) {
	return p.merge(ctx, "SelectMergeSpanProfile", selector, spans, from, to)
}

func (p Pyroscope) merge(ctx context.Context, method, selector string, spans []string, from, to time.Time) (FlameGraph, error) {
	return p.mergeOf(ctx, ProfileCPU, method, selector, spans, from, to)
}

func (p Pyroscope) mergeOf(ctx context.Context, profile, method, selector string, spans []string, from, to time.Time) (FlameGraph, error) {
	in := map[string]any{
		"profile_typeID": profile, "label_selector": selector,
		"start": from.UnixMilli(), "end": to.UnixMilli(),
	}
	if spans != nil {
		in["span_selector"] = spans
	}
	var answer struct {
		Flamegraph struct {
			Names []string
			Total json.RawMessage // a string in proto's JSON, absent for zero
		}
	}
	if err := post(ctx, p.URL+"/querier.v1.QuerierService/"+method, in, &answer); err != nil {
		return FlameGraph{}, fmt.Errorf("profile of %s: %w", selector, err)
	}
	graph := FlameGraph{Names: answer.Flamegraph.Names}
	if raw := answer.Flamegraph.Total; len(raw) > 0 {
		text, err := strconv.Unquote(string(raw))
		if err != nil {
			text = string(raw)
		}
		if graph.Total, err = strconv.ParseInt(text, 10, 64); err != nil {
			return FlameGraph{}, fmt.Errorf("profile of %s: %w", selector, err)
		}
	}
	return graph, nil
}
