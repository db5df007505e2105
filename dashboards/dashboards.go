package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
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

// ParseFlavor returns the flavour called "native" or "classic".
func ParseFlavor(s string) (Flavor, error) { return promql.ParseFlavor(s) }

// Options are what may differ from one installation to the next. The zero
// value of each field means its default. Objectives only colour panels and
// count slow requests; they should be those of the alerts.
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
	// Flavor is the form of the histograms. Defaults to Native.
	Flavor Flavor
}

// WithDefaults returns o with every zero field set to its default.
func (o Options) WithDefaults() Options {
	objectives := o.objectives().WithDefaults()
	o.LatencyObjective = objectives.Latency
	o.LatencyTarget = objectives.LatencyTarget
	o.ErrorTarget = objectives.ErrorTarget
	return o
}

// Validate reports every field that is out of bounds, one line each. It
// expects defaults to be set.
func (o Options) Validate() error {
	if o.Flavor != Native && o.Flavor != Classic {
		return fmt.Errorf("flavour %v is unknown; use native or classic", o.Flavor)
	}
	return o.objectives().Validate(o.Flavor)
}

func (o Options) objectives() slo.Objectives {
	return slo.Objectives{Latency: o.LatencyObjective, LatencyTarget: o.LatencyTarget, ErrorTarget: o.ErrorTarget}
}

// Dashboard is one dashboard, ready to be written.
type Dashboard struct {
	// UID is the identity of the dashboard in Grafana and the name of its file.
	UID catalog.DashboardUID
	// Title is what people see.
	Title string
	// Model is the dashboard in Grafana's own terms.
	Model dashboard.Dashboard
}

// JSON returns the dashboard as Grafana loads it: indented, the same bytes
// each time, with a line feed at the end.
func (d Dashboard) JSON() ([]byte, error) {
	content, err := json.MarshalIndent(d.Model, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", d.UID, err)
	}
	return append(content, '\n'), nil
}

// All returns every dashboard with the default options.
func All() ([]Dashboard, error) { return Build(Options{}) }

// Build returns every dashboard for the options, zero fields of which take
// their defaults. It fails if the options are out of bounds, with every reason.
func Build(o Options) ([]Dashboard, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("dashboard options: %w", err)
	}
	var all []Dashboard
	for _, build := range []func(Options) (Dashboard, error){
		serviceOverview, percentiles, bottlenecks, database, jobs, utilization, replicationLag, profiling,
		objectives, logsAndTraces, stackHealth, benchmarks,
	} {
		d, err := build(o)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Write writes every dashboard with the default options to dir, each to a file
// named by its UID. The folder is made if need be; other files in it stay as
// they are.
func Write(dir string) error { return WriteWith(dir, Options{}) }

// WriteWith is Write with other options. It fails before the first file for
// options that are out of bounds.
func WriteWith(dir string, o Options) error {
	all, err := Build(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder for dashboards: %w", err)
	}
	for _, d := range all {
		content, err := d.JSON()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, string(d.UID)+".json"), content, 0o644); err != nil {
			return fmt.Errorf("write dashboard: %w", err)
		}
	}
	return nil
}
