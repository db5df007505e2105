package replication

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Defaults of [RouterConfig].
const (
	// DefaultWait is how long a read waits for a replica to catch up.
	DefaultWait = 50 * time.Millisecond
	// DefaultMaxLag is how far a replica may be behind to serve sessions that
	// have not written.
	DefaultMaxLag = 10 * time.Second
	// DefaultOwnWrites is how long [CacheOwnWrites] reads from the primary.
	DefaultOwnWrites = 5 * time.Second
	// DefaultPollInterval is how often each server is asked where it stands
	// while nobody waits.
	DefaultPollInterval = 250 * time.Millisecond
	// DefaultPollTimeout is how long a server may take to answer that before it
	// is out of rotation.
	DefaultPollTimeout = time.Second
)

// NoWait as [RouterConfig.Wait] makes no read wait.
const NoWait = -1

// RouterConfig configures a [Router]. Primary is required, everything else has
// a default. DB is the type of the handles: *pgxpool.Pool or *sql.DB, say.
type RouterConfig[DB any] struct {
	// Primary takes the writes. After a failover it must be the new one: give it
	// an address that follows the primary, or several hosts and
	// target_session_attrs=read-write.
	Primary Target[DB]
	// Replicas take the reads that they can serve. A server that turns out to
	// be no replica is left alone. None sends everything to the primary.
	Replicas []Target[DB]
	// Strategy says what a read must see. Defaults to [ReadAfterWrite].
	Strategy Strategy
	// Wait is how long a read may wait for a replica to replay what its session
	// wrote, before it goes to the primary. Defaults to 50 ms; [NoWait] for none.
	Wait time.Duration
	// MaxLag is how far a replica may be behind to serve sessions that have not
	// written. Defaults to 10 seconds.
	MaxLag time.Duration
	// OwnWrites is how long after a write [CacheOwnWrites] reads from the
	// primary. Defaults to 5 seconds.
	OwnWrites time.Duration
	// ReplicaTimeout bounds one attempt on a replica, after which the read is
	// repeated elsewhere. Defaults to 0: only the caller's context bounds it.
	ReplicaTimeout time.Duration
	// PollInterval is the time between two questions to the same server while
	// nobody waits for it. Defaults to 250 ms.
	PollInterval time.Duration
	// PollTimeout bounds one question. Defaults to 1 second.
	PollTimeout time.Duration

	// Registerer takes the metrics. Nil keeps them to the router. Routers that
	// share one add up.
	Registerer prometheus.Registerer
	// Logger takes a line when a replica leaves or enters the rotation. Nil
	// logs nothing.
	Logger kitlog.Logger
}

// WithDefaults returns a copy with every zero field set to its default.
func (c RouterConfig[DB]) WithDefaults() RouterConfig[DB] {
	c.Wait = cmp.Or(c.Wait, DefaultWait)
	c.MaxLag = cmp.Or(c.MaxLag, DefaultMaxLag)
	c.OwnWrites = cmp.Or(c.OwnWrites, DefaultOwnWrites)
	c.PollInterval = cmp.Or(c.PollInterval, DefaultPollInterval)
	c.PollTimeout = cmp.Or(c.PollTimeout, DefaultPollTimeout)
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = kitlog.NewNopLogger()
	}
	return c
}

// Validate reports every field that is out of bounds, one line each. It
// expects defaults to be set.
func (c RouterConfig[DB]) Validate() error {
	nodes := []Node{{c.Primary.Name, c.Primary.Querier}}
	for _, r := range c.Replicas {
		nodes = append(nodes, Node{r.Name, r.Querier})
	}
	problems := []error{}
	if err := validateNodes(nodes); err != nil {
		problems = append(problems, fmt.Errorf("targets, of which Nodes[0] is the primary: %w", err))
	}
	if c.Strategy < ReadAfterWrite || c.Strategy > Eventual {
		problems = append(problems, fmt.Errorf("Strategy is %v: want one of the constants", c.Strategy))
	}
	for _, d := range []struct {
		name         string
		value, least time.Duration
	}{
		{"Wait", c.Wait, NoWait}, {"MaxLag", c.MaxLag, 1}, {"OwnWrites", c.OwnWrites, 1}, {"ReplicaTimeout", c.ReplicaTimeout, 0},
		{"PollInterval", c.PollInterval, time.Millisecond}, {"PollTimeout", c.PollTimeout, time.Millisecond},
	} {
		if d.value < d.least {
			problems = append(problems, fmt.Errorf("%s is %v: want at least %v", d.name, d.value, d.least))
		}
	}
	return errors.Join(problems...)
}

// Router sends reads to replicas where that shows a session what it wrote, and
// to the primary otherwise. Its methods are safe for concurrent use.
type Router[DB any] struct {
	config   RouterConfig[DB]
	primary  *server[DB]
	replicas []*server[DB]
	next     atomic.Uint32 // whose turn it is
	metrics  routerMetrics
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	log      history       // of the primary
	advanced chan struct{} // closed, and made anew, when a replica has advanced
	waiting  atomic.Int32
}

// NewRouter starts to ask the servers where they stand, each on a goroutine of
// its own, until [Router.Shutdown]. It waits for none of them: until a replica
// has answered, reads go to the primary. Errors are bad configuration, all of
// it at once, and a registerer that refuses the metrics.
func NewRouter[DB any](c RouterConfig[DB]) (*Router[DB], error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	r := &Router[DB]{config: c, primary: newServer(c.Primary), advanced: make(chan struct{})}
	for _, t := range c.Replicas {
		r.replicas = append(r.replicas, newServer(t))
	}
	var err error
	if r.metrics, err = newRouterMetrics(c.Registerer); err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.running.Go(func() { r.follow(ctx, r.primary, r.notePrimary) })
	for _, s := range r.replicas {
		r.metrics.rotation.WithLabelValues(s.Name).Set(0)
		r.running.Go(func() { r.follow(ctx, s, func(now time.Time, a answer, err error) { r.noteReplica(s, now, a, err) }) })
	}
	return r, nil
}

// Shutdown ends the goroutines. It returns when that is done or ctx ends.
// Reads and writes still work afterwards, and go to the primary. Further calls
// do nothing.
func (r *Router[DB]) Shutdown(ctx context.Context) error {
	r.cancel()
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("end the router: a server does not let go: %w", ctx.Err())
	}
	for _, s := range r.replicas {
		s.up.Store(false)
	}
	return nil
}

// hurryPause is the least time between two questions to the same server.
const hurryPause = 2 * time.Millisecond

var errPanic = errors.New("the driver panics")

// follow asks one server again and again, the sooner where somebody waits.
func (r *Router[DB]) follow(ctx context.Context, s *server[DB], note func(time.Time, answer, error)) {
	for {
		began := time.Now()
		a, err := position(ctx, s.Querier, r.config.PollTimeout)
		if ctx.Err() != nil {
			return
		}
		note(began.Add(time.Since(began)/2), a, err)
		if !sleep(ctx, hurryPause, nil) || !sleep(ctx, r.config.PollInterval, s.hurry) {
			return
		}
	}
}

// sleep waits, until woken at the longest. It reports false when ctx has ended.
func sleep(ctx context.Context, d time.Duration, woken <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-woken:
	case <-timer.C:
	}
	return true
}

func (r *Router[DB]) notePrimary(now time.Time, a answer, err error) {
	if err != nil || a.replica {
		return // its own reads and writes will tell
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.add(now, a.at)
}

// noteReplica takes what a replica says. A server that does not answer or is no
// replica leaves the rotation.
func (r *Router[DB]) noteReplica(s *server[DB], now time.Time, a answer, err error) {
	if err == nil && (!a.replica || a.at == 0) {
		err = errors.New("it is no replica")
	}
	was := s.up.Load()
	if err != nil {
		s.up.Store(false)
	} else {
		s.lag.Store(int64(r.lag(now, a.at)))
		s.replayed.Store(uint64(a.at)) // it may have been made anew, and fall
		s.up.Store(true)
		r.tellAdvanced()
	}
	if was == (err == nil) {
		return
	}
	r.metrics.rotation.WithLabelValues(s.Name).Set(one(err == nil))
	if err != nil {
		_ = level.Warn(r.config.Logger).Log(catalog.LogMessage, "the replica gets no reads until it answers", catalog.LogNode, s.Name, catalog.LogError, err)
		return
	}
	_ = level.Info(r.config.Logger).Log(catalog.LogMessage, "the replica gets reads", catalog.LogNode, s.Name)
}

// lag tells how long ago the primary left a position.
func (r *Router[DB]) lag(now time.Time, at LSN) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	left, behind := r.log.left(at)
	if !behind {
		return 0
	}
	return max(0, now.Sub(left))
}

// tellAdvanced wakes those who wait for a replica.
func (r *Router[DB]) tellAdvanced() {
	if r.waiting.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.advanced)
	r.advanced = make(chan struct{})
}

// advance returns a channel that is closed when a replica has advanced.
func (r *Router[DB]) advance() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.advanced
}
