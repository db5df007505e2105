package agentjob

import (
	"context"
	"fmt"
	"sync"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
	"github.com/cacheu/plumbline/agent/internal/opmetrics"
)

// Defaults of [ObserveQueue].
const (
	// DefaultInterval is how long the state of a queue is not read again.
	DefaultInterval = 5 * time.Second
	// DefaultTimeout bounds reading it.
	DefaultTimeout = 2 * time.Second
)

// ReadQueue reads the state of a queue: how many jobs wait that are due, and
// for how long the oldest of them has waited, 0 where there is none. It must
// return when its context ends.
type ReadQueue func(ctx context.Context) (depth int64, oldest time.Duration, err error)

// QueueOption changes how a queue is observed.
type QueueOption func(*queueCollector)

// WithInterval sets how long what was read is served before it is read again.
// Defaults to 5 seconds.
func WithInterval(d time.Duration) QueueOption { return func(c *queueCollector) { c.interval = d } }

// WithTimeout bounds one reading. Keep it below the scrape's own time-out.
// Defaults to 2 seconds.
func WithTimeout(d time.Duration) QueueOption { return func(c *queueCollector) { c.timeout = d } }

// ObserveQueue exports the state of a queue under a name, unique within the
// agent: job_queue_depth and job_queue_oldest_age_seconds. It is read when
// metrics are gathered, and only then. However many scrapes come at a time,
// there is one reading at most; one that fails or takes too long is counted in
// job_queue_collect_errors_total, and until one succeeds the queue has no
// depth and no age rather than old ones. A change from good to bad and back is
// logged once.
//
// At most 100 queues can be observed. With a nil agent nothing happens.
func ObserveQueue(a *agent.Agent, name string, read ReadQueue, opts ...QueueOption) error {
	if a == nil {
		return nil
	}
	name = opmetrics.Clean(name)
	k := kitOf(a)
	c := &queueCollector{
		read: read, interval: DefaultInterval, timeout: DefaultTimeout,
		depth:    metrics.DescWithout(catalog.JobQueueDepth, catalog.Queue),
		age:      metrics.DescWithout(catalog.JobQueueOldestAge, catalog.Queue),
		failures: k.failures.WithLabelValues(name),
		logger:   kitlog.With(a.Logger(context.Background()), catalog.LogQueue, name),
	}
	for _, set := range opts {
		set(c)
	}
	if k.observed.Add(1) > maxQueues {
		k.observed.Add(-1)
		return fmt.Errorf("observe queue %q: %d queues are observed already; add up those that belong together", name, maxQueues)
	}
	labels := prometheus.Labels{string(catalog.Queue): name}
	if err := prometheus.WrapRegistererWith(labels, a.Registerer()).Register(c); err != nil {
		k.observed.Add(-1)
		return fmt.Errorf("observe queue %q: %w", name, err)
	}
	return nil
}

// queueCollector reads one queue. Its metrics lack the queue label, which the
// wrapped registerer adds.
type queueCollector struct {
	read              ReadQueue
	interval, timeout time.Duration
	depth, age        *prometheus.Desc
	failures          prometheus.Counter
	logger            kitlog.Logger

	mu      sync.Mutex
	reading *reading // under way
	last    state
	lastAt  time.Time // zero until the first reading has ended
	bad     bool      // what was logged last
}

// reading is one attempt. There is one at a time, even if it never returns.
type reading struct {
	done    chan struct{}
	overdue bool // somebody has waited for it in vain
}

// state is what was read.
type state struct {
	ok     bool
	depth  int64
	oldest time.Duration
}

// Describe implements [prometheus.Collector].
func (c *queueCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.depth
	ch <- c.age
}

// Collect implements [prometheus.Collector].
func (c *queueCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.state()
	if !s.ok {
		return
	}
	ch <- prometheus.MustNewConstMetric(c.depth, prometheus.GaugeValue, float64(max(0, s.depth)))
	ch <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, max(0, s.oldest).Seconds())
}

// state returns what was read of late, or reads.
func (c *queueCollector) state() state {
	c.mu.Lock()
	if c.reading == nil {
		if !c.lastAt.IsZero() && time.Since(c.lastAt) < c.interval {
			defer c.mu.Unlock()
			return c.last
		}
		c.reading = &reading{done: make(chan struct{})}
		go c.run(c.reading)
	}
	r := c.reading
	if r.overdue {
		c.mu.Unlock()
		return state{}
	}
	c.mu.Unlock()
	// A little longer than the reading has: most end with their context.
	late := time.NewTimer(c.timeout + c.timeout/10)
	defer late.Stop()
	select {
	case <-r.done:
	case <-late.C:
		c.giveUp(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading == r { // still
		return state{}
	}
	return c.last
}

// giveUp counts a reading that does not heed the end of its context.
func (c *queueCollector) giveUp(r *reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading == r && !r.overdue {
		r.overdue = true
		c.note(fmt.Errorf("still reading after %s: the function that reads a queue must return when its context ends", c.timeout))
	}
}

// run reads once.
func (c *queueCollector) run(r *reading) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	depth, oldest, err := c.guarded(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !r.overdue { // else it has been counted, and its result is an old one
		c.note(err)
	}
	c.last = state{ok: err == nil && !r.overdue, depth: depth, oldest: oldest}
	c.lastAt = time.Now()
	c.reading = nil
	close(r.done)
}

// guarded turns a panic into an error: a queue that cannot be read must not
// take the service down while metrics are gathered.
func (c *queueCollector) guarded(ctx context.Context) (depth int64, oldest time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.read(ctx)
}

// note counts a failure, and logs a change.
func (c *queueCollector) note(err error) {
	if err != nil {
		c.failures.Inc()
	}
	if c.bad == (err != nil) {
		return
	}
	c.bad = err != nil
	if c.bad {
		_ = level.Warn(c.logger).Log(catalog.LogMessage, "the queue cannot be read; it has no depth until it can", catalog.LogError, err)
		return
	}
	_ = level.Info(c.logger).Log(catalog.LogMessage, "the queue can be read again")
}
