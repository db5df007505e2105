package saturation

import (
	"math"
	"runtime/metrics"
)

// trackingPeriod is how many of a goroutine's waits for a processor the runtime
// measures: one in eight. A test compares it with reality.
const trackingPeriod = 8

// runtimeSample is what the Go runtime says.
type runtimeSample struct {
	memory      float64 // bytes that the runtime has from the system
	memoryLimit float64 // GOMEMLIMIT in bytes; 0 without one
	procs       float64 // GOMAXPROCS
	runnable    float64 // seconds that goroutines waited for a processor, ever

	// What the collector took between the ends of its last two cycles. They
	// are known when cycles is true.
	cycles     bool
	gc, assist float64
}

// runtimeReader reads runtime/metrics. It is not safe for concurrent use.
type runtimeReader struct {
	samples []metrics.Sample
	// total, gc, assist and user are processor seconds at the end of the last
	// cycle that was seen, and last is what they were since the one before.
	total, gc, assist, user float64
	seen                    bool
	last                    runtimeSample
}

// The metrics that are read, in the order of the samples.
const (
	readLatencies = iota
	readProcs
	readTotal
	readGC
	readAssist
	readUser
	readMemory
	readReleased
	readLimit
)

func runtimeNames() []string {
	return []string{
		readLatencies: "/sched/latencies:seconds",
		readProcs:     "/sched/gomaxprocs:threads",
		readTotal:     "/cpu/classes/total:cpu-seconds",
		readGC:        "/cpu/classes/gc/total:cpu-seconds",
		readAssist:    "/cpu/classes/gc/mark/assist:cpu-seconds",
		readUser:      "/cpu/classes/user:cpu-seconds",
		readMemory:    "/memory/classes/total:bytes",
		readReleased:  "/memory/classes/heap/released:bytes",
		readLimit:     "/gc/gomemlimit:bytes",
	}
}

func newRuntimeReader() *runtimeReader {
	names := runtimeNames()
	r := &runtimeReader{samples: make([]metrics.Sample, len(names))}
	for i, name := range names {
		r.samples[i].Name = name
	}
	return r
}

// read takes a sample. What a runtime does not have stays zero.
func (r *runtimeReader) read() runtimeSample {
	metrics.Read(r.samples)
	var s runtimeSample
	if v := r.samples[readLatencies].Value; v.Kind() == metrics.KindFloat64Histogram {
		s.runnable = sum(v.Float64Histogram()) * trackingPeriod
	}
	s.procs = r.value(readProcs)
	s.memory = r.value(readMemory) - r.value(readReleased)
	if limit := r.value(readLimit); limit < math.MaxInt64 {
		s.memoryLimit = limit
	}
	total, gc, assist, user := r.value(readTotal), r.value(readGC), r.value(readAssist), r.value(readUser)
	// These four move when a collection ends, and only then.
	if r.seen && total > r.total {
		r.last.cycles, r.last.gc, r.last.assist = true, (gc-r.gc)/(total-r.total), 0
		if working := user - r.user + assist - r.assist; working > 0 {
			r.last.assist = (assist - r.assist) / working
		}
	}
	r.total, r.gc, r.assist, r.user, r.seen = total, gc, assist, user, true
	s.cycles, s.gc, s.assist = r.last.cycles, r.last.gc, r.last.assist
	return s
}

func (r *runtimeReader) value(i int) float64 {
	switch v := r.samples[i].Value; v.Kind() {
	case metrics.KindUint64:
		return float64(v.Uint64())
	case metrics.KindFloat64:
		return v.Float64()
	}
	return 0
}

// sum adds up what a histogram counted, each at the middle of its bucket.
func sum(h *metrics.Float64Histogram) float64 {
	total := 0.0
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		low, high := h.Buckets[i], h.Buckets[i+1]
		switch {
		case math.IsInf(low, -1):
			low = high
		case math.IsInf(high, 1):
			high = low
		}
		total += float64(n) * (low + high) / 2
	}
	return total
}
