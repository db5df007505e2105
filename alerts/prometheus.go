package alerts

import (
	"fmt"
	"strconv"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// groupPrefix keeps the groups apart from those that the target Prometheus has
// already: it refuses nothing, but people look for groups by name.
const groupPrefix = "plumbline-"

// The documents of Prometheus' rule files.
type (
	promFile struct {
		Groups []promGroup `yaml:"groups"`
	}
	promGroup struct {
		Name     string     `yaml:"name"`
		Interval string     `yaml:"interval"`
		Rules    []promRule `yaml:"rules"`
	}
	promRule struct {
		Record      string            `yaml:"record,omitempty"`
		Alert       string            `yaml:"alert,omitempty"`
		Expr        string            `yaml:"expr"`
		For         string            `yaml:"for,omitempty"`
		Labels      map[string]string `yaml:"labels,omitempty"`
		Annotations *promAnnotations  `yaml:"annotations,omitempty"`
	}
	promAnnotations struct {
		Summary      string `yaml:"summary"`
		Description  string `yaml:"description"`
		DashboardURL string `yaml:"dashboard_url"`
		RunbookURL   string `yaml:"runbook_url"`
	}
)

// WritePrometheus writes one rule file per group into a folder per flavour
// below dir: dir/native/slo-errors.yml. Without flavours it writes all of
// them, whatever o.Flavor says. Folders are made as needed; other files in
// them stay as they are. It fails before the first file for options that are
// out of bounds.
func WritePrometheus(dir string, o Options, flavors ...Flavor) error {
	return writeFlavors(dir, o, flavors, RenderPrometheus)
}

// RenderPrometheus returns the rule files of o.Flavor by file name.
func RenderPrometheus(o Options) (map[string][]byte, error) {
	return renderEach(o, Options.describeFlavor, func(g Group, _ Options) any { return promFile{Groups: []promGroup{promGroupOf(g)}} })
}

func promGroupOf(g Group) promGroup {
	p := promGroup{
		Name:     groupPrefix + g.Name,
		Interval: promql.FormatDuration(g.Interval),
		Rules:    make([]promRule, len(g.Rules)),
	}
	for i, r := range g.Rules {
		p.Rules[i] = promRuleOf(r)
	}
	return p
}

func promRuleOf(r Rule) promRule {
	p := promRule{Record: r.Record, Alert: r.Alert, Expr: r.Expr.Multiline()}
	if r.Alert == "" {
		return p
	}
	if r.For > 0 {
		p.For = promql.FormatDuration(r.For)
	}
	p.Labels = r.labels()
	p.Annotations = &promAnnotations{
		Summary:      r.Annotations.Summary,
		Description:  r.Annotations.Description,
		DashboardURL: r.Annotations.DashboardURL,
		RunbookURL:   r.Annotations.RunbookURL,
	}
	return p
}

// labels are all labels that an alert adds to those of its series.
func (r Rule) labels() map[string]string {
	labels := map[string]string{string(catalog.AlertSeverity): string(r.Severity)}
	for l, v := range r.Labels {
		labels[string(l)] = v
	}
	return labels
}

// describe says in a file which options it was made with.
func (o Options) describe() string {
	text := fmt.Sprintf("%s of answered requests within %v, %s of requests without a server error",
		percent(o.LatencyTarget), o.LatencyObjective, percent(o.ErrorTarget))
	if o.TimeScale != 1 {
		text += "; all times multiplied by " + strconv.FormatFloat(o.TimeScale, 'g', -1, 64) + ", for a drill"
	}
	return text + "."
}

// describeFlavor is describe for files that differ by flavour.
func (o Options) describeFlavor() string { return o.Flavor.String() + " histograms; " + o.describe() }
