package saturation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// Defaults and bounds of [Config].
const (
	// DefaultWindow is the least time over which shares of time are measured.
	DefaultWindow = 10 * time.Second
	// MinWindow and MaxWindow are the bounds of a window.
	MinWindow = time.Second
	MaxWindow = 5 * time.Minute
	// spacing is the least time between two samples, whoever asks.
	spacing = 500 * time.Millisecond
	// quick is the window of [Collector.Utilization], which limiters act on.
	quick = time.Second
	// maxObserved bounds what is observed of each resource.
	maxObserved = 100
)

// Config configures a [Collector]. The zero value works.
type Config struct {
	// Window is the least time over which CPU, throttling, pressure and the
	// like are measured: between two scrapes that are further apart, it is the
	// time between them. Defaults to 10 seconds.
	Window time.Duration
	// Root is the file system that has /proc and /sys. Nil means that of the
	// machine.
	Root fs.FS
	// Now tells the time. Nil means [time.Now].
	Now func() time.Time
}

// WithDefaults returns a copy with every zero field set to its default.
func (c Config) WithDefaults() Config {
	c.Window = cmp.Or(c.Window, DefaultWindow)
	if c.Root == nil {
		c.Root = os.DirFS("/")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports what is wrong. Zero fields are not.
func (c Config) Validate() error {
	if c = c.WithDefaults(); c.Window < MinWindow || c.Window > MaxWindow {
		return fmt.Errorf("window %s is out of bounds: use %s to %s", c.Window, MinWindow, MaxWindow)
	}
	return nil
}

// Usage is how much of something with a fixed number of places is in use: a
// pool of connections, a set of workers.
type Usage struct {
	// Used and Limit are the places that are taken and those that there are.
	// A limit of 0 or less means that there is none, and then nothing is
	// exported.
	Used, Limit float64
	// Waiting is how many wait for a place now. Negative means that this is
	// not known.
	Waiting float64
	// Waited is for how long all together have waited for a place, ever: the
	// growth of it per second is the mean number of those that waited. The
	// larger of the two counts. Negative means that this is not known.
	Waited time.Duration
}

// Collector measures utilization and saturation when it is collected. It is a
// [prometheus.Collector]; a nil *Collector collects nothing, and all other
// methods work on it too.
type Collector struct {
	config                  Config
	utilization, saturation *prometheus.Desc
	runtime                 *runtimeReader

	mu       sync.Mutex
	samples  []sample // oldest first
	observed map[catalog.ResourceName][]*observed
}

// NewCollector returns a collector that has taken its first sample. It starts
// no goroutine and holds nothing open, so there is nothing to end. The error
// says what is wrong with the configuration.
func NewCollector(c Config) (*Collector, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("saturation: %w", err)
	}
	collector := &Collector{
		config:      c.WithDefaults(),
		utilization: metrics.Desc(catalog.ResourceUtilization),
		saturation:  metrics.Desc(catalog.ResourceSaturation),
		runtime:     newRuntimeReader(),
		observed:    map[catalog.ResourceName][]*observed{},
	}
	collector.mu.Lock()
	defer collector.mu.Unlock()
	collector.advance()
	return collector, nil
}

// observed is something whose usage a function reads.
type observed struct{ read func() Usage }

// Observe adds something with places to one of the resources db_pool, workers
// and http_concurrency. read is called when metrics are collected; it must be
// fast and safe for concurrent use, and a panic of it counts as no limit. Of
// several, the fullest one is exported, and the one with the most waiting.
//
// The returned function ends the observation and may be called more than once.
// At most 100 can be observed of each resource.
func (c *Collector) Observe(r catalog.ResourceName, read func() Usage) (stop func(), err error) {
	if c == nil {
		return func() {}, nil
	}
	switch r {
	case catalog.ResourceDBPool, catalog.ResourceWorkers, catalog.ResourceHTTP:
	default:
		return nil, fmt.Errorf("observe %q: use %s, %s or %s; the others are measured by themselves",
			r, catalog.ResourceDBPool, catalog.ResourceWorkers, catalog.ResourceHTTP)
	}
	if read == nil {
		return nil, fmt.Errorf("observe %q: there is no function to read it", r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.observed[r]) >= maxObserved {
		return nil, fmt.Errorf("observe %q: %d are observed already; stop those that are gone", r, maxObserved)
	}
	one := &observed{read}
	c.observed[r] = append(c.observed[r], one)
	return func() { c.forget(r, one) }, nil
}

func (c *Collector) forget(r catalog.ResourceName, one *observed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.observed[r] {
		if o == one {
			c.observed[r] = append(c.observed[r][:i:i], c.observed[r][i+1:]...)
			return
		}
	}
}

// Utilization returns the share of a resource in use over about the last
// second, 0 to 1, and false where it is not known. Limiters act on it. It takes
// a sample at most every half second, whoever asks, and is cheap in between.
func (c *Collector) Utilization(r catalog.ResourceName) (ratio float64, ok bool) {
	if c == nil {
		return 0, false
	}
	reading := c.measure(quick)[r]
	return reading.utilization, reading.hasUtilization
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	if c == nil {
		return
	}
	ch <- c.utilization
	ch <- c.saturation
}

// Collect implements [prometheus.Collector]. What cannot be measured is absent.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	if c == nil {
		return
	}
	for name, r := range c.measure(c.config.Window) {
		if r.hasUtilization {
			ch <- prometheus.MustNewConstMetric(c.utilization, prometheus.GaugeValue, r.utilization, string(name))
		}
		if r.hasSaturation {
			ch <- prometheus.MustNewConstMetric(c.saturation, prometheus.GaugeValue, r.saturation, string(name))
		}
	}
}

var _ prometheus.Collector = (*Collector)(nil)

// errNoUsage marks a usage that could not be read.
var errNoUsage = errors.New("the function that reads a usage panicked")

// guarded calls a function of the host's, which must not take the host down
// while metrics are collected.
func (o *observed) guarded() (u Usage, err error) {
	defer func() {
		if recover() != nil {
			u, err = Usage{}, errNoUsage
		}
	}()
	return o.read(), nil
}
