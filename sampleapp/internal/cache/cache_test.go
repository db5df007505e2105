package cache_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

type thing struct {
	Name string `json:"name"`
}

// source counts how often it is asked.
type source struct {
	calls int
	err   error
}

func (s *source) load(context.Context) (thing, error) {
	s.calls++
	return thing{"from the source"}, s.err
}

func open(t *testing.T, addr string, onState func(context.Context, error)) *cache.Cache {
	t.Helper()
	c := cache.Open(cache.Config{Addr: addr, OnState: onState, Rest: time.Millisecond})
	t.Cleanup(func() { c.Close() })
	return c
}

func get(t *testing.T, c *cache.Cache, s *source, wantCalls int) {
	t.Helper()
	got, err := cache.Get(t.Context(), c, "key", time.Minute, s.load)
	if err != nil || got.Name != "from the source" || s.calls != wantCalls {
		t.Errorf("got %+v %v after %d calls of the source, want %d", got, err, s.calls, wantCalls)
	}
}

func TestSourceIsAskedOnce(t *testing.T) {
	t.Parallel()
	c, s := open(t, testdb.Redis(t), nil), &source{}
	get(t, c, s, 1)
	get(t, c, s, 1)
}

func TestErrorsOfTheSourceAreNotKept(t *testing.T) {
	t.Parallel()
	c := open(t, testdb.Redis(t), nil)
	s := &source{err: errors.New("broken")}
	if _, err := cache.Get(t.Context(), c, "key", time.Minute, s.load); !errors.Is(err, s.err) {
		t.Errorf("got %v, want the source's error", err)
	}
	s.err = nil
	get(t, c, s, 2)
	get(t, c, s, 2)
}

func TestValueEndsWithItsTime(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	c, s := open(t, server.Addr(), nil), &source{}
	get(t, c, s, 1)
	server.FastForward(59 * time.Second)
	get(t, c, s, 1)
	server.FastForward(2 * time.Second)
	get(t, c, s, 2)
}

func TestValueOfAnotherVersionIsAMiss(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	if err := server.Set("key", `["another shape"]`); err != nil {
		t.Fatal(err)
	}
	c, s := open(t, server.Addr(), nil), &source{}
	get(t, c, s, 1)
	get(t, c, s, 1)
}

func TestRedisThatIsDownIsReportedOnceAndUsedAgain(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	states := make(chan error, 10)
	c, s := open(t, server.Addr(), func(_ context.Context, err error) { states <- err }), &source{}
	get(t, c, s, 1)
	server.SetError("LOADING")
	for calls := range 3 {
		get(t, c, s, 2+calls)
	}
	if err := <-states; err == nil || err.Error() != "LOADING" {
		t.Errorf("the first report is %v, want LOADING", err)
	}
	server.SetError("")
	for len(states) == 0 { // until the rest after the error is over
		if _, err := cache.Get(t.Context(), c, "key", time.Minute, s.load); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-states; err != nil {
		t.Errorf("the second report is %v, want nil", err)
	}
	get(t, c, s, s.calls)
}

// commands counts what is sent to Redis.
type commands struct{ n atomic.Int64 }

func (*commands) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *commands) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (*commands) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestRedisThatFailedIsLeftAlone(t *testing.T) {
	t.Parallel()
	server, sent := miniredis.RunT(t), &commands{}
	c := cache.Open(cache.Config{Addr: server.Addr(), Rest: time.Hour, Hook: sent})
	t.Cleanup(func() { c.Close() })
	s := &source{}
	get(t, c, s, 1)
	before := sent.n.Load()
	server.SetError("LOADING")
	for calls := range 5 {
		get(t, c, s, 2+calls)
	}
	if n := sent.n.Load() - before; n != 1 {
		t.Errorf("%d commands were sent, want the one that failed", n)
	}
}

func TestCallerThatGivesUpSaysNothingAboutRedis(t *testing.T) {
	t.Parallel()
	c := open(t, miniredis.RunT(t).Addr(), func(_ context.Context, err error) { t.Errorf("reported %v", err) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &source{err: context.Canceled}
	if _, err := cache.Get(ctx, c, "key", time.Minute, s.load); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
