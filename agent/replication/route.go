package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// Read calls f with the handle of a server that shows the context's session
// what it wrote, and returns its error.
//
// Where the server turns out to be broken, f is called again with another one,
// with the primary at last: it must leave nothing behind that a second call
// would double. An error that is not the server's fault is returned at once. f
// only reads: a replica refuses to write.
func (r *Router[DB]) Read(ctx context.Context, f func(context.Context, DB) error) error {
	s, why := r.choose(ctx, SessionFrom(ctx))
	if s == nil {
		r.metrics.toPrimary[why].Inc()
		return f(ctx, r.primary.DB)
	}
	r.metrics.toReplica[why].Inc()
	err := r.attempt(ctx, s, f)
	if err == nil || !r.elsewhere(ctx, s, err) {
		return err
	}
	return r.again(ctx, s, f)
}

// Write calls f with the handle of the primary, and returns its error. Then it
// asks the primary how far its log reaches and notes that in the context's
// session, whether f has failed or not: a commit whose answer got lost may have
// happened. Where there is no session nothing is asked.
func (r *Router[DB]) Write(ctx context.Context, f func(context.Context, DB) error) error {
	err := f(ctx, r.primary.DB)
	r.Wrote(ctx)
	return err
}

// Wrote is the second half of [Router.Write], for a write that has been
// committed without it. Where the position cannot be learned, the session
// reads from the primary from then on.
func (r *Router[DB]) Wrote(ctx context.Context) {
	s := SessionFrom(ctx)
	if s == nil || r.config.Strategy == Eventual {
		return
	}
	// The commit has happened even where the caller has gone since.
	a, err := position(context.WithoutCancel(ctx), r.primary.Querier, r.config.PollTimeout)
	if err != nil || a.replica {
		a.at = unknownPosition
	}
	s.Note(a.at)
}

// choose returns the replica for a read, or nil for the primary, and why.
func (r *Router[DB]) choose(ctx context.Context, s *Session) (*server[DB], reason) {
	if fault := s.fault(); fault != tokenGood {
		return nil, fault.reason()
	}
	need := s.Position()
	switch r.config.Strategy {
	case Eventual:
		return r.turn(reasonEventual, -1)
	case CacheOwnWrites:
		if s.wroteWithin(r.config.OwnWrites, time.Now()) {
			return nil, reasonOwnWrite
		}
		need = 0
	case ReadAfterWrite:
	}
	switch need {
	case 0:
		return r.turn(reasonFresh, r.config.MaxLag)
	case unknownPosition:
		return nil, reasonUnknown
	}
	first, why := r.turn(reasonCaughtUp, -1)
	if first == nil || first.serves(need) {
		return first, why
	}
	r.metrics.stale.Inc()
	if other := r.caughtUp(need, nil); other != nil {
		return other, reasonCaughtUp
	}
	return r.wait(ctx, need)
}

// turn returns the replica whose turn it is among those that answer and are at
// most so far behind; a negative lag is any. Otherwise it says why there is
// none.
func (r *Router[DB]) turn(why reason, most time.Duration) (*server[DB], reason) {
	n := uint32(len(r.replicas))
	if n == 0 {
		return nil, reasonNoReplica
	}
	none := reasonNoReplica
	start := r.next.Add(1)
	for i := range n {
		s := r.replicas[(start+i)%n]
		if !s.up.Load() {
			continue
		}
		if most < 0 || time.Duration(s.lag.Load()) <= most {
			return s, why
		}
		none = reasonLagging
	}
	return nil, none
}

// caughtUp returns a replica that serves the position and was not tried yet.
func (r *Router[DB]) caughtUp(need LSN, tried map[*server[DB]]bool) *server[DB] {
	for _, s := range r.replicas {
		if !tried[s] && s.serves(need) {
			return s
		}
	}
	return nil
}

// nudgeEvery is how often those who wait have the replicas asked again.
const nudgeEvery = 5 * time.Millisecond

// wait returns the first replica that serves the position, or nil when the time
// for that is up.
func (r *Router[DB]) wait(ctx context.Context, need LSN) (*server[DB], reason) {
	if r.config.Wait <= 0 {
		return nil, reasonBehind
	}
	began := time.Now()
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	budget := time.NewTimer(r.config.Wait)
	defer budget.Stop()
	nudge := time.NewTicker(nudgeEvery)
	defer nudge.Stop()
	for {
		advanced := r.advance() // before the look, so that nothing is missed
		if s := r.caughtUp(need, nil); s != nil {
			r.metrics.waitReplica.Observe(time.Since(began).Seconds())
			return s, reasonWaited
		}
		for _, s := range r.replicas {
			s.nudge()
		}
		select {
		case <-advanced:
		case <-nudge.C:
		case <-ctx.Done():
			r.metrics.waitPrimary.Observe(time.Since(began).Seconds())
			return nil, reasonBehind // where f finds out by itself
		case <-budget.C:
			r.metrics.waitPrimary.Observe(time.Since(began).Seconds())
			return nil, reasonBehind
		}
	}
}

// attempt calls f with a replica.
func (r *Router[DB]) attempt(ctx context.Context, s *server[DB], f func(context.Context, DB) error) error {
	if r.config.ReplicaTimeout <= 0 {
		return f(ctx, s.DB)
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.config.ReplicaTimeout, errTooSlow)
	defer cancel()
	err := f(limited, s.DB)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), errTooSlow) {
		return fmt.Errorf("%w: %w", errTooSlow, err)
	}
	return err
}

var errTooSlow = errors.New("the replica did not answer in time")

// elsewhere reports whether a failed read should be tried on another server, and
// takes a broken one out of rotation.
func (r *Router[DB]) elsewhere(ctx context.Context, s *server[DB], err error) bool {
	if ctx.Err() != nil {
		return false
	}
	fault := blame(err)
	if errors.Is(err, errTooSlow) {
		fault = failureQuery // what is broken, the next question to it shows
		s.nudge()
	}
	if fault == failureServer && s.up.Swap(false) {
		r.metrics.rotation.WithLabelValues(s.Name).Set(0)
		_ = level.Warn(r.config.Logger).Log(catalog.LogMessage, "the replica gets no reads until it answers",
			catalog.LogNode, s.Name, catalog.LogError, err)
		s.nudge()
	}
	return fault != failureOwn
}

// again tries the other replicas that show what the session wrote, each once,
// and then the primary.
func (r *Router[DB]) again(ctx context.Context, failed *server[DB], f func(context.Context, DB) error) error {
	tried := map[*server[DB]]bool{failed: true}
	need := SessionFrom(ctx).Position()
	for {
		s := r.caughtUp(need, tried)
		if s == nil {
			r.metrics.toPrimary[reasonRetry].Inc()
			return f(ctx, r.primary.DB)
		}
		tried[s] = true
		r.metrics.toReplica[reasonRetry].Inc()
		if err := r.attempt(ctx, s, f); err == nil || !r.elsewhere(ctx, s, err) {
			return err
		}
	}
}

// reason is why a read went where it went.
type reason int

const (
	reasonFresh reason = iota
	reasonCaughtUp
	reasonWaited
	reasonEventual
	reasonBehind
	reasonOwnWrite
	reasonNoReplica
	reasonLagging
	reasonUnknown
	reasonForged
	reasonExpired
	reasonForeign
	reasonRetry
	reasons // their number
)

// names of the reasons, in their order.
var reasonNames = [reasons]string{
	catalog.RouterFresh, catalog.RouterCaughtUp, catalog.RouterWaited, catalog.RouterEventual,
	catalog.RouterBehind, catalog.RouterOwnWrite, catalog.RouterNoReplica, catalog.RouterLagging,
	catalog.RouterUnknown, catalog.RouterForged, catalog.RouterExpired, catalog.RouterForeign,
	catalog.RouterRetry,
}

// routerMetrics are the router's instruments, resolved once.
type routerMetrics struct {
	toPrimary, toReplica     [reasons]prometheus.Counter // nil where a reason leads elsewhere
	waitPrimary, waitReplica prometheus.Observer
	stale                    prometheus.Counter
	rotation                 *prometheus.GaugeVec
}

func newRouterMetrics(registerer prometheus.Registerer) (m routerMetrics, err error) {
	reads, err1 := metrics.Counter(registerer, catalog.DBRouterReads)
	waits, err2 := metrics.Histogram(registerer, catalog.DBRouterWait)
	stale, err3 := metrics.Counter(registerer, catalog.DBRouterStaleAvoided)
	rotation, err4 := metrics.Gauge(registerer, catalog.DBRouterInRotation)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return routerMetrics{}, err
	}
	for why, name := range reasonNames {
		if reason(why) <= reasonEventual || reason(why) == reasonRetry {
			m.toReplica[why] = reads.WithLabelValues(catalog.RouterReplica, name)
		}
		if reason(why) > reasonEventual {
			m.toPrimary[why] = reads.WithLabelValues(catalog.RouterPrimary, name)
		}
	}
	m.waitPrimary, m.waitReplica = waits.WithLabelValues(catalog.RouterPrimary), waits.WithLabelValues(catalog.RouterReplica)
	m.stale, m.rotation = stale.WithLabelValues(), rotation
	return m, nil
}
