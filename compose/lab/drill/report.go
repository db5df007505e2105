package drill

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// String returns the alert as people write it: TargetDown (page).
func (a Alert) String() string { return a.Name + " (" + a.Severity + ")" }

// Result is what came of one drill.
type Result struct {
	Drill
	// Fire and Reach are how long it took, from the beginning of the fault, until
	// all alerts of the drill fired, and until Alertmanager knew of them; Clear,
	// from the end of the fault, until both had forgotten them. Zero where it did
	// not come so far.
	Fire, Reach, Clear time.Duration
	// Again says that this is the second attempt.
	Again bool
	// Err is what did not go as it should; nil if all did.
	Err error

	others map[Alert]bool // that fired and were not asked to
}

// note adds the alerts that fire and are neither the drill's nor from before.
func (r *Result) note(now state, before map[Alert]bool) {
	for a := range now.firing {
		if a.Name != "Deadman" && !before[a] && !slices.Contains(r.Fires, a) {
			r.others[a] = true
		}
	}
}

// String returns one line about the drill.
func (r Result) String() string {
	line := fmt.Sprintf("%-40s %s", r.Name, strings.Join(strung(r.Fires), ", "))
	if r.Err != nil {
		return line + ": " + r.Err.Error()
	}
	line += fmt.Sprintf(": fires after %.1f s, is in Alertmanager after %.1f s", r.Fire.Seconds(), r.Reach.Seconds())
	if !r.Slow {
		line += fmt.Sprintf(", ends after %.1f s", r.Clear.Seconds())
	}
	return line
}

// Report is what came of a run.
type Report struct {
	Results []Result
	// Quiet is nil if, after the last drill, all alerts but the deadman ended, and
	// QuietAfter how long that took.
	Quiet      error
	QuietAfter time.Duration
}

// Err returns an error for each drill that did not go as it should.
func (r Report) Err() error {
	var errs []error
	for _, result := range r.Results {
		if result.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", result.Name, result.Err))
		}
	}
	if r.Quiet != nil {
		errs = append(errs, fmt.Errorf("after the last drill: %w", r.Quiet))
	}
	return errors.Join(errs...)
}

// Markdown returns docs/drills.md.
func (r Report) Markdown() []byte {
	var b strings.Builder
	b.WriteString(`<!-- Written by "make drill". DO NOT EDIT. -->
# Drills

` + "`make drill`" + ` starts a native lab of its own with real servers, breaks it in every way below, one after the other, and
fails unless exactly the alerts that this should raise fire in Prometheus, reach Alertmanager, and end in both once the
fault has ended. All times of the rules are a hundredth of the real ones: five minutes are three seconds. A request is
slow after one second, and the guards against low traffic ask for three events. Prometheus scrapes every second.

"May also fire" are consequences that depend on how long a drill takes; any other alert fails it. Alerts about
processors and disks are left out, which the lab shares with everything else on the machine. With windows of seconds, a
machine that is busy with something else can miss a scrape or two and raise an alert of its own, so a drill that does not
go as it should is done once more.

| fault | alerts | fire after | reach Alertmanager after | end after | may also fire | also fired |
|---|---|---|---|---|---|---|
`)
	for _, result := range r.Results {
		b.WriteString(result.row())
	}
	if r.Quiet == nil {
		fmt.Fprintf(&b, "\nSome alerts look at long windows and outlast their drill (\"later\"). %.0f s after the last drill nothing fired but the deadman.\n", r.QuietAfter.Seconds())
	} else {
		fmt.Fprintf(&b, "\nAfter the last drill: %v.\n", r.Quiet)
	}
	b.WriteString("\n## Alerts without a drill\n\n")
	without := Undrilled()
	for _, a := range sorted(without) {
		fmt.Fprintf(&b, "- %s: %s.\n", a, without[a])
	}
	return []byte(b.String())
}

// row is the drill's line of the table.
func (r Result) row() string {
	what := r.Name
	if len(r.Faults) > 0 {
		what += " (`" + strings.Join(r.Faults, "`, `") + "`)"
	}
	seconds := func(d time.Duration) string {
		if d == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	end := seconds(r.Clear)
	if r.Slow {
		end = "later"
	}
	if r.Again {
		what += " (second attempt)"
	}
	also := strings.Join(names(r.others, nil), ", ")
	if r.Err != nil {
		also = strings.TrimPrefix(also+"; FAILED: "+strings.ReplaceAll(r.Err.Error(), "\n", "; "), "; ")
	}
	return "| " + strings.Join([]string{
		what, strings.Join(strung(r.Fires), ", "), seconds(r.Fire), seconds(r.Reach), end, strings.Join(names(setOf(r.May), setOf(r.Fires)), ", "), also,
	}, " | ") + " |\n"
}

// names returns the alerts of a set, sorted, without some.
func names(set, without map[Alert]bool) []string {
	var list []Alert
	for a := range set {
		if !without[a] {
			list = append(list, a)
		}
	}
	text := strung(list)
	slices.Sort(text)
	return text
}

// missing returns those that are not in the set.
func missing(list []Alert, set map[Alert]bool) []string {
	var not []Alert
	for _, a := range list {
		if !set[a] {
			not = append(not, a)
		}
	}
	return strung(not)
}

func strung(list []Alert) []string {
	text := make([]string, len(list))
	for i, a := range list {
		text[i] = a.String()
	}
	return text
}

func setOf(list []Alert) map[Alert]bool {
	set := map[Alert]bool{}
	for _, a := range list {
		set[a] = true
	}
	return set
}

func sorted[V any](m map[Alert]V) []Alert {
	var list []Alert
	for a := range m {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Alert) int { return strings.Compare(a.String(), b.String()) })
	return list
}
