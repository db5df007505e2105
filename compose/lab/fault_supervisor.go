package lab

import (
	"context"
	"slices"
	"time"
)

// faultFile is what `lab fault` writes down for the supervisor.
type faultFile struct {
	// Active are the faults that are on, as they were given.
	Active []string `json:"active"`
}

// cuts reports whether a component is to be down.
func (f faultFile) cuts(component string) bool {
	return component == faultyReplica && slices.Contains(f.Active, faultDown) || slices.Contains(f.Active, faultStop+"="+component)
}

// applyFaults stops what a fault cuts off, and starts what none does any more.
// It is called between the start and the end of the lab, by the goroutine that
// stops everything.
func (s *supervisor) applyFaults(ctx context.Context) {
	var f faultFile
	if _, err := readJSON(s.paths.faults(), &f); err != nil {
		s.logf("%v", err)
		return
	}
	for _, u := range s.units {
		s.mu.Lock()
		now := s.state.find(u.spec.Name).Condition
		s.mu.Unlock()
		switch down := f.cuts(u.spec.Name); {
		case down && now == running:
			s.cutOff(u)
		case !down && now == cut:
			if err := s.bringBack(ctx, u); err != nil {
				s.logf("%v", err)
			}
		}
	}
}

// cutOff stops one unit. It is marked first, so that its end is no surprise.
func (s *supervisor) cutOff(u *unit) {
	s.component(u, func(c *componentState) { c.Condition = cut })
	u.process.stop(u.spec.Stop, s.plan.StopGrace)
	s.component(u, func(c *componentState) { c.Exit = u.process.exit })
	s.logf("%s is cut off by a fault", u.spec.Name)
}

// bringBack starts a unit that was cut off, and returns when it is ready.
func (s *supervisor) bringBack(ctx context.Context, u *unit) error {
	began := time.Now()
	p, err := launch(u.spec, s.paths.log(u.spec.Name))
	if err != nil {
		return err
	}
	u.process = p
	s.component(u, func(c *componentState) { c.Process, c.Condition, c.Exit = p.identity, starting, "" })
	if err := s.awaitReady(ctx, u); err != nil {
		s.component(u, func(c *componentState) {
			if p.gone() {
				c.Condition, c.Exit = exited, p.exit
			}
		})
		return err
	}
	s.component(u, func(c *componentState) { c.Condition, c.StartSecs = running, time.Since(began).Seconds() })
	s.logf("%s is back after %.1f s", u.spec.Name, time.Since(began).Seconds())
	go s.watch(u, p, func(error) {})
	return nil
}
