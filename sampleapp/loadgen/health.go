package loadgen

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Limits past which the generator itself is taken for the bottleneck.
const (
	// MaxSendError is the largest P99 of the send-time error that is well
	// whatever the latencies are.
	MaxSendError = 10 * time.Millisecond
	// MaxSendShare is the largest P99 of the send-time error, as a share of the
	// P99 of the latencies: less of it changes no figure that people read. A
	// generator on the machine of a server that is overloaded on purpose cannot
	// be more punctual.
	MaxSendShare = 0.1
	// MinAchieved is the least share of the offered requests that must have
	// been sent in time.
	MinAchieved = 0.99
	// MaxOwnCPU is the largest share of the processors that the generator may
	// use itself.
	MaxOwnCPU = 0.8
)

// Usage is how much processor time a process has used, and when that was read.
type Usage struct {
	// CPU is the processor time of all threads. It is 0 where the system does
	// not tell.
	CPU time.Duration
	// At is the time of the reading.
	At time.Time
}

// ReadUsage reads the usage of this process.
func ReadUsage() Usage { return Usage{ownCPU(), time.Now()} }

// Health is whether the generator kept up with its plan.
type Health struct {
	// Offered and Achieved are requests per second: planned, and sent. Both
	// count from the start to the last planned time.
	Offered, Achieved float64
	// SendErrorP50, SendErrorP99 and SendErrorMax are by how much sends missed
	// their planned times.
	SendErrorP50, SendErrorP99, SendErrorMax time.Duration
	// LatencyP99 is the P99 of the time from when requests were planned to when
	// they were done.
	LatencyP99 time.Duration
	// Skipped is how many requests were not sent.
	Skipped int
	// OwnCPU is the share of all processors that this process used, 0 to 1.
	OwnCPU float64
}

// Assess computes the health of an attack from all of its results, which it
// leaves as they are, and the usage of this process before and after it.
func Assess(results []Result, before, after Usage) Health {
	var h Health
	if len(results) == 0 {
		return h
	}
	var last time.Duration
	late := make([]time.Duration, 0, len(results))
	took := make([]time.Duration, 0, len(results))
	for _, r := range results {
		last = max(last, r.Planned)
		if r.WasSkipped {
			h.Skipped++
		} else {
			late = append(late, r.Late())
			took = append(took, r.Done-r.Planned)
		}
	}
	inTime := 0
	for _, r := range results {
		if !r.WasSkipped && r.Sent <= last+MaxSendError {
			inTime++
		}
	}
	// n requests span n-1 distances.
	if n := len(results); n > 1 && last > 0 {
		h.Offered = float64(n-1) / last.Seconds()
		h.Achieved = h.Offered * float64(inTime) / float64(n)
	}
	if slices.Sort(late); len(late) > 0 {
		h.SendErrorP50, h.SendErrorP99, h.SendErrorMax = late[len(late)/2], late[len(late)*99/100], late[len(late)-1]
		slices.Sort(took)
		h.LatencyP99 = took[len(took)*99/100]
	}
	if wall := after.At.Sub(before.At); wall > 0 {
		h.OwnCPU = (after.CPU - before.CPU).Seconds() / wall.Seconds() / float64(runtime.NumCPU())
	}
	return h
}

// Problems says, in sentences for people, why the numbers of the attack cannot
// be trusted. Nothing means that the generator was not the bottleneck.
func (h Health) Problems() []string {
	var problems []string
	if h.SendErrorP99 > MaxSendError && float64(h.SendErrorP99) > MaxSendShare*float64(h.LatencyP99) {
		const hundredth = 10 * time.Microsecond
		problems = append(problems, fmt.Sprintf("the generator sent late: one request in a hundred by %v or more (limit %v, or %.0f %% of the P99, which is %v)",
			h.SendErrorP99.Round(hundredth), MaxSendError, 100*MaxSendShare, h.LatencyP99.Round(hundredth)))
	}
	if h.Offered > 0 && h.Achieved < MinAchieved*h.Offered {
		problems = append(problems, fmt.Sprintf("the generator sent %.1f requests per second of %.1f offered", h.Achieved, h.Offered))
	}
	if h.Skipped > 0 {
		problems = append(problems, fmt.Sprintf("the generator skipped %d requests", h.Skipped))
	}
	if h.OwnCPU > MaxOwnCPU {
		problems = append(problems, fmt.Sprintf("the generator itself used %.0f %% of all processors (limit %.0f %%)", 100*h.OwnCPU, 100*MaxOwnCPU))
	}
	return problems
}
