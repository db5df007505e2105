package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Group is a set of rules that are evaluated together, in order. Its name is
// also the name of its file.
type Group struct {
	// Name is unique among the groups, in lower case with hyphens.
	Name string
	// Doc says in a sentence or two what the group is for.
	Doc string
	// Interval is the time between two evaluations.
	Interval time.Duration
	// Rules are in order of evaluation.
	Rules []Rule
}

// Rule either records a series or raises an alert: exactly one of Record and
// Alert is set.
type Rule struct {
	// Record is the name of the series that the rule writes.
	Record string
	// Alert is the name of the alert, which is also that of its runbook.
	Alert string
	// Expr is what is recorded; or, of an alert, the series that are in
	// trouble, with the value that its annotations show.
	Expr promql.Expr
	// For is how long a series must be in trouble before the alert fires.
	For time.Duration
	// Severity says who is told, and when. Alerts only.
	Severity Severity
	// Labels are further labels of the alert.
	Labels map[catalog.Label]string
	// Annotations are for the person who is told. Alerts only.
	Annotations Annotations
}

// Severity says who is told, and when.
type Severity string

// The severities.
const (
	// Page wakes somebody: users suffer now, or nobody could tell if they did.
	Page Severity = "page"
	// Ticket waits for working hours.
	Ticket Severity = "ticket"
	// Heartbeat is a sign of life: it always fires, and is trouble when it stops.
	Heartbeat Severity = "heartbeat"
)

// Severities returns every severity.
func Severities() []Severity { return []Severity{Page, Ticket, Heartbeat} }

// Annotations tell a person what happened and where to look. They are
// templates in the language of Prometheus.
type Annotations struct {
	// Summary is one line.
	Summary string
	// Description says what was measured, with its values, and what it means.
	Description string
	// DashboardURL opens the dashboard that shows it.
	DashboardURL string
	// RunbookURL opens the page that says what to do.
	RunbookURL string
}

// All returns every group for the options, zero fields of which take their
// defaults. It fails if the options are out of bounds, with every reason.
func All(o Options) ([]Group, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("alert options: %w", err)
	}
	recording, err := sloRecording(o)
	if err != nil {
		return nil, fmt.Errorf("alert options: %w", err)
	}
	return []Group{
		recording, sloErrors(o), sloLatency(o), targets(o), replication(o), utilization(o),
		routes(o), jobs(o), database(o), process(o), absence(o), telemetry(o), stack(o),
	}, nil
}
