// Package cache keeps JSON copies of rows in Redis, cache-aside: read the
// cache, on a miss read the source and write the cache.
//
// Redis is never needed: when it is slow or down, the source answers, and the
// change of state is reported once; until it answers again it is tried
// once a second or so. A cached value may be as old as its time to
// live. Everything is safe for concurrent use. A hit costs one round trip, a
// miss two and the load.
package cache

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Timeouts of Redis calls. They are short: a cache that is slower than the
// database is no use.
const (
	dialTimeout = 500 * time.Millisecond
	callTimeout = 250 * time.Millisecond
	poolSize    = 10
	// DefaultRest is how long a Redis that failed is left alone.
	DefaultRest = time.Second
)

// Config configures [Open].
type Config struct {
	// Addr is the host and port of Redis. Required.
	Addr string
	// Password authenticates. Empty sends none.
	Password string
	// Hook observes every command. Nil observes none.
	Hook redis.Hook
	// OnState is called with an error when Redis stops answering, and with nil
	// when it answers again; not for every call in between. Nil ignores it.
	OnState func(context.Context, error)
	// Rest is how long a Redis that failed is left alone, so that not every
	// request waits for it in vain. Defaults to 1 second.
	Rest time.Duration
}

// Cache is a connection to Redis.
type Cache struct {
	client  *redis.Client
	onState func(context.Context, error)
	rest    time.Duration
	down    atomic.Bool
	retryAt atomic.Int64 // when a Redis that is down may be tried again, in ns since the epoch
}

// Open returns a cache. It does not connect.
func Open(c Config) *Cache {
	client := redis.NewClient(&redis.Options{
		Addr: c.Addr, Password: c.Password,
		DialTimeout: dialTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout,
		ContextTimeoutEnabled: true, PoolSize: poolSize, PoolTimeout: callTimeout,
		MaxRetries: -1, DialerRetries: 1, // the source is the retry
		// Nothing but the commands that this package sends.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	if c.Hook != nil {
		client.AddHook(c.Hook)
	}
	onState := c.OnState
	if onState == nil {
		onState = func(context.Context, error) {}
	}
	rest := c.Rest
	if rest <= 0 {
		rest = DefaultRest
	}
	return &Cache{client: client, onState: onState, rest: rest}
}

// Close closes the connections.
func (c *Cache) Close() error { return c.client.Close() }

// Ping reports whether Redis answers.
func (c *Cache) Ping(ctx context.Context) error { return c.client.Ping(ctx).Err() }

// Get returns the value at key, from Redis or else from load, whose result is
// then kept for ttl. Only load's error is returned, and never kept.
func Get[T any](ctx context.Context, c *Cache, key string, ttl time.Duration, load func(context.Context) (T, error)) (T, error) {
	if c.resting() {
		return load(ctx)
	}
	raw, err := c.client.Get(ctx, key).Bytes()
	c.note(ctx, err)
	if err == nil {
		var value T
		// A value that does not decode was written by another version of this
		// program: it counts as a miss and is overwritten.
		if json.Unmarshal(raw, &value) == nil {
			return value, nil
		}
	}
	value, err := load(ctx)
	if err != nil {
		return value, err
	}
	if raw, err := json.Marshal(value); err == nil && !c.resting() {
		c.note(ctx, c.client.Set(ctx, key, raw, ttl).Err())
	}
	return value, nil
}

// resting reports whether Redis is down and was tried a moment ago.
func (c *Cache) resting() bool {
	return c.down.Load() && time.Now().UnixNano() < c.retryAt.Load()
}

// note remembers whether Redis answers, and reports it when it has changed.
func (c *Cache) note(ctx context.Context, err error) {
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	if err != nil && ctx.Err() != nil {
		return // the caller gave up, which says nothing about Redis
	}
	if err != nil {
		c.retryAt.Store(time.Now().Add(c.rest).UnixNano())
	}
	if c.down.CompareAndSwap(err == nil, err != nil) {
		c.onState(ctx, err)
	}
}
