package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Cache maps a comparable key to an instrument that is resolved once. Reads
// take no lock, which is what a request does; a new key copies the map, which
// happens a bounded number of times.
//
// A full cache answers [Cache.Get] for unknown keys with the overflow key's
// value, so that the number of series stays bounded whatever clients send.
type Cache[K comparable, V any] struct {
	limit    int
	overflow func(K) K
	make     func(K) V

	mu     sync.Mutex
	values atomic.Pointer[map[K]V]
}

// NewCache returns a cache of at most limit keys. Past it, overflow maps a key
// to the one that stands for the rest (for example with its route replaced by
// "other"); those keys do not count towards the limit, and there must be few.
func NewCache[K comparable, V any](limit int, overflow func(K) K, make func(K) V) *Cache[K, V] {
	c := &Cache[K, V]{limit: limit, overflow: overflow, make: make}
	c.values.Store(&map[K]V{})
	return c
}

// Get returns the key's value, which it makes at the first call.
func (c *Cache[K, V]) Get(key K) V {
	values := *c.values.Load()
	if v, ok := values[key]; ok {
		return v
	}
	if len(values) >= c.limit {
		if v, ok := values[c.overflow(key)]; ok {
			return v // no lock: a flood of unknown keys ends up here
		}
	}
	return c.add(key)
}

// Len returns the number of keys.
func (c *Cache[K, V]) Len() int { return len(*c.values.Load()) }

func (c *Cache[K, V]) add(key K) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.values.Load()
	if v, ok := old[key]; ok {
		return v // another goroutine has made it, perhaps as the last that fits
	}
	if len(old) >= c.limit {
		key = c.overflow(key)
		if v, ok := old[key]; ok {
			return v
		}
	}
	v := c.make(key)
	next := make(map[K]V, len(old)+1)
	maps.Copy(next, old)
	next[key] = v
	c.values.Store(&next)
	return v
}
