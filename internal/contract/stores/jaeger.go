package stores

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Jaeger is a client of Jaeger's query API at a base URL.
type Jaeger struct{ URL string }

// Span is one span of a trace.
type Span struct {
	TraceID, SpanID, Parent string // Parent is empty at the root
	Service, Name           string
	Tags                    map[string]string
	DurationMicros          int64
}

// Trace returns the spans of a trace; none, without an error, where Jaeger does
// not know it.
func (j Jaeger) Trace(ctx context.Context, id string) ([]Span, error) {
	var answer struct {
		Data []struct {
			Processes map[string]struct{ ServiceName string }
			Spans     []struct {
				TraceID, SpanID, OperationName, ProcessID string
				Duration                                  int64
				References                                []struct{ RefType, SpanID string }
				Tags                                      []struct {
					Key   string
					Value any
				}
			}
		}
	}
	err := get(ctx, j.URL, "/api/traces/"+id, nil, &answer)
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trace %s: %w", id, err)
	}
	var spans []Span
	for _, t := range answer.Data {
		for _, s := range t.Spans {
			span := Span{
				TraceID: s.TraceID, SpanID: s.SpanID, Name: s.OperationName, DurationMicros: s.Duration,
				Service: t.Processes[s.ProcessID].ServiceName, Tags: make(map[string]string, len(s.Tags)),
			}
			for _, r := range s.References {
				if r.RefType == "CHILD_OF" {
					span.Parent = r.SpanID
				}
			}
			for _, tag := range s.Tags {
				span.Tags[tag.Key] = fmt.Sprint(tag.Value)
			}
			spans = append(spans, span)
		}
	}
	return spans, nil
}
