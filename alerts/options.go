package alerts

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// Flavor is the form in which the target Prometheus stores histograms.
type Flavor = promql.Flavor

// The flavours.
const (
	Native  = promql.Native
	Classic = promql.Classic
)

// Flavors returns every flavour.
func Flavors() []Flavor { return promql.Flavors() }

// ParseFlavor returns the flavour called "native" or "classic".
func ParseFlavor(s string) (Flavor, error) { return promql.ParseFlavor(s) }

// Defaults of [Options]. Those of the objectives are in the fields' comments.
const (
	DefaultMinBadRequests = 10
	DefaultMinRequests    = 100
	DefaultJobAgeLimit    = 10 * time.Minute
	DefaultScrapeInterval = 5 * time.Second
	DefaultJobs           = ".+"
	DefaultStoreJobs      = "alertmanager|grafana|jaeger|loki|prometheus|pyroscope"
	DefaultRunbookBase    = "https://github.com/cacheu/plumbline/blob/main/docs/runbooks"
	DefaultDashboardBase  = "http://127.0.0.1:3000"
	DefaultDatasourceUID  = "prometheus"
	DefaultFolder         = "plumbline alerts"
)

// Options are what may differ from one installation to the next. The zero
// value of each field means its default.
type Options struct {
	// LatencyObjective is how long an answered request may take. For the
	// classic flavour it must be one of the histogram's bucket bounds.
	// Defaults to 300 ms.
	LatencyObjective time.Duration
	// LatencyTarget is the share of answered requests, 0 to 1, that must keep
	// the objective. Defaults to 0.995.
	LatencyTarget float64
	// ErrorTarget is the share of requests, 0 to 1, that must not end in a
	// server error. Defaults to 0.999.
	ErrorTarget float64
	// MinBadRequests is how many requests must have failed (or been slow)
	// within the long window of a burn alert before it may fire: a service
	// with ten requests an hour should not wake anybody over one of them. The
	// alerts on failed jobs, N+1 queries, dropped telemetry and refused log
	// lines want as many of theirs within their windows. Defaults to 10.
	MinBadRequests int
	// MinRequests is how many requests a route must have answered within five
	// minutes before the alert on its P99 may fire: of fewer than 100, P99 is
	// the slowest one. Defaults to 100.
	MinRequests int
	// JobAgeLimit is for how long a job that is due may wait. TimeScale
	// shortens it too. Defaults to 10 minutes.
	JobAgeLimit time.Duration
	// TimeScale shortens every window, delay and interval, for drills: 0.1
	// makes an hour six minutes. Recorded series keep their names. Defaults
	// to 1, which is also the most; the least is where the shortest window
	// holds two scrapes.
	TimeScale float64
	// ScrapeInterval is how often Prometheus scrapes. It only bounds TimeScale.
	// Defaults to 5 seconds, the lab's.
	ScrapeInterval time.Duration
	// Flavor is the form of the histograms. Defaults to Native.
	Flavor Flavor
	// Jobs is a regular expression: the scrape jobs that the target alerts
	// watch. Defaults to ".+", every job.
	Jobs string
	// StoreJobs is a regular expression: those of Jobs that hold telemetry
	// and serve no users, so that their absence is a ticket and not a page.
	// Defaults to the jobs of plumbline's own stores.
	StoreJobs string
	// RunbookBase is the address of the folder that holds <Alert>.md.
	// Defaults to plumbline's own runbooks.
	RunbookBase string
	// DashboardBase is the address of the Grafana that has the dashboards.
	// Defaults to http://127.0.0.1:3000, the lab's.
	DashboardBase string
	// DatasourceUID is the uid of the Prometheus data source that alerts in
	// Grafana ask. Defaults to "prometheus", the lab's.
	DatasourceUID string
	// Folder is the title of the folder that has the alerts in Grafana: not that
	// of the dashboards, which Grafana would make twice. Defaults
	// to "plumbline alerts".
	Folder string
}

// WithDefaults returns o with every zero field set to its default.
func (o Options) WithDefaults() Options {
	objectives := o.objectives().WithDefaults()
	o.LatencyObjective = objectives.Latency
	o.LatencyTarget = objectives.LatencyTarget
	o.ErrorTarget = objectives.ErrorTarget
	if o.MinBadRequests == 0 {
		o.MinBadRequests = DefaultMinBadRequests
	}
	if o.MinRequests == 0 {
		o.MinRequests = DefaultMinRequests
	}
	if o.JobAgeLimit == 0 {
		o.JobAgeLimit = DefaultJobAgeLimit
	}
	if o.TimeScale == 0 {
		o.TimeScale = 1
	}
	if o.ScrapeInterval == 0 {
		o.ScrapeInterval = DefaultScrapeInterval
	}
	o.Jobs = orDefault(o.Jobs, DefaultJobs)
	o.StoreJobs = orDefault(o.StoreJobs, DefaultStoreJobs)
	o.RunbookBase = orDefault(o.RunbookBase, DefaultRunbookBase)
	o.DashboardBase = orDefault(o.DashboardBase, DefaultDashboardBase)
	o.DatasourceUID = orDefault(o.DatasourceUID, DefaultDatasourceUID)
	o.Folder = orDefault(o.Folder, DefaultFolder)
	return o
}

func orDefault(s, byDefault string) string {
	if s == "" {
		return byDefault
	}
	return s
}

// Validate reports every field that is out of bounds, one line each. It
// expects defaults to be set.
func (o Options) Validate() error {
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	if o.Flavor != Native && o.Flavor != Classic {
		add(fmt.Errorf("flavour %v is unknown; use native or classic", o.Flavor))
	}
	add(o.objectives().Validate(o.Flavor))
	if o.MinBadRequests < 1 {
		add(fmt.Errorf("least number of bad requests %d is not positive; use 1 to switch the guard off", o.MinBadRequests))
	}
	if o.MinRequests < 1 {
		add(fmt.Errorf("least number of requests %d is not positive; use 1 to switch the guard off", o.MinRequests))
	}
	if o.JobAgeLimit <= 0 {
		add(fmt.Errorf("job age limit %v is not positive; use for example 10m", o.JobAgeLimit))
	}
	// Not written as a pair of comparisons that fail, because NaN fails none.
	if o.ScrapeInterval <= 0 {
		add(fmt.Errorf("scrape interval %v is not positive; use for example 5s", o.ScrapeInterval))
	} else if lowest := 2 * o.ScrapeInterval.Seconds() / rateWindow.Seconds(); !(o.TimeScale >= lowest && o.TimeScale <= 1) {
		add(fmt.Errorf("time scale %v is not between %.4f and 1: below, the shortest window would hold no two scrapes",
			o.TimeScale, lowest))
	}
	add(validatePattern("jobs", o.Jobs))
	add(validatePattern("store jobs", o.StoreJobs))
	add(validateBase("runbook base", o.RunbookBase))
	add(validateBase("dashboard base", o.DashboardBase))
	if !isUID(o.DatasourceUID) {
		add(fmt.Errorf("data source uid %q is none: use 1 to %d letters, digits, hyphens and underscores", o.DatasourceUID, maxUID))
	}
	if strings.TrimSpace(o.Folder) == "" || strings.ContainsAny(o.Folder, "$/") {
		add(fmt.Errorf("folder %q is no title: use one without $ and slashes, which Grafana takes for variables and paths", o.Folder))
	}
	return errors.Join(errs...)
}

func validatePattern(name, pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("%s %q is no regular expression: %w", name, pattern, err)
	}
	return nil
}

func validateBase(name, base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%s %q is no http or https address", name, base)
	}
	return nil
}

func (o Options) objectives() slo.Objectives {
	return slo.Objectives{Latency: o.LatencyObjective, LatencyTarget: o.LatencyTarget, ErrorTarget: o.ErrorTarget}
}

const (
	// rateWindow is the window of the rates that everything longer is summed
	// up from. It is the shortest window of the burn alerts.
	rateWindow = 5 * time.Minute
	// evalInterval is how often rules are evaluated.
	evalInterval = 30 * time.Second
)

func (o Options) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * o.TimeScale).Round(time.Millisecond)
}

func (o Options) window(d time.Duration) promql.Window { return promql.Over(o.scaled(d)) }

func (o Options) interval() time.Duration { return max(o.scaled(evalInterval), time.Second) }
