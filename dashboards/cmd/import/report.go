package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cacheu/plumbline/internal/importer"
)

// report writes for people.
type report struct{ to io.Writer }

func (r report) say(format string, args ...any) { fmt.Fprintf(r.to, format+"\n", args...) }

func (r report) target(address string, t importer.Target) {
	r.say("Grafana %s at %s", t.Version.Text, address)
	for _, plugin := range slices.Sorted(maps.Keys(t.Sources)) {
		s := t.Sources[plugin]
		r.say("  %s: data source %q (uid %s)", plugin, s.Name, s.UID)
	}
	if t.Flavor != "" {
		r.say("  histograms: %s", t.Flavor)
	}
	for _, n := range t.Notes {
		r.say("  note: %s", n)
	}
}

// sign stands in front of a change.
func sign(a importer.Action) string {
	switch a {
	case importer.Create:
		return "+"
	case importer.Update:
		return "~"
	case importer.Delete:
		return "-"
	case importer.Keep:
		return "!"
	}
	return "="
}

// carryOut shows the plan and does it, unless it is only to be shown.
func (r report) carryOut(ctx context.Context, p *importer.Plan, dryRun bool) error {
	for _, c := range p.Changes {
		if c.Action == importer.Same {
			continue
		}
		r.say("%s %s %s (%s)", sign(c.Action), c.Kind, c.Title, c.UID)
		if c.Reason != "" {
			r.say("    stays: %s", c.Reason)
		}
		// What is kept is shown always: it is the reason to look.
		if dryRun || c.Action == importer.Keep {
			for _, line := range c.Diff {
				r.say("    %s", line)
			}
		}
	}
	if dryRun {
		r.say("dry run, nothing was changed: %s", counts(p, "to create", "to update", "to delete"))
		return nil
	}
	if err := p.Apply(ctx); err != nil {
		return err
	}
	r.say("done: %s", counts(p, "created", "updated", "deleted"))
	return nil
}

func counts(p *importer.Plan, created, updated, deleted string) string {
	return fmt.Sprintf("%d %s, %d %s, %d %s, %d kept as they are, %d unchanged", p.Count(importer.Create), created,
		p.Count(importer.Update), updated, p.Count(importer.Delete), deleted, p.Count(importer.Keep), p.Count(importer.Same))
}

// missing reports what is missing, and fails if anything is.
func (r report) missing(missing []importer.Needed, asked int) error {
	for _, n := range missing {
		r.say("missing: %s", n)
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d series that dashboards and rules read were not in Prometheus within the last day", len(missing), asked)
	}
	r.say("all %d series that dashboards and rules read are in Prometheus", asked)
	return nil
}
