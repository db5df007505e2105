package importer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cacheu/plumbline/internal/grafana"
)

// present is what Grafana has of rules.
type present struct {
	// all are all rules, in order within each group.
	all []grafana.Object
	// byUID are the same.
	byUID map[string]grafana.Object
	// intervals are those of the groups that were asked for, in seconds.
	intervals map[groupKey]int
}

// groupKey is the identity of a group.
type groupKey struct{ folder, title string }

func keyOf(rule grafana.Object) groupKey {
	return groupKey{rule.Text("folderUID"), rule.Text("ruleGroup")}
}

func (i *Importer) readRules(ctx context.Context) (*present, error) {
	all, err := i.client.Rules(ctx)
	if err != nil {
		return nil, err
	}
	there := &present{all: all, byUID: map[string]grafana.Object{}, intervals: map[groupKey]int{}}
	for _, r := range all {
		there.byUID[r.Text("uid")] = r
	}
	return there, nil
}

// interval returns how often the group of a rule is evaluated, in seconds; 0 if
// there is no such group. It asks once.
func (t *present) interval(ctx context.Context, c *grafana.Client, k groupKey) (int, error) {
	if seconds, ok := t.intervals[k]; ok {
		return seconds, nil
	}
	if !slices.ContainsFunc(t.all, func(r grafana.Object) bool { return keyOf(r) == k }) {
		return 0, nil
	}
	g, err := c.Group(ctx, k.folder, k.title)
	if err != nil && !grafana.IsNotFound(err) {
		return 0, err
	}
	t.intervals[k] = g.Interval
	return g.Interval, nil
}

// untouched reports whether the rule is as the last import left it.
func (t *present) untouched(ctx context.Context, c *grafana.Client, rule grafana.Object) (bool, error) {
	interval, err := t.interval(ctx, c, keyOf(rule))
	if err != nil {
		return false, err
	}
	stamp := stampOn(rule)
	return stamp != "" && stamp == checksum(ruleView(rule, interval)), nil
}

func stampOn(rule grafana.Object) string { return rule.Object("annotations").Text(stampKey) }

func isProvisioned(rule grafana.Object) bool { return rule.Text("provenance") == "file" }

// planRules compares all groups, and plans to delete the rules of earlier
// imports that are in none of them any more.
func (i *Importer) planRules(ctx context.Context, p *Plan, folder grafana.Folder) error {
	groups, err := i.groups(folder.UID)
	if err != nil {
		return err
	}
	there, err := i.readRules(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.Rules {
			wanted[r.Text("uid")] = true
		}
	}
	for _, g := range groups {
		if err := i.planGroup(ctx, p, there, g, wanted); err != nil {
			return err
		}
	}
	for _, r := range there.all {
		if stampOn(r) != "" && !wanted[r.Text("uid")] {
			if err := i.planRemoval(ctx, p, there, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// planGroup compares one group. Grafana replaces groups whole, so what is to
// stay is sent back as it is: rules that are kept, and rules of others.
func (i *Importer) planGroup(ctx context.Context, p *Plan, there *present, group grafana.Group, wanted map[string]bool) error {
	key := groupKey{group.FolderUID, group.Title}
	interval, err := there.interval(ctx, i.client, key)
	if err != nil {
		return err
	}
	kept, err := i.keptOf(ctx, there, group)
	if err != nil {
		return err
	}
	before := rulesOf(there.all, key)
	if slices.ContainsFunc(before, isProvisioned) { // Grafana refuses to write such a group
		for _, w := range group.Rules {
			p.add(Change{Action: Keep, Kind: "rule", UID: w.Text("uid"), Title: w.Text("title"), Reason: reasonProvisioned})
		}
		return nil
	}
	send := grafana.Group{Title: group.Title, FolderUID: group.FolderUID, Interval: group.Interval}
	// Somebody's own interval is part of what was changed in the rule.
	if interval != 0 && len(kept) > 0 {
		send.Interval = interval
	}
	changed := false
	for _, w := range group.Rules {
		change := compare(there, w, kept[w.Text("uid")], group.Interval, send.Interval)
		p.add(change)
		switch have := there.byUID[w.Text("uid")]; {
		case change.Action == Keep && keyOf(have) != key: // it stays where somebody moved it
		case change.Action == Keep || change.Action == Same:
			send.Rules = append(send.Rules, have)
		default:
			send.Rules = append(send.Rules, stamped(w, send.Interval))
			changed = true
		}
	}
	for _, r := range before {
		if !wanted[r.Text("uid")] {
			send.Rules = append(send.Rules, r)
		}
	}
	if !changed && len(before) > 0 && !slices.Equal(uids(before), uids(send.Rules)) {
		p.add(Change{Action: Update, Kind: "group", UID: group.Title, Title: group.Title, Diff: []string{
			fmt.Sprintf("- order: %v", uids(before)), fmt.Sprintf("+ order: %v", uids(send.Rules)),
		}})
		changed = true
	}
	if changed {
		p.step("write rule group "+group.Title, func(ctx context.Context) error { return i.client.ReplaceGroup(ctx, send) })
	}
	return nil
}

// keptOf returns, by uid, why rules of a group are to be kept as they are.
func (i *Importer) keptOf(ctx context.Context, there *present, group grafana.Group) (map[string]string, error) {
	kept := map[string]string{}
	for _, w := range group.Rules {
		uid := w.Text("uid")
		have, ok := there.byUID[uid]
		if !ok {
			continue
		}
		untouched, err := there.untouched(ctx, i.client, have)
		if err != nil {
			return nil, err
		}
		switch {
		case isProvisioned(have):
			kept[uid] = reasonProvisioned
		case !untouched && !i.cfg.Force:
			kept[uid] = reasonEdited
		}
	}
	return kept, nil
}

// compare says what becomes of one rule, which is kept if there is a reason to.
// Its group should have one interval and is going to have the other, in
// seconds.
func compare(there *present, wanted grafana.Object, kept string, should, going int) Change {
	change := Change{Kind: "rule", UID: wanted.Text("uid"), Title: wanted.Text("title")}
	have, ok := there.byUID[change.UID]
	if !ok {
		change.Action = Create
		return change
	}
	old := ruleView(have, there.intervals[keyOf(have)])
	if kept != "" {
		change.Action, change.Reason, change.Diff = Keep, kept, diff(old, ruleView(wanted, should))
		if len(change.Diff) == 0 { // somebody made it what it should be
			change.Action, change.Reason = Same, ""
		}
		return change
	}
	updated := ruleView(wanted, going)
	change.Action, change.Diff = Update, diff(old, updated)
	if len(change.Diff) == 0 && stampOn(have) == checksum(updated) {
		change.Action = Same
	}
	return change
}

// planRemoval plans to delete a rule of an earlier import.
func (i *Importer) planRemoval(ctx context.Context, p *Plan, there *present, rule grafana.Object) error {
	change := Change{Action: Delete, Kind: "rule", UID: rule.Text("uid"), Title: rule.Text("title")}
	untouched, err := there.untouched(ctx, i.client, rule)
	if err != nil {
		return err
	}
	switch {
	case isProvisioned(rule):
		change.Action, change.Reason = Keep, reasonProvisioned
	case !untouched && !i.cfg.Force:
		change.Action, change.Reason = Keep, reasonEdited
	default:
		p.step("delete rule "+change.Title, func(ctx context.Context) error { return i.client.DeleteRule(ctx, change.UID) })
	}
	p.add(change)
	return nil
}

// stamped returns a copy of a rule that carries its own checksum.
func stamped(rule grafana.Object, interval int) grafana.Object {
	annotations := map[string]any{}
	maps.Copy(annotations, rule.Object("annotations"))
	annotations[stampKey] = checksum(ruleView(rule, interval))
	with := maps.Clone(rule)
	with["annotations"] = annotations
	return with
}

func rulesOf(all []grafana.Object, k groupKey) []grafana.Object {
	var some []grafana.Object
	for _, r := range all {
		if keyOf(r) == k {
			some = append(some, r)
		}
	}
	return some
}

func uids(rules []grafana.Object) []string {
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = r.Text("uid")
	}
	return all
}
