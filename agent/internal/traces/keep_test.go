package traces_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// watch starts a pipeline that samples nothing and watches so many traces.
func watch(t *testing.T, traceCount int) (*traces.Pipeline, *ownExporter) {
	t.Helper()
	e := &ownExporter{}
	p, _ := start(t, "", func(c *traces.Config) {
		c.Exporter, c.Ratio, c.Keep, c.Capacity = e, 0, traceCount, 100_000
	})
	return p, e
}

func keepIt(s trace.Span) { s.SetAttributes(attribute.String(catalog.AttrKept, "test")) }
func failIt(s trace.Span) { s.SetStatus(codes.Error, "broken") }
func leave(trace.Span)    {}

func TestATraceIsDecidedAtTheEndOfItsRoot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mark func(trace.Span)
		want []string
	}{
		"nothing to be seen: nothing is stored":   {leave, nil},
		"a root that failed is stored with all":   {failIt, []string{"query", "call", "root", "late"}},
		"a root that is marked is stored as well": {keepIt, []string{"query", "call", "root", "late"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, e := watch(t, 64)
			tracer := p.Provider().Tracer("test")
			ctx, root := tracer.Start(t.Context(), "root")
			callCtx, call := tracer.Start(ctx, "call")
			_, query := tracer.Start(callCtx, "query")
			_, late := tracer.Start(ctx, "late")
			query.End()
			call.End()
			test.mark(root)
			root.End()
			late.End() // follows what was decided
			stop(t, p)
			if !slices.Equal(e.names, test.want) {
				t.Errorf("stored %q, want %q", e.names, test.want)
			}
			n := uint64(len(test.want))
			if got, want := p.Stats(), (batch.Stats{Produced: n, Sent: n, Up: true, Dropped: map[string]uint64{}}); !reflect.DeepEqual(got, want) {
				t.Errorf("stats %+v, want %+v", got, want)
			}
		})
	}
}

// TestWhatIsEvictedIsCounted opens far more traces than are watched. Those that
// had to go lose their spans, and the account says how many.
func TestWhatIsEvictedIsCounted(t *testing.T) {
	t.Parallel()
	const watched, open = 32, 500
	p, e := watch(t, watched)
	tracer := p.Provider().Tracer("test")
	roots := make([]trace.Span, open)
	for i := range roots {
		var ctx context.Context
		ctx, roots[i] = tracer.Start(t.Context(), "root")
		_, child := tracer.Start(ctx, "child")
		child.End()
	}
	evicted := p.Stats().Dropped[catalog.ReasonEvicted]
	if most := uint64(open); evicted < open-watched || evicted >= most {
		t.Errorf("%d children of %d open traces are evicted, want all but at most %d", evicted, open, watched)
	}
	for _, root := range roots {
		keepIt(root)
		root.End()
	}
	stop(t, p)
	s := p.Stats()
	checkAccount(t, s)
	if s.Produced != 2*open || s.Dropped[catalog.ReasonEvicted] != 2*evicted || s.Sent != 2*(open-evicted) {
		t.Errorf("stats %+v, want %d produced and %d evicted", s, 2*open, 2*evicted)
	}
	if len(e.names) != int(s.Sent) {
		t.Errorf("%d spans are stored, %d are counted", len(e.names), s.Sent)
	}
}

func TestATraceIsBounded(t *testing.T) {
	t.Parallel()
	const limit, children = 500, 700
	tests := map[string]struct {
		mark func(trace.Span)
		want batch.Stats
	}{
		"what is too much of a trace that matters is counted": {
			keepIt, batch.Stats{Produced: children + 1, Sent: limit + 1, Up: true, Dropped: map[string]uint64{catalog.ReasonEvicted: children - limit}},
		},
		"of a trace that does not matter nothing is missed": {
			leave, batch.Stats{Up: true, Dropped: map[string]uint64{}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := watch(t, 64)
			tracer := p.Provider().Tracer("test")
			ctx, root := tracer.Start(t.Context(), "root")
			for range children {
				_, child := tracer.Start(ctx, "child")
				child.End()
			}
			test.mark(root)
			root.End()
			stop(t, p)
			if got := p.Stats(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("stats %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestWhatIsUndecidedAtTheEndIsCounted(t *testing.T) {
	t.Parallel()
	p, e := watch(t, 64)
	tracer := p.Provider().Tracer("test")
	ctx, root := tracer.Start(t.Context(), "root")
	for range 3 {
		_, child := tracer.Start(ctx, "child")
		child.End()
	}
	stop(t, p)
	failIt(root)
	root.End()
	if got, want := p.Stats(), (batch.Stats{Produced: 4, Up: true, Dropped: map[string]uint64{catalog.ReasonEvicted: 4}}); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if len(e.names) != 0 {
		t.Errorf("stored %q", e.names)
	}
}

// TestKeepingUnderLoad has many goroutines make traces of which every fourth
// matters: exactly those are stored, whole.
func TestKeepingUnderLoad(t *testing.T) {
	t.Parallel()
	const workers, each, spans = 8, 100, 5
	p, e := watch(t, 4096)
	tracer := p.Provider().Tracer("test")
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := range each {
				name := fmt.Sprintf("%d/%d", w, n)
				ctx, root := tracer.Start(context.Background(), name)
				var inner sync.WaitGroup
				for range spans - 1 {
					inner.Go(func() { // spans of one trace end on many goroutines
						_, child := tracer.Start(ctx, name)
						child.End()
					})
				}
				inner.Wait()
				if n%4 == 0 {
					keepIt(root)
				}
				root.End()
			}
		})
	}
	wg.Wait()
	stop(t, p)
	const stored = workers * each / 4 * spans
	if got, want := p.Stats(), (batch.Stats{Produced: stored, Sent: stored, Up: true, Dropped: map[string]uint64{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	counts := map[string]int{}
	for _, name := range e.names {
		counts[name]++
	}
	for w := range workers {
		for n := 0; n < each; n += 4 {
			if name := fmt.Sprintf("%d/%d", w, n); counts[name] != spans {
				t.Errorf("%d spans of trace %s are stored, want %d", counts[name], name, spans)
			}
		}
	}
}

func TestSampler(t *testing.T) {
	t.Parallel()
	local := func(flags trace.TraceFlags, remote bool) context.Context {
		return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags, Remote: remote,
		}))
	}
	const drop, record, sample = sdktrace.Drop, sdktrace.RecordOnly, sdktrace.RecordAndSample
	tests := map[string]struct {
		ratio  float64
		keep   bool
		parent context.Context
		id     trace.TraceID
		want   sdktrace.SamplingDecision
	}{
		"a new trace at ratio 1":                                      {1, true, context.Background(), trace.TraceID{9}, sample},
		"a new trace at ratio 0":                                      {0, false, context.Background(), trace.TraceID{9}, drop},
		"a new trace at ratio 0 that is watched":                      {0, true, context.Background(), trace.TraceID{9}, record},
		"a new trace that is drawn":                                   {0.5, false, context.Background(), trace.TraceID{8: 0x10}, sample},
		"a new trace that is not drawn":                               {0.5, false, context.Background(), trace.TraceID{8: 0xf0}, drop},
		"a new trace that is not drawn but watched":                   {0.5, true, context.Background(), trace.TraceID{8: 0xf0}, record},
		"a remote parent that is sampled":                             {0, true, local(trace.FlagsSampled, true), trace.TraceID{1}, sample},
		"a remote parent that is not sampled":                         {1, true, local(0, true), trace.TraceID{1}, drop},
		"a local parent that is sampled":                              {0, false, local(trace.FlagsSampled, false), trace.TraceID{1}, sample},
		"a local parent that is neither sampled nor recorded":         {1, true, local(0, false), trace.TraceID{1}, drop},
		"a negative ratio is none":                                    {-1, false, context.Background(), trace.TraceID{9}, drop},
		"a ratio above 1 is all":                                      {7, false, context.Background(), trace.TraceID{8: 0xff}, sample},
		"a sampled parent is followed where the ratio would not draw": {0.5, true, local(trace.FlagsSampled, true), trace.TraceID{8: 0xf0}, sample},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := traces.Sampler(test.ratio, test.keep)
			got := s.ShouldSample(sdktrace.SamplingParameters{ParentContext: test.parent, TraceID: test.id, Name: "s"})
			if got.Decision != test.want {
				t.Errorf("decision %d, want %d", got.Decision, test.want)
			}
			if !strings.HasPrefix(s.Description(), "plumbline{") {
				t.Errorf("description %q", s.Description())
			}
		})
	}
}
