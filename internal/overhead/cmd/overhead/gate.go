package main

import (
	"context"
	"sync"
)

// gate lets requests through, or holds them. Safe for concurrent use.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while requests may pass
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

// set holds requests, or lets those that are held and all others pass.
func (g *gate) set(hold bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		if hold {
			g.open = make(chan struct{})
		}
	default:
		if !hold {
			close(g.open)
		}
	}
}

// wait returns true when the request may pass, and false when its client has
// gone first.
func (g *gate) wait(ctx context.Context) bool {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return true
	case <-ctx.Done():
		return false
	}
}
