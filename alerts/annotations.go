package alerts

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

// serviceAnnotations completes the annotations of an alert whose series name a
// service: the link opens the dashboard on that service.
func (o Options) serviceAnnotations(alert, summary, description string) Annotations {
	return o.serviceAnnotationsOn(catalog.DashboardServiceOverview, alert, summary, description)
}

// serviceAnnotationsOn does so with another dashboard that knows services.
func (o Options) serviceAnnotationsOn(uid catalog.DashboardUID, alert, summary, description string) Annotations {
	link := o.dashboard(uid) +
		"?" + setVariable(catalog.VarService, catalog.ServiceName) +
		// A service need not have an environment, and an empty choice would
		// select nothing instead of everything.
		"{{ with $labels." + string(catalog.DeploymentEnvironment) + " }}&var-" + string(catalog.VarEnvironment) +
		"={{ . | urlquery }}{{ end }}"
	return Annotations{Summary: summary, Description: description, DashboardURL: link, RunbookURL: o.runbook(alert)}
}

// targetAnnotations completes the annotations of an alert whose series name a
// scrape job only: the link opens the dashboard on the stack, which knows jobs.
func (o Options) targetAnnotations(alert, summary, description string) Annotations {
	return Annotations{
		Summary:      summary,
		Description:  description,
		DashboardURL: o.dashboard(catalog.DashboardStackHealth),
		RunbookURL:   o.runbook(alert),
	}
}

// replicationAnnotations is serviceAnnotations with a link to the dashboard on
// replication, of the service that watches it.
func (o Options) replicationAnnotations(alert, summary, description string) Annotations {
	a := o.serviceAnnotations(alert, summary, description)
	_, query, _ := strings.Cut(a.DashboardURL, "?")
	a.DashboardURL = o.dashboard(catalog.DashboardReplicationLag) + "?" + query
	return a
}

func (o Options) dashboard(uid catalog.DashboardUID) string {
	return strings.TrimRight(o.DashboardBase, "/") + "/d/" + url.PathEscape(string(uid))
}

func (o Options) runbook(alert string) string {
	return strings.TrimRight(o.RunbookBase, "/") + "/" + url.PathEscape(alert) + ".md"
}

func setVariable(v catalog.Variable, l catalog.Label) string {
	return "var-" + string(v) + "={{ $labels." + string(l) + " | urlquery }}"
}

func label(l catalog.Label) string { return "{{ $labels." + string(l) + " }}" }

func service() string { return label(catalog.ServiceName) }

// percentage shows the alert's value, a ratio.
func percentage() string { return "{{ $value | humanizePercentage }}" }

func percent(ratio float64) string {
	return strconv.FormatFloat(ratio*100, 'g', 6, 64) + "%"
}
