package faults

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Connections are held for holdFor at a time, all of them at the same time, and
// given back for a moment, in which those that wait get theirs: transactions that
// call somebody slow, not a leak.
const (
	holdFor   = 1500 * time.Millisecond
	holdPause = 50 * time.Millisecond
	poll      = 200 * time.Millisecond
)

// Hold holds the share of a pool's connections that is on, until ctx ends. A nil
// source returns at once.
func (s *Source) Hold(ctx context.Context, pool *pgxpool.Pool) {
	if s == nil {
		return
	}
	for wait(ctx, poll) {
		if n := int(s.Active().PoolShare*float64(pool.Config().MaxConns) + 0.5); n > 0 {
			s.hold(ctx, pool, n)
		}
	}
}

// hold takes n connections at the same time, and returns when the fault is over.
func (s *Source) hold(ctx context.Context, pool *pgxpool.Pool, n int) {
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			for s.Active().PoolShare > 0 && ctx.Err() == nil {
				conn, err := pool.Acquire(ctx)
				if err != nil {
					wait(ctx, poll)
					continue
				}
				for end := time.Now().Add(holdFor); time.Now().Before(end) && s.Active().PoolShare > 0 && wait(ctx, poll); {
				}
				conn.Release()
				wait(ctx, holdPause)
			}
		})
	}
	group.Wait()
}

// DelayJob makes a job slow, as far as that is on. It returns the error of ctx if
// that ends first.
func (s *Source) DelayJob(ctx context.Context) error {
	if d := s.Active().JobDelay; d > 0 && !wait(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// wait reports whether d has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
