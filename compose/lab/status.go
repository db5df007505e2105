package lab

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Condition is what a component was found to be.
type Condition string

// The conditions. Up and done are well, and what a fault has cut off is as it was
// told to be; the others make [Status.Err] fail.
const (
	ConditionUp       Condition = "up"       // runs, and answered its own probe
	ConditionDone     Condition = "done"     // a one-off step that succeeded
	ConditionStarting Condition = "starting" // not ready yet
	ConditionDown     Condition = "down"     // ended, or does not answer
	ConditionCut      Condition = "cut off"  // stopped by a fault: see [SetFault]
)

// Status is what a lab was found to be, by asking every component.
type Status struct {
	Mode          Mode              `json:"mode"`
	Home          string            `json:"home,omitempty"` // native only
	Running       bool              `json:"running"`        // false: there is no lab
	Phase         string            `json:"phase,omitempty"`
	Began         time.Time         `json:"began,omitzero"`
	StartSeconds  float64           `json:"start_seconds"` // of the whole lab
	Components    []ComponentStatus `json:"components"`
	ResidentBytes uint64            `json:"resident_bytes"` // of all together
	CachedBytes   uint64            `json:"cached_bytes"`
	Notes         []string          `json:"notes,omitempty"`
}

// ComponentStatus is one component's part of [Status].
type ComponentStatus struct {
	Name          string    `json:"name"`
	Condition     Condition `json:"condition"`
	Detail        string    `json:"detail,omitempty"` // why it is not well
	Address       string    `json:"address,omitempty"`
	PID           int       `json:"pid,omitempty"` // native only
	StartSeconds  float64   `json:"start_seconds"` // from its start until it was ready
	ResidentBytes uint64    `json:"resident_bytes"`
	// CachedBytes are pages of the component's own data files that it maps: page
	// cache, which the kernel takes back when others need the memory. They are
	// not part of ResidentBytes; together they are VmRSS. Native only.
	CachedBytes uint64 `json:"cached_bytes"`

	running bool // its process is there, so it has memory
}

// Err is nil when the lab runs and every component is well; else it names each
// component that is not, and why.
func (s Status) Err() error {
	if !s.Running {
		return fmt.Errorf("the lab is not up: start it with `make up`")
	}
	var problems []string
	for _, c := range s.Components {
		if c.Condition != ConditionUp && c.Condition != ConditionDone && c.Condition != ConditionCut {
			problems = append(problems, fmt.Sprintf("%s is %s: %s", c.Name, c.Condition, c.Detail))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("not all is well:\n  %s", strings.Join(problems, "\n  "))
}

// CheckStatus asks every component of the lab how it is. An error means that
// it could not find out; a lab that is down is a Status like any other.
func CheckStatus(ctx context.Context, c Config) (Status, error) {
	c, err := c.checked()
	if err != nil {
		return Status{}, err
	}
	if mode, err := c.runningMode(ctx); err != nil || mode == Docker {
		if err != nil {
			return Status{}, err
		}
		return dockerStatus(ctx, c)
	}
	return nativeStatus(ctx, c)
}

// nativeStatus asks the supervisor's notes, the kernel and every component.
func nativeStatus(ctx context.Context, c Config) (Status, error) {
	at := paths{c.Home}
	status := Status{Mode: Native, Home: c.Home, Components: []ComponentStatus{}}
	st, err := readState(at.state())
	if err != nil || st == nil {
		return status, err
	}
	var p plan
	if _, err := readJSON(at.plan(), &p); err != nil {
		return status, err
	}
	status.Running, status.Phase = true, string(st.Phase)
	status.Began, status.StartSeconds, status.Notes = st.Began, st.ReadySecs, p.Notes

	children := childrenByParent()
	status.Components = append(status.Components, supervisorStatus(st, at))
	status.Components = append(status.Components, componentStatuses(ctx, p, st)...)
	for i := range status.Components {
		c := &status.Components[i]
		if c.Name == supervisorName {
			c.measure(nil, at) // its children are the other rows
		} else {
			c.measure(children, at)
		}
		status.ResidentBytes += c.ResidentBytes
		status.CachedBytes += c.CachedBytes
	}
	return status, nil
}

// supervisorName is the supervisor's row and log.
const supervisorName = "supervisor"

// supervisorStatus is the row about the supervisor itself.
func supervisorStatus(st *state, at paths) ComponentStatus {
	c := ComponentStatus{Name: supervisorName, Condition: ConditionUp, PID: st.Supervisor.PID}
	c.running = st.Supervisor.alive()
	switch {
	case !c.running:
		c.Condition = ConditionDown
		c.Detail = "it has ended, and nobody looks after the rest; see " + at.log(supervisorName) + ", then run `make down`"
	case st.Phase != phaseReady:
		c.Condition, c.Detail = ConditionStarting, "the lab is "+string(st.Phase)
	}
	return c
}

// componentStatuses probes all components at the same time.
func componentStatuses(ctx context.Context, p plan, st *state) []ComponentStatus {
	statuses := make([]ComponentStatus, len(p.Specs))
	var group sync.WaitGroup
	for i, s := range p.Specs {
		group.Go(func() { statuses[i] = componentStatusOf(ctx, s, st.find(s.Name)) })
	}
	group.Wait()
	return statuses
}

// componentStatusOf judges one component: first by its process, then by its
// own answer.
func componentStatusOf(ctx context.Context, s spec, known *componentState) ComponentStatus {
	c := ComponentStatus{Name: s.Name, Address: s.Address, Condition: ConditionDown, Detail: "it was never started"}
	if known == nil {
		return c
	}
	c.PID, c.StartSeconds = known.Process.PID, known.StartSecs
	switch {
	case known.Condition == done:
		c.Condition, c.Detail, c.PID = ConditionDone, "", 0
	case known.Condition == waiting:
		c.Condition, c.Detail = ConditionStarting, "waiting for what it needs"
	case known.Condition == cut:
		c.Condition, c.Detail, c.PID = ConditionCut, "by `lab fault`; `lab fault clear` starts it", 0
	case known.Condition == exited || known.Condition == stopped:
		c.Detail = "it ended: " + known.Exit
	case !known.Process.alive():
		c.Detail = fmt.Sprintf("process %d is gone", known.Process.PID)
	default:
		c.running = true
		c.Condition, c.Detail = answer(ctx, s, known)
	}
	return c
}

// answer asks a component whose process runs.
func answer(ctx context.Context, s spec, known *componentState) (Condition, string) {
	if s.Once {
		return ConditionStarting, "it runs"
	}
	err := s.Probe.check(ctx, statusProbeLimit)
	switch {
	case err == nil && known.Condition == running:
		return ConditionUp, ""
	case known.Condition == starting:
		return ConditionStarting, "not ready yet"
	}
	return ConditionDown, err.Error()
}

// measure fills in the memory of a component whose process runs.
func (c *ComponentStatus) measure(children map[int][]int, at paths) {
	if !c.running {
		return
	}
	m := treeMemory(c.PID, children, at.allData())
	c.ResidentBytes, c.CachedBytes = m.resident(), m.cached
}
