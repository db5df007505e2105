package stores

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Loki is a client of Loki at a base URL.
type Loki struct{ URL string }

// LogLine is one line of a log query.
type LogLine struct {
	Labels map[string]string // structured metadata included
	Time   time.Time
	Text   string
}

// Query returns the lines of a LogQL log query in a time range, newest first.
func (l Loki) Query(ctx context.Context, expr string, from, to time.Time) ([]LogLine, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Stream map[string]string
				Values [][2]string
			}
		}
	}
	query := url.Values{
		"query": {expr}, "limit": {"1000"},
		"start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)},
	}
	if err := get(ctx, l.URL, "/loki/api/v1/query_range", query, &answer); err != nil {
		return nil, fmt.Errorf("log query %q: %w", expr, err)
	}
	var lines []LogLine
	for _, stream := range answer.Data.Result {
		for _, v := range stream.Values {
			ns, err := strconv.ParseInt(v[0], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("log query %q: %w", expr, err)
			}
			lines = append(lines, LogLine{stream.Stream, time.Unix(0, ns), v[1]})
		}
	}
	return lines, nil
}
