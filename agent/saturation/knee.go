package saturation

import (
	"cmp"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/knee"
	"github.com/cacheu/plumbline/agent/internal/metrics"
)

// Defaults and bounds of [KneeConfig].
const (
	// DefaultKneeWindow is the past that an estimate is made from.
	DefaultKneeWindow = 2 * time.Minute
	// MinKneeWindow and MaxKneeWindow are its bounds.
	MinKneeWindow = 10 * time.Second
	MaxKneeWindow = time.Hour
	// kneeBlocks is into how many blocks the window is cut.
	kneeBlocks = 24
	// recent is the part of the window whose rate is compared with the knee,
	// in blocks.
	recent = 3
)

// KneeConfig configures a [Knee]. The zero value works.
type KneeConfig struct {
	// Window is the past that an estimate is made from. A longer one knows
	// more and notices a change later. Defaults to 2 minutes.
	Window time.Duration
	// Now tells the time at which metrics are collected. Nil means [time.Now].
	Now func() time.Time
}

// WithDefaults returns a copy with every zero field set to its default.
func (c KneeConfig) WithDefaults() KneeConfig {
	c.Window = cmp.Or(c.Window, DefaultKneeWindow)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports what is wrong. Zero fields are not.
func (c KneeConfig) Validate() error {
	if c = c.WithDefaults(); c.Window < MinKneeWindow || c.Window > MaxKneeWindow {
		return fmt.Errorf("window %s is out of bounds: use %s to %s", c.Window, MinKneeWindow, MaxKneeWindow)
	}
	return nil
}

// Knee estimates from live requests at which rate the latency of a service
// bends, with an error, and says nothing while it cannot tell: after a start,
// with too few requests, or while none of them has had to wait. The method, its
// sources and its limits are in the decision record about it, in docs/adr.
//
// Call [Knee.Enter] when a request begins and [Knee.Leave] when it ends. Both
// cost some atomic operations, no lock and no allocation. Knee is a
// [prometheus.Collector], safe for concurrent use, and a nil *Knee does nothing.
type Knee struct {
	config   KneeConfig
	recorder *knee.Recorder
	descs    kneeDescs

	mu    sync.Mutex
	ended int // blocks that had ended when fit was made
	fit   knee.Estimate
	ok    bool
}

type kneeDescs struct {
	rate, half, concurrency, service, headroom, curve *prometheus.Desc
}

// NewKnee returns a Knee. It starts no goroutine. The error says what is wrong
// with the configuration.
func NewKnee(c KneeConfig) (*Knee, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("knee: %w", err)
	}
	c = c.WithDefaults()
	return &Knee{
		config:   c,
		recorder: knee.NewRecorder(c.Now(), c.Window/kneeBlocks, kneeBlocks),
		ended:    -1,
		descs: kneeDescs{
			rate: metrics.Desc(catalog.ServiceKneeRate), half: metrics.Desc(catalog.ServiceKneeRateError),
			concurrency: metrics.Desc(catalog.ServiceKneeConcurrency), service: metrics.Desc(catalog.ServiceKneeServiceTime),
			headroom: metrics.Desc(catalog.ServiceHeadroom), curve: metrics.Desc(catalog.ServiceLatencyCurve),
		},
	}, nil
}

// Entry is a request in flight, as [Knee.Enter] returned it. The zero value is
// none.
type Entry struct{ entry knee.Entry }

// Enter notes that a request begins.
func (k *Knee) Enter(now time.Time) Entry {
	if k == nil {
		return Entry{}
	}
	return Entry{k.recorder.Enter(now)}
}

// Leave notes that it ends. served is false for a request that was turned away
// before anything was done for it: how long that took tells nothing.
func (k *Knee) Leave(e Entry, now time.Time, served bool) {
	if k != nil {
		k.recorder.Leave(e.entry, now, served)
	}
}

// Estimate is what a [Knee] knows.
type Estimate struct {
	// Rate is the estimated knee in requests per second, and Error the half
	// width of its 95 % interval.
	Rate, Error float64
	// Current is the rate of late, and Headroom the share of Rate that it
	// leaves, 0 to 1.
	Current, Headroom float64
	// Concurrency is how many requests the bottleneck serves at a time.
	Concurrency float64
	// Service is how long a request takes without waiting for others.
	Service time.Duration

	fit knee.Estimate
}

// Latency returns the mean duration to be expected at a share of the knee, 0
// to less than 1.
func (e Estimate) Latency(load float64) time.Duration { return seconds(e.fit.Latency(load)) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Estimate returns what is known, and false while it cannot be told.
func (k *Knee) Estimate() (Estimate, bool) {
	if k == nil {
		return Estimate{}, false
	}
	now := k.config.Now()
	fit, ok := k.current(now)
	if !ok {
		return Estimate{}, false
	}
	rate := k.recorder.Rate(now, recent*k.config.Window/kneeBlocks)
	return Estimate{
		Rate: fit.Knee, Error: fit.Error, Current: rate, Headroom: min(1, max(0, 1-rate/fit.Knee)),
		Concurrency: fit.Servers, Service: seconds(fit.Service), fit: fit,
	}, true
}

// current fits anew when a block has ended since the last time. What is older
// than two windows is forgotten, even if nothing has come since.
func (k *Knee) current(now time.Time) (knee.Estimate, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	blocks, ended := k.recorder.Blocks(now, 2*k.config.Window)
	if len(blocks) == 0 {
		k.ended, k.ok = -1, false
		return knee.Estimate{}, false
	}
	if ended != k.ended {
		k.ended = ended
		k.fit, k.ok = knee.Fit(blocks)
	}
	return k.fit, k.ok
}

// Describe implements [prometheus.Collector].
func (k *Knee) Describe(ch chan<- *prometheus.Desc) {
	if k == nil {
		return
	}
	for _, d := range []*prometheus.Desc{k.descs.rate, k.descs.half, k.descs.concurrency, k.descs.service, k.descs.headroom, k.descs.curve} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (k *Knee) Collect(ch chan<- prometheus.Metric) {
	e, ok := k.Estimate()
	if !ok {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(k.descs.rate, e.Rate)
	gauge(k.descs.half, e.Error)
	gauge(k.descs.concurrency, e.Concurrency)
	gauge(k.descs.service, e.fit.Service)
	gauge(k.descs.headroom, e.Headroom)
	for percent := 5; percent <= 95; percent += 5 {
		load := float64(percent) / 100
		gauge(k.descs.curve, e.fit.Latency(load), strconv.FormatFloat(load, 'f', 2, 64))
	}
}

var _ prometheus.Collector = (*Knee)(nil)
