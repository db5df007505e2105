package alerts

import (
	"fmt"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Names of the alerts of the stack on itself.
const (
	PrometheusRuleFails       = "PrometheusRuleFails"
	PrometheusRulesLate       = "PrometheusRulesLate"
	PrometheusCannotNotify    = "PrometheusCannotNotify"
	ConfigReloadFailed        = "ConfigReloadFailed"
	AlertmanagerCannotDeliver = "AlertmanagerCannotDeliver"
	LokiRefusesLogs           = "LokiRefusesLogs"
	LokiCannotStore           = "LokiCannotStore"
	Deadman                   = "Deadman"
)

// Windows and delays of these alerts.
const (
	stackWindow = 5 * time.Minute
	stackFor    = 5 * time.Minute
	lateFor     = 10 * time.Minute
	lokiWindow  = 15 * time.Minute
	deadmanFor  = time.Minute
)

// stack alerts on the servers that all other alerts depend on. Where an alert
// can get lost it is a page: nobody could tell whether users suffer.
func stack(o Options) Group {
	return Group{
		Name:     "stack",
		Doc:      "Alerts of Prometheus, Alertmanager and Loki on themselves, and one that always fires.",
		Interval: o.interval(),
		Rules: []Rule{
			o.ruleFails(), o.rulesLate(), o.cannotNotify(), o.reloadFailed(),
			o.cannotDeliver(), o.lokiRefuses(), o.lokiCannotStore(), o.deadman(),
		},
	}
}

// perServer are the labels of one server of the stack.
func perServer(more ...catalog.Label) []catalog.Label {
	return append([]catalog.Label{catalog.Job, catalog.Instance}, more...)
}

// grown returns by how much a counter has grown on each server, where it has.
func (o Options) grown(c catalog.Counter, over time.Duration, by ...catalog.Label) promql.Expr {
	return promql.Above(promql.Sum(promql.Increase(c, o.window(over)), perServer(by...)...), promql.Number(0))
}

func (o Options) ruleFails() Rule {
	return Rule{
		Alert:    PrometheusRuleFails,
		Expr:     o.grown(catalog.PromRuleFailures, stackWindow, catalog.RuleGroup),
		For:      o.scaled(stackFor),
		Severity: Page,
		Annotations: o.targetAnnotations(PrometheusRuleFails,
			fmt.Sprintf("A rule of %s fails", label(catalog.RuleGroup)),
			fmt.Sprintf("%s evaluations of rules in %s failed on %s within the last five minutes. "+
				"A rule that fails records nothing and raises nothing.", `{{ printf "%.0f" $value }}`, label(catalog.RuleGroup), label(catalog.Instance))),
	}
}

// rulesLate matters to the alerts on budgets too: they count events by how many
// evaluations there were.
func (o Options) rulesLate() Rule {
	return Rule{
		Alert:    PrometheusRulesLate,
		Expr:     o.grown(catalog.PromRuleMissed, stackWindow, catalog.RuleGroup),
		For:      o.scaled(lateFor),
		Severity: Ticket,
		Annotations: o.targetAnnotations(PrometheusRulesLate,
			fmt.Sprintf("%s is not evaluated in time", label(catalog.RuleGroup)),
			fmt.Sprintf("%s evaluations of %s were left out on %s within the last five minutes, because the ones before took too long. "+
				"Its alerts come late, and those on budgets count too little.", `{{ printf "%.0f" $value }}`, label(catalog.RuleGroup), label(catalog.Instance))),
	}
}

// cannotNotify needs no guard against few alerts: Deadman sees to it that there
// always is something to send.
func (o Options) cannotNotify() Rule {
	return Rule{
		Alert: PrometheusCannotNotify,
		Expr: promql.Or(o.grown(catalog.PromNotifyErrors, stackWindow, catalog.AlertmanagerURL),
			o.grown(catalog.PromNotifyDropped, stackWindow, catalog.AlertmanagerURL)),
		For:      o.scaled(stackFor),
		Severity: Page,
		Annotations: o.targetAnnotations(PrometheusCannotNotify,
			fmt.Sprintf("%s loses alerts", label(catalog.Instance)),
			fmt.Sprintf("%s could not hand %s alerts to Alertmanager within the last five minutes. "+
				"If there is no other Alertmanager, this one will not reach you that way either.", label(catalog.Instance), `{{ printf "%.0f" $value }}`)),
	}
}

func (o Options) reloadFailed() Rule {
	return Rule{
		Alert: ConfigReloadFailed,
		Expr: promql.Or(
			promql.Equals(promql.Min(promql.Value(catalog.PromReloaded), perServer()...), promql.Number(0)),
			promql.Equals(promql.Min(promql.Value(catalog.AlertmanagerReloaded), perServer()...), promql.Number(0))),
		For:      o.scaled(stackFor),
		Severity: Ticket,
		Annotations: o.targetAnnotations(ConfigReloadFailed,
			fmt.Sprintf("%s goes on with an old configuration", label(catalog.Instance)),
			fmt.Sprintf("%s of the job %s could not read its configuration when it was last told to (success is {{ $value }}). "+
				"It goes on with the one before, and would not start again with this one.", label(catalog.Instance), label(catalog.Job))),
	}
}

func (o Options) cannotDeliver() Rule {
	return Rule{
		Alert:    AlertmanagerCannotDeliver,
		Expr:     o.grown(catalog.AlertmanagerFailures, stackWindow, catalog.Integration),
		For:      o.scaled(stackFor),
		Severity: Page,
		Annotations: o.targetAnnotations(AlertmanagerCannotDeliver,
			fmt.Sprintf("Alertmanager cannot deliver by %s", label(catalog.Integration)),
			fmt.Sprintf("%s could not deliver %s notifications by %s within the last five minutes. Whoever should have got them was told nothing.",
				label(catalog.Instance), `{{ printf "%.0f" $value }}`, label(catalog.Integration))),
	}
}

// lokiRefuses has [Options.MinBadRequests] as its guard: with the default of 10
// lines in a quarter of an hour, a client that sends an odd line too late after
// a restart raises nothing.
func (o Options) lokiRefuses() Rule {
	refused := promql.Sum(promql.Increase(catalog.LokiDiscarded, o.window(lokiWindow)), perServer(catalog.Reason)...)
	return Rule{
		Alert:    LokiRefusesLogs,
		Expr:     promql.AtLeast(refused, promql.Number(float64(o.MinBadRequests))),
		For:      o.scaled(stackFor),
		Severity: Ticket,
		Annotations: o.targetAnnotations(LokiRefusesLogs,
			fmt.Sprintf("Loki refuses log lines: %s", label(catalog.Reason)),
			fmt.Sprintf("%s refused %s log lines within the last quarter of an hour, for the reason %s. They are lost.",
				label(catalog.Instance), `{{ printf "%.0f" $value }}`, label(catalog.Reason))),
	}
}

func (o Options) lokiCannotStore() Rule {
	return Rule{
		Alert:    LokiCannotStore,
		Expr:     o.grown(catalog.LokiFlushFailures, lokiWindow),
		For:      o.scaled(stackFor),
		Severity: Ticket,
		Annotations: o.targetAnnotations(LokiCannotStore,
			"Loki cannot store log lines",
			fmt.Sprintf("%s failed %s times within the last quarter of an hour to store a chunk of log lines. It keeps them in memory meanwhile, until that is full.",
				label(catalog.Instance), `{{ printf "%.0f" $value }}`)),
	}
}

// deadman always fires. Whoever receives it must raise the alarm when it stops:
// then no alert gets through, whatever the reason.
func (o Options) deadman() Rule {
	return Rule{
		Alert:    Deadman,
		Expr:     promql.Now(),
		For:      o.scaled(deadmanFor),
		Severity: Heartbeat,
		Annotations: o.targetAnnotations(Deadman,
			"Alerts get through",
			"This alert always fires, and was last evaluated at {{ $value | humanizeTimestamp }}. It is no trouble while it comes; if it stops, alerts do not reach you."),
	}
}
