package importer

import (
	"context"
	"fmt"
)

// Action is what becomes of something in Grafana.
type Action string

// The actions.
const (
	// Create makes what is not there.
	Create Action = "create"
	// Update changes what an import made.
	Update Action = "update"
	// Delete removes what an import made.
	Delete Action = "delete"
	// Keep leaves what is not as it should be; the reason says why.
	Keep Action = "keep"
	// Same leaves what is as it should be.
	Same Action = "same"
)

// Change is what becomes of one folder, dashboard, rule or group.
type Change struct {
	// Action is what happens.
	Action Action
	// Kind is "folder", "dashboard", "rule" or "group".
	Kind string
	// UID is its identity; a group's is its title.
	UID string
	// Title is what people see.
	Title string
	// Diff are the differences, for Update and Keep: what is there with a minus
	// in front, what would be with a plus.
	Diff []string
	// Reason says why it is kept, and otherwise is empty.
	Reason string
}

// Plan is what an import would do. The zero value does nothing.
type Plan struct {
	// Changes are in the order in which they are done.
	Changes []Change
	// steps are the requests that do them, each for one or more changes.
	steps []step
}

// step is one request. It either happens as a whole or not at all.
type step struct {
	what string
	do   func(context.Context) error
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.steps) == 0 }

// Count returns how many changes have the action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// Apply does what the plan says, step by step, and stops at the first error.
// What is done then stays done, and a new plan has the rest.
func (p *Plan) Apply(ctx context.Context) error {
	for n, s := range p.steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s (%d of %d steps were done; run it again for the rest): %w", s.what, n, len(p.steps), err)
		}
	}
	return nil
}

func (p *Plan) add(changes ...Change) { p.Changes = append(p.Changes, changes...) }

func (p *Plan) step(what string, do func(context.Context) error) {
	p.steps = append(p.steps, step{what, do})
}

// Reasons for which something is kept.
const (
	reasonEdited      = "it was changed in Grafana since the last import; --force overwrites it"
	reasonProvisioned = "it comes from a file of that Grafana's provisioning, which alone can change it"
)

// Plan compares what should be in the Grafana with what is, and changes
// nothing.
func (i *Importer) Plan(ctx context.Context) (*Plan, error) {
	p := &Plan{}
	folder, err := i.planFolder(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := i.planDashboards(ctx, p, folder); err != nil {
		return nil, err
	}
	if err := i.planRules(ctx, p, folder); err != nil {
		return nil, err
	}
	return p, nil
}
