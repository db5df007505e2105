package agent

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
)

// Usage is how much of something with a fixed number of places is in use; see
// [Agent.ObserveUsage].
type Usage = saturation.Usage

// Saturation configures the figures of utilization and saturation, and the
// estimate of the rate at which latency bends.
type Saturation struct {
	// Disabled switches them off.
	Disabled bool
	// Window is the least time over which shares of time are measured. Defaults
	// to 10 seconds.
	Window time.Duration
	// KneeWindow is the past from which the knee is estimated. Defaults to 2
	// minutes.
	KneeWindow time.Duration
}

func (v *validator) saturation(s Saturation) {
	if s.Disabled {
		return
	}
	if err := (saturation.Config{Window: s.Window}).Validate(); err != nil {
		v.add("Saturation.Window", "", "%s is out of bounds: use %s to %s", s.Window, saturation.MinWindow, saturation.MaxWindow)
	}
	if err := (saturation.KneeConfig{Window: s.KneeWindow}).Validate(); err != nil {
		v.add("Saturation.KneeWindow", "", "%s is out of bounds: use %s to %s", s.KneeWindow, saturation.MinKneeWindow, saturation.MaxKneeWindow)
	}
}

// startSaturation makes and registers what measures utilization.
func (a *Agent) startSaturation() error {
	c := a.config.Saturation
	if c.Disabled {
		return nil
	}
	var err error
	if a.saturation, err = saturation.NewCollector(saturation.Config{Window: c.Window}); err != nil {
		return err
	}
	if a.knee, err = saturation.NewKnee(saturation.KneeConfig{Window: c.KneeWindow}); err != nil {
		return err
	}
	if err := errors.Join(a.register(a.saturation), a.register(a.knee)); err != nil {
		return fmt.Errorf("register the metrics of utilization: %w", err)
	}
	return nil
}

// Saturation returns the agent's collector of utilization, for a
// [saturation.Limiter]. It is nil, which works too, on a nil agent and where
// it is disabled.
func (a *Agent) Saturation() *saturation.Collector {
	if a == nil {
		return nil
	}
	return a.saturation
}

// ObserveUsage exports how full a pool or a set of workers of the service is,
// as utilization and saturation of a resource: db_pool, workers or
// http_concurrency. See [saturation.Collector.Observe]. agentpgx and agentsql
// do so for the pools that they observe. With a nil agent nothing happens.
func (a *Agent) ObserveUsage(r catalog.ResourceName, read func() Usage) (stop func(), err error) {
	return a.Saturation().Observe(r, read)
}

// served reports whether a response tells how long serving takes: not if the
// request was turned away, or its connection became something else.
func served(status int) bool {
	return status != http.StatusTooManyRequests && status != http.StatusSwitchingProtocols
}
