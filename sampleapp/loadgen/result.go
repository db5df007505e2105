package loadgen

import (
	"net/http"
	"time"
)

// Outcome is how a request ended. The values are a closed set.
type Outcome string

// The outcomes. Only requests of the first kind say how fast the target does
// its work: an error is often answered sooner.
const (
	// OK is an answer below 400.
	OK Outcome = "ok"
	// Refused is an answer of 400 to 499.
	Refused Outcome = "refused"
	// ServerError is an answer of 500 or more.
	ServerError Outcome = "server_error"
	// Failed is no answer: no connection, a time-out, a broken body.
	Failed Outcome = "failed"
	// Skipped was never sent.
	Skipped Outcome = "skipped"
)

// Outcomes returns every outcome.
func Outcomes() []Outcome { return []Outcome{OK, Refused, ServerError, Failed, Skipped} }

// Result is what became of one planned request. Times are since the start of
// the attack on the monotonic clock.
type Result struct {
	// Seq is the number of the request, from 0 on.
	Seq int
	// Route is that of the target.
	Route string
	// Planned is when the request was due, Sent when it was handed to the
	// client, and Done when the last byte of the answer was in. Sent and Done
	// are 0 for a skipped one.
	Planned, Sent, Done time.Duration
	// Status is the HTTP status, 0 without an answer.
	Status int
	// Bytes is the length of the body that was read.
	Bytes int64
	// Err says why there was no answer.
	Err error
	// TraceID is the trace of the request in hexadecimal, empty where it is
	// not recorded.
	TraceID string
	// WasSkipped marks a request that was not sent, because it was too late or
	// too many were open.
	WasSkipped bool
}

// Corrected returns the latency from the planned time: what a user who came
// then had to wait.
func (r Result) Corrected() time.Duration { return r.Done - r.Planned }

// Raw returns the latency from the real send.
func (r Result) Raw() time.Duration { return r.Done - r.Sent }

// Late returns by how much the send missed its planned time.
func (r Result) Late() time.Duration { return r.Sent - r.Planned }

// Outcome returns how the request ended.
func (r Result) Outcome() Outcome {
	switch {
	case r.WasSkipped:
		return Skipped
	case r.Err != nil:
		return Failed
	case r.Status >= http.StatusInternalServerError:
		return ServerError
	case r.Status >= http.StatusBadRequest:
		return Refused
	default:
		return OK
	}
}
