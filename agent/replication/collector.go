package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Collector measures replication. Its methods are safe for concurrent use and
// work on a nil *Collector, which measures nothing.
type Collector struct {
	config    Config
	heartbeat string // quoted
	descs     descs
	cancel    context.CancelFunc
	running   sync.WaitGroup

	mu       sync.Mutex
	topology *topology
	failures map[string]float64 // by node
	problems map[string]error   // what each node's last answer lacked
}

// NewCollector starts to ask the nodes, each on a goroutine of its own, until
// [Collector.Shutdown]. It waits for none of them: one that cannot be reached
// is no error but a count. Errors are bad configuration, all of it at once, and
// a registerer that has such metrics already.
func NewCollector(c Config) (*Collector, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("replication collector: %w", err)
	}
	names := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		names[i] = n.Name
	}
	collector := &Collector{
		config: c, descs: newDescs(),
		topology: newTopology(names, c),
		failures: map[string]float64{}, problems: map[string]error{},
	}
	if c.Heartbeat != "" {
		collector.heartbeat, _ = quoteTable(c.Heartbeat) // Validate has seen it
	}
	if c.Registerer != nil {
		if err := c.Registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("replication collector: register metrics: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	collector.cancel = cancel
	for _, n := range c.Nodes {
		collector.running.Go(func() { collector.poll(ctx, n) })
	}
	return collector, nil
}

// Shutdown ends the goroutines and takes the metrics off the registerer. It
// returns when that is done or ctx ends. Further calls do nothing.
func (c *Collector) Shutdown(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.cancel()
	if c.config.Registerer != nil {
		c.config.Registerer.Unregister(c)
	}
	done := make(chan struct{})
	go func() { c.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end the replication collector: a server does not let go: %w", ctx.Err())
	}
}

// Err returns what was wrong with the last answers of the nodes, by node, or
// nil. A role that lacks a permission is told which GRANT helps.
func (c *Collector) Err() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, n := range c.config.Nodes {
		if err := c.problems[n.Name]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
		}
	}
	return errors.Join(errs...)
}

// poll asks one node again and again. The next question waits for the last
// one's end, even of a driver that does not heed its context: questions never
// pile up.
func (c *Collector) poll(ctx context.Context, n Node) {
	for {
		began := time.Now()
		c.pollOnce(ctx, n)
		if !sleep(ctx, c.pause()-time.Since(began), nil) {
			return
		}
	}
}

// pause is the time between two questions to a server: shorter while the
// primary does not answer, because one of the others may be the primary soon.
func (c *Collector) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	problem := c.problems[c.topology.primary]
	if problem == nil || errors.As(problem, new(*permissionError)) {
		return c.config.Interval
	}
	return c.config.Interval / 4
}

func (c *Collector) pollOnce(ctx context.Context, n Node) {
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	began := c.config.Now()
	a, err := guarded(limited, n.DB, c.heartbeat)
	if ctx.Err() != nil {
		return // the end is no failure
	}
	// The position was read some time between the two.
	now := began.Add(c.config.Now().Sub(began) / 2)
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.collected {
		if c.topology.observe(n.Name, now, a) {
			_ = level.Warn(c.config.Logger).Log(catalog.LogMessage, "another server is the primary now", catalog.LogNode, n.Name)
		}
	}
	c.note(n.Name, err)
}

// guarded turns a panic of a driver into an error: measuring must not take the
// service down.
func guarded(ctx context.Context, q Querier, heartbeat string) (a answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = answer{}, fmt.Errorf("panic: %v", p)
		}
	}()
	return ask(ctx, q, heartbeat)
}

// note counts a failure, and logs a change. The caller holds mu.
func (c *Collector) note(node string, err error) {
	before := c.problems[node]
	c.problems[node] = err
	if err != nil {
		c.failures[node]++
	}
	switch {
	case before == nil && err != nil:
		_ = level.Warn(c.config.Logger).Log(catalog.LogMessage, "the replication state cannot be read in full",
			catalog.LogNode, node, catalog.LogError, err)
	case before != nil && err == nil:
		_ = level.Info(c.config.Logger).Log(catalog.LogMessage, "the replication state can be read again", catalog.LogNode, node)
	}
}

var _ prometheus.Collector = (*Collector)(nil)
