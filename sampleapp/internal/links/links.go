// Package links follows the links between signals that a person would click:
// it takes exemplars out of Prometheus and asks Jaeger for their traces, Loki
// for the lines of these traces, and Pyroscope for the profiles that their
// spans point at. What share of them leads somewhere is a metric.
//
// An exemplar counts once it is old enough for everything it points at to have
// arrived, and again shortly before Prometheus and Jaeger may forget it: a
// trace that is evicted before its exemplar is the usual way in which links
// break. A store that does not answer breaks every link to it.
//
// One goroutine asks a few dozen questions per round and keeps nothing. A
// Prometheus that does not answer means that nothing was measured.
package links

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
)

// Defaults of [Config].
const (
	// DefaultEvery is the time between two rounds.
	DefaultEvery = 15 * time.Second
	// DefaultSettle is longer than spans, lines and profiles take to arrive: a
	// profile covers 15 seconds and is sent when they are over.
	DefaultSettle = 45 * time.Second
	// DefaultOldest is how old the older exemplars are.
	DefaultOldest = 30 * time.Minute
	// DefaultSample is how many exemplars of each service and age are followed.
	DefaultSample = 5
)

// slice is the length of the time from which exemplars are taken: a few scrapes.
const slice = 20 * time.Second

// The hops: what an exemplar leads to.
const (
	HopTrace   = "trace"
	HopLogs    = "logs"
	HopProfile = "profile"
)

// Config configures the probe. The addresses and the client are required.
type Config struct {
	// Agent logs. Nil logs nothing.
	Agent *agent.Agent
	// Registerer takes the metric.
	Registerer prometheus.Registerer
	// Client asks the stores. It must have a time-out.
	Client *http.Client
	// Prometheus, Jaeger, Loki and Pyroscope are base URLs.
	Prometheus, Jaeger, Loki, Pyroscope string
	// Every is the time between two rounds. Defaults to 15 s.
	Every time.Duration
	// Settle is how old an exemplar must be. Defaults to 45 s.
	Settle time.Duration
	// Oldest is how old the older exemplars are. Defaults to 30 min.
	Oldest time.Duration
	// Sample is how many exemplars of each service and age are followed.
	// Defaults to 5.
	Sample int
	// Now tells the time. Defaults to time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Every <= 0 {
		c.Every = DefaultEvery
	}
	if c.Settle <= 0 {
		c.Settle = DefaultSettle
	}
	if c.Oldest <= 0 {
		c.Oldest = DefaultOldest
	}
	if c.Sample <= 0 {
		c.Sample = DefaultSample
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Probe follows links. Make it with New.
type Probe struct {
	cfg   Config
	ratio *prometheus.GaugeVec
}

// New registers the metric. It fails if the metric is there already.
func New(c Config) (*Probe, error) {
	p := &Probe{cfg: c.withDefaults(), ratio: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: catalog.LinkReachable.Desc().Name, Help: catalog.LinkReachable.Desc().Help,
	}, catalog.LinkReachable.Desc().LabelNames())}
	if err := c.Registerer.Register(p.ratio); err != nil {
		return nil, fmt.Errorf("register the metric of links: %w", err)
	}
	return p, nil
}

// Run makes rounds until ctx ends.
func (p *Probe) Run(ctx context.Context) {
	ticker := time.NewTicker(p.cfg.Every)
	defer ticker.Stop()
	for {
		if err := p.Round(ctx); err != nil && ctx.Err() == nil {
			level.Warn(p.cfg.Agent.Logger(ctx)).Log(catalog.LogMessage, "links are not measured", catalog.LogError, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Round takes a sample of exemplars, follows each, and sets the metric. A hop
// that no exemplar could be tried on has none. It fails if Prometheus does not
// answer, and then leaves no value that might be taken for a measured one.
func (p *Probe) Round(ctx context.Context) error {
	p.ratio.Reset()
	now := p.cfg.Now()
	var sample []exemplar
	for _, age := range []time.Duration{p.cfg.Settle, p.cfg.Oldest} {
		all, err := p.exemplars(ctx, now.Add(-age-slice), now.Add(-age))
		if err != nil {
			return err
		}
		sample = append(sample, choose(all, p.cfg.Sample)...)
	}
	tried, found := map[string]int{}, map[string]int{}
	var broken error
	for _, e := range sample {
		for hop, err := range p.follow(ctx, e) {
			tried[hop]++
			if err == nil {
				found[hop]++
			} else {
				broken = err // the last one is example enough
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for hop, n := range tried {
		p.ratio.WithLabelValues(hop).Set(float64(found[hop]) / float64(n))
	}
	if broken != nil {
		level.Warn(p.cfg.Agent.Logger(ctx)).Log(catalog.LogMessage, "a link leads nowhere", catalog.LogError, broken)
	}
	return nil
}

// errNothing says that a store answered and has nothing.
var errNothing = errors.New("there is nothing")

// follow tries each hop of an exemplar, and returns what went wrong by hop. The
// profile is where the trace's own span points, so it can only be tried on a
// trace that is there.
func (p *Probe) follow(ctx context.Context, e exemplar) map[string]error {
	outcome := map[string]error{}
	profiled, err := p.trace(ctx, e)
	outcome[HopTrace] = wrap(err, HopTrace, e)
	outcome[HopLogs] = wrap(p.logs(ctx, e), HopLogs, e)
	if err == nil && profiled {
		outcome[HopProfile] = wrap(p.profile(ctx, e), HopProfile, e)
	}
	return outcome
}

func wrap(err error, hop string, e exemplar) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of trace %s, from an exemplar of %s: %w", hop, e.trace, e.service, err)
}

// choose returns up to n exemplars of each service, evenly spread over all that
// it has, each trace once.
func choose(all []exemplar, n int) []exemplar {
	byService := map[string][]exemplar{}
	seen := map[string]bool{}
	for _, e := range all {
		if !seen[e.service+e.trace] {
			seen[e.service+e.trace] = true
			byService[e.service] = append(byService[e.service], e)
		}
	}
	var chosen []exemplar
	for _, some := range byService {
		slices.SortFunc(some, func(a, b exemplar) int { return a.at.Compare(b.at) })
		for i := range min(n, len(some)) {
			chosen = append(chosen, some[i*len(some)/min(n, len(some))])
		}
	}
	return chosen
}
