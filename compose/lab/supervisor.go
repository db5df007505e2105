package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// PlanVariable is the environment variable by which Up tells the supervisor
// that it starts which plan to carry out.
const PlanVariable = "PLUMBLINE_LAB_PLAN"

// lockFD is the descriptor on which the supervisor inherits the lock.
const lockFD = 3

// failureLines is how much of a dead component's log is shown.
const failureLines = 20

// boundEvery is how often log sizes are looked at.
const boundEvery = 5 * time.Second

// Supervise carries out the plan at path until it is told to stop (TERM or
// INT), then stops everything in reverse order. A program that serves as
// [Config.Supervisor] calls it, and does nothing else, when [PlanVariable] is
// set. It writes its progress to the state file beside the plan and its own log
// to log, and returns an error when a component could not be started.
func Supervise(path string, log io.Writer) error {
	// Inherited without close-on-exec: without this line every component would
	// hold the lock, and a lab whose supervisor was killed could not be replaced.
	syscall.CloseOnExec(lockFD)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var p plan
	if ok, err := readJSON(path, &p); err != nil || !ok {
		return errors.Join(err, fmt.Errorf("supervise: no plan at %s", path))
	}
	s, err := newSupervisor(p, log)
	if err != nil {
		return err
	}
	signal.Notify(s.faults, syscall.SIGHUP)
	defer signal.Stop(s.faults)
	return s.run(ctx)
}

// unit is one component in the supervisor's hands.
type unit struct {
	spec    spec
	follows []*unit
	leads   []*unit       // the units that follow this one
	ready   chan struct{} // closed once it is ready
	stopped chan struct{} // closed once it is stopped, or was never started

	process *process // set by the goroutine that brings the unit up
}

// supervisor starts, watches and stops the components of one plan. It restarts
// nothing: a component that ends is written down as such.
type supervisor struct {
	plan  plan
	paths paths
	log   io.Writer
	units []*unit
	// faults says that the file of faults has changed.
	faults chan os.Signal

	mu    sync.Mutex
	state state
}

// newSupervisor links the plan's components with each other.
func newSupervisor(p plan, log io.Writer) (*supervisor, error) {
	sorted, err := order(p.Specs)
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	self, err := identify(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	s := &supervisor{plan: p, paths: paths{p.Home}, log: log, faults: make(chan os.Signal, 1)}
	s.state = state{Supervisor: self, Phase: phaseStarting, Began: time.Now()}
	byName, planned := map[string]*unit{}, names(p.Specs)
	for _, sp := range sorted {
		u := &unit{spec: sp, ready: make(chan struct{}), stopped: make(chan struct{})}
		for _, name := range sp.follows(planned) {
			u.follows = append(u.follows, byName[name])
			byName[name].leads = append(byName[name].leads, u)
		}
		byName[sp.Name] = u
		s.units = append(s.units, u)
		s.state.Components = append(s.state.Components, componentState{Name: sp.Name, Condition: waiting})
	}
	return s, nil
}

// run starts everything, stays until ctx ends or the start fails, and stops
// everything.
func (s *supervisor) run(ctx context.Context) error {
	s.update(func(*state) {})
	err := s.startAll(ctx)
	switch {
	case err == nil:
		s.update(func(st *state) {
			st.Phase = phaseReady
			st.ReadySecs = time.Since(st.Began).Seconds()
		})
		s.logf("ready")
		s.attend(ctx)
		s.update(func(st *state) { st.Phase = phaseStopping })
	case ctx.Err() != nil:
		err = nil
		s.update(func(st *state) { st.Phase = phaseStopping })
	default:
		s.logf("%v", err)
	}
	s.stopAll()
	s.update(func(st *state) {
		if st.Phase == phaseStopping {
			st.Phase = phaseStopped
		}
	})
	s.logf("stopped")
	return err
}

// attend keeps the logs bounded, and brings faults about, until ctx ends.
func (s *supervisor) attend(ctx context.Context) {
	ticker := time.NewTicker(boundEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.faults:
			s.applyFaults(ctx)
		case <-ticker.C:
		}
		for _, u := range s.units {
			if err := boundLog(s.paths.log(u.spec.Name), maxLog); err != nil {
				s.logf("%v", err)
			}
		}
	}
}

// startAll brings all units up, each as soon as those it follows are ready. The
// first failure ends the others' waiting and is the one returned.
func (s *supervisor) startAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, u := range s.units {
		group.Go(func() {
			if err := s.bring(ctx, u, cancel); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if ctx.Err() == nil {
		return nil
	}
	err := context.Cause(ctx)
	s.recordFailure(err)
	return err
}

// startError is a component's failure to start.
type startError struct {
	component string
	reason    string
}

func (e *startError) Error() string { return e.component + " " + e.reason }

// recordFailure writes down which component failed, with its last log lines.
func (s *supervisor) recordFailure(err error) {
	var failed *startError
	if !errors.As(err, &failed) {
		return // stopped from outside
	}
	lines := tail(s.paths.log(failed.component), failureLines)
	s.update(func(st *state) {
		st.Phase = phaseFailed
		st.Failure = &failure{Component: failed.component, Message: failed.Error(), Log: lines}
	})
}

// bring starts one unit after those it follows, and returns when it is ready.
// died is told if it ends later, which is a failure while others still start.
func (s *supervisor) bring(ctx context.Context, u *unit, died func(error)) error {
	for _, earlier := range u.follows {
		select {
		case <-earlier.ready:
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	began := time.Now()
	p, err := launch(u.spec, s.paths.log(u.spec.Name))
	if err != nil {
		return &startError{u.spec.Name, err.Error()}
	}
	u.process = p
	s.component(u, func(c *componentState) { c.Process, c.Condition = p.identity, starting })
	s.logf("%s started, process %d", u.spec.Name, p.PID)
	if err := s.awaitReady(ctx, u); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	s.component(u, func(c *componentState) {
		c.StartSecs = time.Since(began).Seconds()
		c.Condition = running
		if u.spec.Once {
			c.Condition = done
		}
	})
	s.logf("%s ready after %.1f s", u.spec.Name, time.Since(began).Seconds())
	close(u.ready)
	if !u.spec.Once {
		go s.watch(u, p, died)
	}
	return nil
}

// awaitReady returns nil when the unit is ready or ctx has ended.
func (s *supervisor) awaitReady(ctx context.Context, u *unit) error {
	timeout := time.NewTimer(s.plan.ReadyTimeout)
	defer timeout.Stop()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	last := errors.New("it was not asked yet")
	for {
		if !u.spec.Once {
			if last = u.spec.Probe.check(ctx, startProbeLimit); last == nil && !u.process.gone() {
				return nil
			}
		}
		select {
		case <-u.process.ended:
			return s.endedEarly(u)
		case <-ctx.Done():
			return nil
		case <-timeout.C:
			return &startError{u.spec.Name, fmt.Sprintf("is not ready after %v: %v", s.plan.ReadyTimeout, last)}
		case <-ticker.C:
		}
	}
}

// endedEarly judges a process that ended before it was ready: right for a step
// that runs once and succeeds, wrong for all others.
func (s *supervisor) endedEarly(u *unit) error {
	if u.spec.Once && u.process.ok {
		return nil
	}
	s.component(u, func(c *componentState) { c.Condition, c.Exit = exited, u.process.exit })
	return &startError{u.spec.Name, "ended while starting: " + u.process.exit}
}

// watch writes down that a running component has ended. It returns when the
// component ends, which stopAll sees to.
func (s *supervisor) watch(u *unit, p *process, died func(error)) {
	<-p.ended
	unexpected := false
	s.component(u, func(c *componentState) {
		if c.Condition == running && (s.state.Phase == phaseReady || s.state.Phase == phaseStarting) {
			unexpected = true
			c.Condition, c.Exit = exited, p.exit
		}
	})
	if unexpected {
		s.logf("%s ended: %s", u.spec.Name, p.exit)
		died(&startError{u.spec.Name, "ended while others were starting: " + p.exit})
	}
}

// stopAll stops each unit after those that follow it, as much as possible at
// the same time.
func (s *supervisor) stopAll() {
	var group sync.WaitGroup
	for _, u := range s.units {
		group.Go(func() {
			defer close(u.stopped)
			for _, later := range u.leads {
				<-later.stopped
			}
			s.stopUnit(u)
		})
	}
	group.Wait()
}

// stopUnit stops one unit, if it was started and still runs.
func (s *supervisor) stopUnit(u *unit) {
	if u.process == nil || u.process.gone() {
		return
	}
	began := time.Now()
	killed := u.process.stop(u.spec.Stop, s.plan.StopGrace)
	s.component(u, func(c *componentState) { c.Condition, c.Exit = stopped, u.process.exit })
	if killed {
		s.logf("%s did not stop within %v and was killed", u.spec.Name, s.plan.StopGrace)
		return
	}
	s.logf("%s stopped after %.1f s: %s", u.spec.Name, time.Since(began).Seconds(), u.process.exit)
}

// component changes one component's state and writes the state down.
func (s *supervisor) component(u *unit, change func(*componentState)) {
	s.update(func(st *state) { change(st.find(u.spec.Name)) })
}

// update changes the state and writes it down. A full disk must not end the
// lab: it is logged, and the next change tries again.
func (s *supervisor) update(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
	if err := writeJSON(s.paths.state(), s.state); err != nil {
		s.printf("%v", err)
	}
}

// logf writes one line to the supervisor's log.
func (s *supervisor) logf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printf(format, args...)
}

// printf is logf for callers that hold mu.
func (s *supervisor) printf(format string, args ...any) {
	fmt.Fprintf(s.log, "%s %s\n", time.Now().Format("2006-01-02T15:04:05.000"), fmt.Sprintf(format, args...))
}
