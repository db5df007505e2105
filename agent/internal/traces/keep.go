package traces

import (
	"sync"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Limits of what is held back until a trace is decided.
const (
	shards           = 16
	maxSpansPerTrace = 500
)

// keeper holds the spans of traces that head sampling has rejected until their
// local root ends, and then stores those that turned out to matter: the root
// carries the attribute catalog.AttrKept, or failed.
//
// It knows a fixed number of traces. A new one takes the place of the oldest:
// if that was still undecided, its spans are evicted and counted. A decision is
// remembered for as long, so that spans which end after their root follow it.
//
// The limit of the method: it sees the spans of this process. Services that
// were called with the trace have seen "not sampled", and sent nothing.
type keeper struct {
	put     func(sdktrace.ReadOnlySpan)
	discard func(n int) // counts evicted spans
	shards  [shards]keeperShard
}

type keeperShard struct {
	mu     sync.Mutex
	traces map[trace.TraceID]*pending
	ring   []trace.TraceID
	next   int
}

type decision uint8

const (
	undecided decision = iota
	kept
	rejected
)

// pending is what is known of one trace.
type pending struct {
	decision decision
	root     trace.SpanID
	spans    []sdktrace.ReadOnlySpan
	lost     int // spans past maxSpansPerTrace
}

// undecidedSpans is the number of spans that are given up with the trace.
func (p *pending) undecidedSpans() int { return len(p.spans) + p.lost }

func newKeeper(capacity int, put func(sdktrace.ReadOnlySpan), discard func(int)) *keeper {
	k := &keeper{put: put, discard: discard}
	for i := range k.shards {
		k.shards[i].traces = make(map[trace.TraceID]*pending)
		k.shards[i].ring = make([]trace.TraceID, max(1, capacity/shards))
	}
	return k
}

func (k *keeper) shard(id trace.TraceID) *keeperShard { return &k.shards[id[len(id)-1]%shards] }

// begin makes room for the trace of a local root that was not sampled.
func (k *keeper) begin(sc trace.SpanContext) {
	s := k.shard(sc.TraceID())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.traces[sc.TraceID()] != nil {
		return // a second root in the same trace: it follows the first
	}
	if old := s.traces[s.ring[s.next]]; old != nil {
		if n := old.undecidedSpans(); n > 0 {
			k.discard(n)
		}
		delete(s.traces, s.ring[s.next])
	}
	s.ring[s.next] = sc.TraceID()
	s.next = (s.next + 1) % len(s.ring)
	s.traces[sc.TraceID()] = &pending{root: sc.SpanID()}
}

// end takes a span that was recorded but not sampled.
func (k *keeper) end(span sdktrace.ReadOnlySpan) {
	sc := span.SpanContext()
	s := k.shard(sc.TraceID())
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.traces[sc.TraceID()]
	switch {
	case p == nil: // evicted
		if matters(span) {
			k.discard(1)
		}
	case p.decision == kept:
		k.put(span)
	case p.decision == rejected:
	case sc.SpanID() == p.root:
		k.decide(p, span)
	case len(p.spans) < maxSpansPerTrace:
		p.spans = append(p.spans, span)
	default:
		p.lost++ // counts only if the trace turns out to matter
	}
}

func (k *keeper) decide(p *pending, root sdktrace.ReadOnlySpan) {
	p.decision = rejected
	if matters(root) {
		p.decision = kept
		for _, s := range p.spans {
			k.put(s)
		}
		k.put(root)
		if p.lost > 0 {
			k.discard(p.lost)
		}
	}
	p.spans, p.lost = nil, 0
}

// matters reports whether a root asks for its trace to be kept.
func matters(root sdktrace.ReadOnlySpan) bool {
	if root.Status().Code == codes.Error {
		return true
	}
	if own, ok := root.(*Span); ok {
		return own.Keep
	}
	for _, a := range root.Attributes() {
		if a.Key == catalog.AttrKept {
			return true
		}
	}
	return false
}

// flush drops what is undecided, at the end of the pipeline.
func (k *keeper) flush() {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		for _, p := range s.traces {
			if n := p.undecidedSpans(); n > 0 {
				k.discard(n)
			}
		}
		clear(s.traces)
		s.mu.Unlock()
	}
}
