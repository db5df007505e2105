// Package sink is a server that takes whatever exporters send: OTLP, Pyroscope's
// uploads, Elastic's and Datadog's intake. It reads every body to its end,
// counts, and answers as those servers do when all is well.
//
// It runs in a process of its own, so that what it costs is not charged to the
// service that is being measured.
package sink

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// Sink is the handler. Its methods are safe for concurrent use; the zero value
// is ready.
type Sink struct {
	requests, bytes atomic.Int64
}

// Requests returns how many requests were taken.
func (s *Sink) Requests() int64 { return s.requests.Load() }

// Bytes returns the length of all bodies, as they were sent.
func (s *Sink) Bytes() int64 { return s.bytes.Load() }

// ServeHTTP implements http.Handler.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body) // a client that goes away has sent what it has sent
	s.requests.Add(1)
	s.bytes.Add(n)
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/"): // OTLP: an empty message is full success
		w.Header().Set("Content-Type", "application/x-protobuf")
	case strings.HasPrefix(r.URL.Path, "/intake/"): // Elastic
		w.WriteHeader(http.StatusAccepted)
	case r.URL.Path == "/info": // Datadog asks what the agent can do: the least
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, "{}")
	}
}
