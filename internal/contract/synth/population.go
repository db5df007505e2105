package synth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Interval is the time between two scrapes of a target, and RecordInterval that
// between two evaluations of a recording rule.
const (
	Interval       = 15 * time.Second
	RecordInterval = 30 * time.Second
)

// Environment is the environment of every service.
const Environment = "production"

// Config says how much there is to be.
type Config struct {
	// Services is how many services there are, Instances how many processes each
	// of them has, and Routes how many routes each process serves.
	Services, Instances, Routes int
	// Flavor is the form of the histograms.
	Flavor promql.Flavor
	// Only are the names of the metrics that are wanted. Nil means all.
	Only []string
}

// Validate reports every field that is out of bounds.
func (c Config) Validate() error {
	var errs []error
	for name, n := range map[string]int{"services": c.Services, "instances": c.Instances, "routes": c.Routes} {
		if n < 1 || n > 10000 {
			errs = append(errs, fmt.Errorf("%s is %d, want 1 to 10000", name, n))
		}
	}
	return errors.Join(errs...)
}

// Depth is how far back a series is worth keeping.
type Depth int

// The depths. Short is as long as the shortest window of the rules, Hour as
// long as the longest that they have on raw series, Whole as far back as
// dashboards look.
const (
	Short Depth = iota
	Hour
	Whole
)

// Target is one process that is scraped.
type Target struct {
	// Series are what it exports. Targets of a kind share them.
	Series []*Series
	// Opened is set for what dashboards show when they are opened: instances of
	// the first service by name, and both sides of the benchmark.
	Opened bool
	// Phase is when within an interval it is scraped.
	Phase time.Duration

	own  [ownLabels]string
	seed uint64
}

// Depth is how far back a series of the target is worth keeping: dashboards
// read everything of what they are opened with.
func (t *Target) Depth(s *Series) Depth {
	if t.Opened {
		return Whole
	}
	return s.depth
}

// Population is everything that there is.
type Population struct {
	// Targets are all processes: first those of the services, in order.
	Targets []*Target
	// Recorded are the series that rules would have recorded of them.
	Recorded []Recorded

	config Config
}

// New makes a population.
func New(c Config) (*Population, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("make up services: %w", err)
	}
	p := &Population{config: c}
	service := c.builder(true)
	service.exportService(c.Routes)
	for s := range c.Services {
		for i := range c.Instances {
			p.add(service.series, ServiceOf(s), fmt.Sprintf("10.0.%d.%d:9464", s, i), ServiceOf(s))
			p.Targets[len(p.Targets)-1].Opened = s == 0
		}
	}
	for _, variant := range []string{"before", "after"} {
		name := "bench-" + benchScenario + "-" + variant
		p.add(service.series, "bench", name+":9464", name)
		p.Targets[len(p.Targets)-1].Opened = true
	}
	p.addStack()
	for i, t := range p.Targets {
		t.Phase = (Interval * time.Duration(i) / time.Duration(len(p.Targets))).Truncate(time.Millisecond)
	}
	p.record()
	return p, nil
}

// ServiceOf returns the name of a service by its number, so that names sort as
// numbers do, and before those of a benchmark.
func ServiceOf(number int) string { return fmt.Sprintf("app-%04d", number+1) }

func (p *Population) add(series []*Series, job, instance, service string) {
	p.Targets = append(p.Targets, &Target{
		Series: series, own: [ownLabels]string{job, instance, service, Environment}, seed: uint64(len(p.Targets)+1) * 0x9e3779b97f4a7c15,
	})
}

// Count returns the number of series of each depth, and of all.
func (p *Population) Count() (depths map[Depth]int, all int) {
	depths = map[Depth]int{}
	for _, t := range p.Targets {
		for _, s := range t.Series {
			depths[t.Depth(s)]++
			all++
		}
	}
	return depths, all
}

// wanted reports whether the metric is to be made.
func (c Config) wanted(m catalog.Metric) bool {
	return c.Only == nil || slices.Contains(c.Only, m.Desc().Name)
}
