package reqscope_test

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/reqscope"
)

// call is one call into a component, from and to in milliseconds after the
// request's start; to = open means that it never ends.
type call struct {
	component catalog.Component
	from, to  int
}

const open = 1 << 30

// account is a summary in milliseconds, without the components that were not
// called.
type account map[catalog.Component]share

type share struct{ ms, calls int }

func read(t *testing.T, s reqscope.Summary) account {
	t.Helper()
	a := account{}
	for i, part := range s {
		if want := catalog.Components()[i]; part.Component != want {
			t.Errorf("part %d is %s, want %s", i, part.Component, want)
		}
		if part.Time > 0 || part.Calls > 0 {
			a[part.Component] = share{int(part.Time / time.Millisecond), part.Calls}
		}
	}
	return a
}

func TestComponentTimeIsTheUnionOfItsCalls(t *testing.T) {
	t.Parallel()
	const db, cache, queue = catalog.DB, catalog.Cache, catalog.Queued
	tests := map[string]struct {
		calls []call
		end   int
		want  account
	}{
		"a request without calls is all self": {
			end: 20, want: account{catalog.Self: {20, 1}},
		},
		"two calls one after the other add up": {
			calls: []call{{db, 1, 4}, {db, 6, 9}}, end: 20,
			want: account{db: {6, 2}, catalog.Self: {14, 1}},
		},
		"two calls at the same time count once": {
			calls: []call{{db, 2, 12}, {db, 2, 12}}, end: 20,
			want: account{db: {10, 2}, catalog.Self: {10, 1}},
		},
		"calls that overlap in part count their union": {
			calls: []call{{db, 2, 8}, {db, 5, 11}}, end: 20,
			want: account{db: {9, 2}, catalog.Self: {11, 1}},
		},
		"a call within a longer one adds nothing": {
			calls: []call{{db, 2, 12}, {db, 4, 6}}, end: 20,
			want: account{db: {10, 2}, catalog.Self: {10, 1}},
		},
		"calls that touch leave no gap": {
			calls: []call{{db, 2, 5}, {db, 5, 8}}, end: 20,
			want: account{db: {6, 2}, catalog.Self: {14, 1}},
		},
		"different components that overlap are each true, and self counts the overlap once": {
			calls: []call{{db, 2, 10}, {cache, 6, 14}}, end: 20,
			want: account{db: {8, 1}, cache: {8, 1}, catalog.Self: {8, 1}},
		},
		"every component has its own account": {
			calls: []call{{db, 0, 1}, {cache, 1, 3}, {catalog.HTTP, 3, 6}, {queue, 6, 10}, {catalog.Log, 10, 15}}, end: 20,
			want: account{db: {1, 1}, cache: {2, 1}, catalog.HTTP: {3, 1}, queue: {4, 1}, catalog.Log: {5, 1}, catalog.Self: {5, 1}},
		},
		"a call that is open at the end counts up to the end": {
			calls: []call{{db, 15, open}}, end: 20,
			want: account{db: {5, 1}, catalog.Self: {15, 1}},
		},
		"a request that is in the database from start to end has no self time": {
			calls: []call{{db, 0, open}}, end: 20,
			want: account{db: {20, 1}, catalog.Self: {0, 1}},
		},
		"self is no component to be charged": {
			calls: []call{{catalog.Self, 5, 10}}, end: 20,
			want: account{catalog.Self: {20, 1}},
		},
		"an unknown component is ignored": {
			calls: []call{{"disk", 5, 10}, {"", 6, 11}}, end: 20,
			want: account{catalog.Self: {20, 1}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := read(t, replay(test.calls, test.end)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %v\nwant %v", got, test.want)
			}
		})
	}
}

// replay applies the calls in the order of time. At one instant, calls end
// before others begin: the harder order, because it closes the interval.
func replay(calls []call, end int) reqscope.Summary {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var s reqscope.Scope
	s.Begin(start)
	for ms := range end {
		for _, c := range calls {
			if c.to == ms {
				s.Leave(c.component, at(ms))
			}
		}
		for _, c := range calls {
			if c.from == ms {
				s.Enter(c.component, at(ms), true)
			}
		}
	}
	for _, c := range calls {
		if c.to == end {
			s.Leave(c.component, at(end))
		}
	}
	return s.End(at(end))
}

// TestUnionUnderConcurrency runs calls on goroutines of their own and compares
// with an oracle that looks at every millisecond.
func TestUnionUnderConcurrency(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			calls, end := randomCalls(rand.New(rand.NewPCG(seed, 7)))
			if got, want := read(t, runConcurrently(calls, end)), oracle(calls, end); !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: %v until %d\n got %v\nwant %v", seed, calls, end, got, want)
			}
		})
	}
}

func randomCalls(r *rand.Rand) (calls []call, end int) {
	components := catalog.Components()[:5] // without self
	for range 1 + r.IntN(40) {
		from := r.IntN(120)
		calls = append(calls, call{components[r.IntN(5)], from, from + 1 + r.IntN(40)})
	}
	return calls, 1 + r.IntN(130)
}

func runConcurrently(calls []call, end int) reqscope.Summary {
	var s reqscope.Scope
	s.Begin(time.Now())
	var wg sync.WaitGroup
	for _, c := range calls {
		wg.Go(func() {
			<-time.After(time.Duration(c.from) * time.Millisecond)
			s.Enter(c.component, time.Now(), true)
			<-time.After(time.Duration(c.to-c.from) * time.Millisecond)
			s.Leave(c.component, time.Now())
		})
	}
	// A little before, so that nothing that begins at the end itself is in.
	<-time.After(time.Duration(end)*time.Millisecond - time.Microsecond)
	summary := s.End(time.Now().Add(time.Microsecond))
	wg.Wait()
	return summary
}

func oracle(calls []call, end int) account {
	a := account{}
	busy := func(c catalog.Component, ms int) bool {
		for _, one := range calls {
			if (c == catalog.Self || one.component == c) && one.from <= ms && ms < one.to {
				return true
			}
		}
		return false
	}
	for _, c := range catalog.Components()[:5] {
		var sum share
		for ms := range end {
			if busy(c, ms) {
				sum.ms++
			}
		}
		for _, one := range calls {
			if one.component == c && one.from < end {
				sum.calls++
			}
		}
		if sum != (share{}) {
			a[c] = sum
		}
	}
	self := share{calls: 1}
	for ms := range end {
		if !busy(catalog.Self, ms) {
			self.ms++
		}
	}
	a[catalog.Self] = self
	return a
}

func TestWaitingIsChargedWithoutBeingACall(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	var s reqscope.Scope
	s.Begin(start)
	s.Enter(catalog.DB, start, false) // until a connection is free
	s.Leave(catalog.DB, start.Add(3*time.Millisecond))
	s.Enter(catalog.DB, start.Add(3*time.Millisecond), true)
	s.Leave(catalog.DB, start.Add(5*time.Millisecond))
	got := read(t, s.End(start.Add(9*time.Millisecond)))
	if want := (account{catalog.DB: {5, 1}, catalog.Self: {4, 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCallsAfterTheEndChangeNothing(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var s reqscope.Scope
	s.Begin(start)
	s.Enter(catalog.DB, at(1), true)
	first := s.End(at(10))
	s.Leave(catalog.DB, at(20))
	s.Enter(catalog.Cache, at(20), true)
	s.Leave(catalog.Cache, at(30))
	if again := s.End(at(10)); again != first {
		t.Errorf("the account changed after the end:\nfirst %v\nagain %v", first, again)
	}
}

// TestTimesOutOfOrder covers what concurrency does to clocks: a goroutine may
// read the time before another one and get the lock after it. No share may be
// negative (a counter would panic in the middle of a request) or longer than
// the request.
func TestTimesOutOfOrder(t *testing.T) {
	t.Parallel()
	type step struct {
		enter bool
		ms    int
	}
	tests := map[string]struct {
		steps []step
		want  account
	}{
		"a call that begins while the end is being taken": {
			steps: []step{{true, 1}, {false, 4}, {true, 12}},
			want:  account{catalog.DB: {3, 2}, catalog.Self: {7, 1}},
		},
		"a call that ends while the end is being taken": {
			steps: []step{{true, 0}, {false, 12}},
			want:  account{catalog.DB: {10, 1}, catalog.Self: {0, 1}},
		},
		"a call that ends before the begin of another that got the lock first": {
			steps: []step{{true, 1}, {false, 4}, {true, 7}, {true, 5}, {false, 8}, {false, 6}},
			want:  account{catalog.DB: {3, 3}, catalog.Self: {7, 1}},
		},
		"an end without a begin": {
			steps: []step{{false, 4}, {true, 5}, {false, 8}},
			want:  account{catalog.DB: {3, 1}, catalog.Self: {7, 1}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Unix(1000, 0)
			at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
			var s reqscope.Scope
			s.Begin(start)
			for _, one := range test.steps {
				if one.enter {
					s.Enter(catalog.DB, at(one.ms), true)
				} else {
					s.Leave(catalog.DB, at(one.ms))
				}
			}
			if got := read(t, s.End(at(10))); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func BenchmarkCall(b *testing.B) {
	var s reqscope.Scope
	start := time.Now()
	s.Begin(start)
	b.ReportAllocs()
	for b.Loop() {
		s.Enter(catalog.DB, start, true)
		s.Leave(catalog.DB, start)
	}
}
