package importer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/dashboards"
	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/promql"
)

// DefaultFolder is the title of the folder, and its uid where plumbline makes
// it.
const DefaultFolder = "plumbline"

// Config says what to import, and where.
type Config struct {
	// Purpose is what is going to be asked of the Importer. Defaults to Import.
	Purpose Purpose
	// Client asks the Grafana. Required.
	Client *grafana.Client
	// Address is that of the Grafana as people open it: alerts link there.
	// Required.
	Address string
	// Folder is the title or the uid of the folder for dashboards and rules. It
	// is made if there is none. Defaults to DefaultFolder.
	Folder string
	// DataSources names, by the plugin's id, the data source to use of that
	// kind: by its uid or its name, or None. Of a kind that is not named, the
	// Grafana must have exactly one.
	DataSources map[string]string
	// Flavor is "native" or "classic", the form of histograms that the rules
	// and dashboards read. Defaults to the one that the target's Prometheus has.
	Flavor string
	// Prometheus is the address of the target's Prometheus, for questions about
	// its series. Defaults to asking it through Grafana.
	Prometheus string
	// Force overwrites and deletes what was changed in Grafana, too.
	Force bool
	// Alerts are the options of the alerts, the objectives among them.
	// Flavor, DashboardBase and what names Grafana's own things is set here.
	Alerts alerts.Options
	// Now tells the time. Defaults to time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Folder == "" {
		c.Folder = DefaultFolder
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("the client is missing"))
	}
	if strings.TrimSpace(c.Folder) != c.Folder || strings.Contains(c.Folder, "/") {
		errs = append(errs, fmt.Errorf("folder %q has blanks around it or a slash in it", c.Folder))
	}
	if c.Flavor != "" {
		if _, err := promql.ParseFlavor(c.Flavor); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Importer imports into one Grafana. Make it with Connect.
type Importer struct {
	cfg    Config
	client *grafana.Client
	prom   grafana.Prometheus
	target Target
	flavor promql.Flavor
	// may is what the token is allowed; nil where Grafana does not tell.
	may grafana.Permissions
}

// Target returns what the Grafana was found to be. What is chosen is missing
// for the purpose Remove, which needs none of it.
func (i *Importer) Target() Target { return i.target }

// Connect asks the Grafana what it is, and chooses data sources and flavour. It
// changes nothing. It fails if the token is not accepted or lacks a permission
// (all of which are named), and if a data source is absent or ambiguous (those
// there are listed).
func Connect(ctx context.Context, c Config) (*Importer, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	i := &Importer{cfg: c, client: c.Client}
	version, err := c.Client.Version(ctx)
	if err != nil {
		return nil, err
	}
	i.target.Version = version
	if err := i.checkPermissions(ctx); err != nil {
		return nil, err
	}
	if c.Purpose == Remove {
		return i, nil
	}
	if err := i.chooseSources(ctx); err != nil {
		return nil, err
	}
	if err := i.reachPrometheus(); err != nil {
		return nil, err
	}
	if err := i.chooseFlavor(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// reachPrometheus decides how questions about series are asked.
func (i *Importer) reachPrometheus() error {
	if i.cfg.Prometheus == "" {
		i.prom = i.client.Through(i.target.Sources[pluginPrometheus].UID)
		return nil
	}
	p, err := grafana.Directly(i.cfg.Prometheus)
	i.prom = p
	return err
}

// dashboardOptions are those of the alerts, as far as dashboards have them.
func (i *Importer) dashboardOptions() dashboards.Options {
	return dashboards.Options{
		LatencyObjective: i.cfg.Alerts.LatencyObjective, LatencyTarget: i.cfg.Alerts.LatencyTarget,
		ErrorTarget: i.cfg.Alerts.ErrorTarget, Flavor: i.flavor,
	}
}
