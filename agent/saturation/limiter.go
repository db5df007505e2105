package saturation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// Defaults and bounds of [LimiterConfig].
const (
	// DefaultMaxWait and DefaultTargetWait are the values that the source of
	// the method found to work across services.
	DefaultMaxWait    = 100 * time.Millisecond
	DefaultTargetWait = 5 * time.Millisecond
	// DefaultMaxUtilization is the utilization past which requests are shed:
	// the upper end of the 60-80 % band, and room for what a second brings.
	DefaultMaxUtilization = 0.9
	// DefaultRetryAfter is when clients are told to come back.
	DefaultRetryAfter = time.Second
	// maxConcurrency bounds Concurrency and Queue.
	maxConcurrency = 1_000_000
)

// ErrShed says that a limiter turned a request away, to keep the service
// responsive for the others.
var ErrShed = errors.New("shed by the limiter")

// LimiterConfig configures a [Limiter]. It needs Concurrency, a Collector, or
// both; everything else has a default.
type LimiterConfig struct {
	// Concurrency is how many requests are served at a time. Choose what the
	// bottleneck behind them can work on at once: connections of a pool, a
	// small multiple of the cores. 0 means any number; then nothing queues.
	Concurrency int
	// Queue is how many requests wait for their turn; more are shed at once.
	// Defaults to Concurrency; -1 means that none wait.
	Queue int
	// MaxWait is the longest that a request waits for its turn. If the queue
	// has not been empty for that long, it is no longer a burst that the queue
	// absorbs but a load that it only delays: then requests wait TargetWait at
	// most. Default to 100 and 5 milliseconds.
	MaxWait, TargetWait time.Duration
	// Collector tells the utilization of Resource, and exports how full the
	// limiter is as http_concurrency. Nil does neither.
	Collector *Collector
	// Resource is what must not be used past MaxUtilization. Defaults to cpu.
	Resource catalog.ResourceName
	// MaxUtilization is the share of Resource, 0 to 1, past which requests are
	// shed: as many as it takes to get back. Defaults to 0.9; -1 sheds none
	// for that reason.
	MaxUtilization float64
	// RetryAfter is when a client that was turned away is told to try again, in
	// whole seconds, rounded up. Defaults to 1 second.
	RetryAfter time.Duration
	// Registerer exports the decisions. Nil exports none.
	Registerer prometheus.Registerer
	// Now tells the time. Nil means [time.Now].
	Now func() time.Time
}

// WithDefaults returns a copy with every zero field set to its default.
func (c LimiterConfig) WithDefaults() LimiterConfig {
	c.Queue = cmp.Or(c.Queue, c.Concurrency)
	c.MaxWait = cmp.Or(c.MaxWait, DefaultMaxWait)
	c.TargetWait = cmp.Or(c.TargetWait, min(DefaultTargetWait, c.MaxWait))
	c.Resource = cmp.Or(c.Resource, catalog.ResourceCPU)
	c.MaxUtilization = cmp.Or(c.MaxUtilization, DefaultMaxUtilization)
	c.RetryAfter = cmp.Or(c.RetryAfter, DefaultRetryAfter)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports everything that is wrong, one line per field, or nil. Zero
// fields that have a default are not wrong.
func (c LimiterConfig) Validate() error {
	c = c.WithDefaults()
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Concurrency == 0 && c.Collector == nil {
		add("Concurrency: is required where there is no Collector: else nothing is limited")
	}
	if c.Concurrency < 0 || c.Concurrency > maxConcurrency {
		add("Concurrency: %d is out of bounds: use 1 to %d, or 0 for any number", c.Concurrency, maxConcurrency)
	}
	if c.Queue < -1 || c.Queue > maxConcurrency {
		add("Queue: %d is out of bounds: use 1 to %d, or -1 for none", c.Queue, maxConcurrency)
	}
	if c.MaxWait < time.Millisecond || c.MaxWait > time.Minute {
		add("MaxWait: %s is out of bounds: use 1ms to 1m", c.MaxWait)
	}
	if c.TargetWait <= 0 || c.TargetWait > c.MaxWait {
		add("TargetWait: %s is out of bounds: use more than 0, and at most MaxWait", c.TargetWait)
	}
	if m := c.MaxUtilization; m != -1 && !(m > 0 && m <= 1) { // also NaN
		add("MaxUtilization: %v is not a share: use more than 0 and at most 1, or -1 for none", m)
	}
	if c.RetryAfter < 0 || c.RetryAfter > time.Hour {
		add("RetryAfter: %s is out of bounds: use up to 1h", c.RetryAfter)
	}
	return errors.Join(errs...)
}

// Limiter sheds load, so that a service which gets more than it can do answers
// some requests well instead of all of them too late.
//
// Past its concurrency requests wait in a short queue, first come first served,
// under the rule of controlled delay: how long they may wait depends on whether
// the queue has been empty of late, because a standing queue makes every
// request later and none faster. That is CoDel (Nichols and Jacobson, RFC 8289)
// in the form for servers of Ben Maurer, "Fail at Scale" (ACM Queue 13/8,
// 2015). Past the utilization it turns away a share of all requests, which it
// adjusts twice a second by what the share that it admits has led to.
//
// A request that is admitted at once costs two atomic operations and no
// allocation. A Limiter starts no goroutine, is safe for concurrent use, and a
// nil *Limiter admits everything.
type Limiter struct {
	config  LimiterConfig
	places  places
	share   share
	retry   string
	waiters sync.Pool

	admitted, utilization, full, late, gone atomic.Uint64
}

// NewLimiter returns a limiter. The error says everything that is wrong with
// the configuration, or that its metric cannot be registered.
func NewLimiter(c LimiterConfig) (*Limiter, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("limiter: %w", err)
	}
	c = c.WithDefaults()
	l := &Limiter{config: c, retry: fmt.Sprint(int64((c.RetryAfter + time.Second - 1) / time.Second))}
	l.places.limit, l.places.queue = int64(c.Concurrency), int64(max(0, c.Queue))
	l.places.maxWait, l.places.targetWait, l.places.now = c.MaxWait, c.TargetWait, c.Now
	l.waiters.New = func() any { return newWaiter() }
	l.share.admitted.Store(whole)
	if c.Registerer != nil {
		if err := c.Registerer.Register(newLimiterCollector(l)); err != nil {
			return nil, fmt.Errorf("register metric %s: %w", catalog.LimiterDecisions.Desc().Name, err)
		}
	}
	if c.Collector != nil && c.Concurrency > 0 {
		if _, err := c.Collector.Observe(catalog.ResourceHTTP, l.Usage); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Acquire asks for a request to be admitted and waits for its turn, if need be.
// Nil means that it is, and then [Limiter.Release] must follow. Else the error
// is [ErrShed], or that of the context if it ended meanwhile.
func (l *Limiter) Acquire(ctx context.Context) error {
	if l == nil {
		return nil
	}
	if l.config.Collector != nil && l.config.MaxUtilization > 0 && !l.admitsShare() {
		l.utilization.Add(1)
		return ErrShed
	}
	if l.config.Concurrency == 0 || l.places.take() {
		l.admitted.Add(1)
		return nil
	}
	return l.wait(ctx)
}

// Release ends a request that was admitted.
func (l *Limiter) Release() {
	if l != nil && l.config.Concurrency > 0 {
		l.places.release()
	}
}

// Usage returns how many requests are being served, how many may be, and how
// many wait. It is what [Collector.Observe] takes.
func (l *Limiter) Usage() Usage {
	if l == nil || l.config.Concurrency == 0 {
		return Usage{}
	}
	serving, waiting := l.places.count()
	return Usage{Used: float64(serving), Limit: float64(l.config.Concurrency), Waiting: float64(waiting)}
}

// wait joins the queue, if there is room.
func (l *Limiter) wait(ctx context.Context) error {
	w := l.waiters.Get().(*waiter)
	defer l.waiters.Put(w)
	patience, outcome := l.places.join(w)
	switch outcome {
	case joinedNot:
		l.full.Add(1)
		return ErrShed
	case joinedServed:
		l.admitted.Add(1)
		return nil
	}
	w.timer.Reset(patience)
	defer w.timer.Stop()
	var err error
	select {
	case <-w.turn:
		l.admitted.Add(1)
		return nil
	case <-w.timer.C:
		err = ErrShed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if !l.places.leave(w) { // its turn has come at the same moment
		<-w.turn
		if !errors.Is(err, ErrShed) {
			l.places.release()
			l.gone.Add(1)
			return err
		}
		l.admitted.Add(1)
		return nil
	}
	if errors.Is(err, ErrShed) {
		l.late.Add(1)
	} else {
		l.gone.Add(1)
	}
	return err
}

// limiterCollector exports the decisions of a limiter.
type limiterCollector struct {
	limiter   *Limiter
	decisions *prometheus.Desc
}

func newLimiterCollector(l *Limiter) *limiterCollector {
	return &limiterCollector{l, metrics.Desc(catalog.LimiterDecisions)}
}

// Describe implements [prometheus.Collector].
func (c *limiterCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.decisions }

// Collect implements [prometheus.Collector].
func (c *limiterCollector) Collect(ch chan<- prometheus.Metric) {
	l := c.limiter
	for decision, n := range map[string]*atomic.Uint64{
		catalog.DecisionAdmitted: &l.admitted, catalog.DecisionUtilization: &l.utilization,
		catalog.DecisionQueueFull: &l.full, catalog.DecisionQueueTime: &l.late, catalog.DecisionGone: &l.gone,
	} {
		ch <- prometheus.MustNewConstMetric(c.decisions, prometheus.CounterValue, float64(n.Load()), decision)
	}
}
