package lab

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// spec says how one component runs. It is data only, so that a plan can be
// written down by `up` and carried out by the detached supervisor.
type spec struct {
	Name string `json:"name"`
	// Needs are components that must be ready first and that [Config.Only]
	// pulls in; After are those it merely follows where they are in the plan.
	// Stopping goes the other way round along both.
	Needs []string `json:"needs,omitempty"`
	After []string `json:"after,omitempty"`

	Args []string `json:"args"` // Args[0] is an absolute path
	Env  []string `json:"env"`  // whole environment: nothing is inherited
	Dir  string   `json:"dir"`
	User *account `json:"user,omitempty"` // nil runs as the lab's own user

	// Once marks a step that runs to its end and must succeed.
	Once  bool  `json:"once,omitempty"`
	Probe probe `json:"probe"`

	Address string         `json:"address"`
	Stop    syscall.Signal `json:"stop"` // zero means TERM
}

// account is the user a component runs as.
type account struct {
	Name string `json:"name"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
}

// plan is everything the supervisor needs to know.
type plan struct {
	Home         string        `json:"home"`
	Specs        []spec        `json:"specs"`
	Ports        []Port        `json:"ports"` // of these specs
	StopGrace    time.Duration `json:"stop_grace"`
	ReadyTimeout time.Duration `json:"ready_timeout"`
	Notes        []string      `json:"notes,omitempty"` // what is left out, and why
}

// follows lists what a spec starts after, of the names that are in the plan.
func (s spec) follows(planned map[string]bool) []string {
	var names []string
	for _, name := range append(append([]string{}, s.Needs...), s.After...) {
		if planned[name] {
			names = append(names, name)
		}
	}
	return names
}

// names returns the set of planned names.
func names(specs []spec) map[string]bool {
	set := make(map[string]bool, len(specs))
	for _, s := range specs {
		set[s.Name] = true
	}
	return set
}

// pick keeps the wanted specs and all that they need, in the given order. No
// wish keeps everything.
func pick(specs []spec, only []string) []spec {
	if len(only) == 0 {
		return specs
	}
	byName := map[string]spec{}
	for _, s := range specs {
		byName[s.Name] = s
	}
	keep := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if keep[name] {
			return
		}
		keep[name] = true
		for _, need := range byName[name].Needs {
			add(need)
		}
	}
	for _, name := range only {
		add(name)
	}
	var kept []spec
	for _, s := range specs {
		if keep[s.Name] {
			kept = append(kept, s)
		}
	}
	return kept
}

// order sorts specs so that each comes after all that it follows, and keeps
// the given order where it is free to. It refuses a need that is not planned,
// and a circle.
func order(specs []spec) ([]spec, error) {
	planned := names(specs)
	var problems []error
	for _, s := range specs {
		for _, need := range s.Needs {
			if !planned[need] {
				problems = append(problems, fmt.Errorf("%s needs %s, which is not in the plan", s.Name, need))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	sorted := make([]spec, 0, len(specs))
	placed := map[string]bool{}
	for len(sorted) < len(specs) {
		before := len(sorted)
		for _, s := range specs {
			if !placed[s.Name] && allIn(placed, s.follows(planned)) {
				placed[s.Name] = true
				sorted = append(sorted, s)
			}
		}
		if len(sorted) == before {
			return nil, fmt.Errorf("components wait for each other in a circle: %s", strings.Join(missing(specs, placed), ", "))
		}
	}
	return sorted, nil
}

// allIn reports whether every name is in the set.
func allIn(set map[string]bool, names []string) bool {
	for _, name := range names {
		if !set[name] {
			return false
		}
	}
	return true
}

// missing lists the specs that are not in the set.
func missing(specs []spec, set map[string]bool) []string {
	var left []string
	for _, s := range specs {
		if !set[s.Name] {
			left = append(left, s.Name)
		}
	}
	return left
}
