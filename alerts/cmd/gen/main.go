// Command gen writes plumbline's rules and alerts as files that Prometheus,
// Grafana and the Prometheus operator of Kubernetes load.
//
//	go run ./alerts/cmd/gen                                   # the committed files
//	go run ./alerts/cmd/gen --out /tmp/rules --form prometheus --flavor native --latency-objective 250ms --target 99
//
// It changes nothing but the files of its own groups below --out. Options out
// of bounds are all reported at once, and then nothing is written.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// settings are what the flags say.
type settings struct {
	options          alerts.Options
	out              string
	flavor, form     string
	latency, noError float64 // targets in percent
}

func run(args []string, stderr io.Writer) error {
	var s settings
	fs := s.flags()
	fs.SetOutput(stderr)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; every option starts with --", fs.Arg(0))
	}
	if err := refuseZeros(fs); err != nil {
		return err
	}
	s.options.LatencyTarget, s.options.ErrorTarget = s.latency/100, s.noError/100
	forms, err := parseForms(s.form)
	if err != nil {
		return err
	}
	flavors, err := parseFlavors(s.flavor)
	if err != nil {
		return err
	}
	for _, f := range forms {
		if err := f.write(filepath.Join(s.out, f.name), s.options, flavors); err != nil {
			return err
		}
	}
	return nil
}

// refuseZeros returns an error for every option that was given as zero or
// nothing: it would silently mean its default.
func refuseZeros(fs *flag.FlagSet) error {
	var errs []error
	fs.Visit(func(f *flag.Flag) {
		if v := f.Value.String(); v == "" || v == "0" || v == "0s" {
			errs = append(errs, fmt.Errorf("--%s is %q; leave it out for its default, which is %s", f.Name, v, f.DefValue))
		}
	})
	return errors.Join(errs...)
}

func (s *settings) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("gen", flag.ContinueOnError)
	o := &s.options
	fs.StringVar(&s.out, "out", filepath.FromSlash("alerts/generated"), "folder; files go to <form>/<flavor>/ below it, those of Grafana to <form>/")
	fs.StringVar(&s.form, "form", "all", "what to write: prometheus, grafana, kubernetes or all")
	fs.StringVar(&s.flavor, "flavor", "both", "form of the histograms in the target Prometheus: native, classic or both")
	fs.DurationVar(&o.LatencyObjective, "latency-objective", slo.DefaultLatency, "how long an answered request may take")
	fs.Float64Var(&s.latency, "latency-target", 100*slo.DefaultLatencyTarget, "percent of answered requests that must keep the latency objective")
	fs.Float64Var(&s.latency, "target", 100*slo.DefaultLatencyTarget, "short for --latency-target")
	fs.Float64Var(&s.noError, "error-target", 100*slo.DefaultErrorTarget, "percent of requests that must not end in a server error")
	fs.IntVar(&o.MinBadRequests, "min-bad-requests", alerts.DefaultMinBadRequests, "bad requests in the long window below which no burn alert fires, and failed jobs, N+1 findings, dropped items or refused lines in theirs")
	fs.IntVar(&o.MinRequests, "min-requests", alerts.DefaultMinRequests, "answers of a route in five minutes below which its P99 says nothing")
	fs.DurationVar(&o.JobAgeLimit, "job-age-limit", alerts.DefaultJobAgeLimit, "how long a job that is due may wait")
	fs.Float64Var(&o.TimeScale, "time-scale", 1, "factor on every window, delay and interval, for drills: 0.1 makes an hour six minutes")
	fs.DurationVar(&o.ScrapeInterval, "scrape-interval", alerts.DefaultScrapeInterval, "how often Prometheus scrapes, which bounds --time-scale")
	fs.StringVar(&o.Jobs, "jobs", alerts.DefaultJobs, "regular expression: scrape jobs that the target alerts watch")
	fs.StringVar(&o.StoreJobs, "store-jobs", alerts.DefaultStoreJobs, "regular expression: those of them whose absence is a ticket and not a page")
	fs.StringVar(&o.RunbookBase, "runbook-base", alerts.DefaultRunbookBase, "address of the folder with the runbooks")
	fs.StringVar(&o.DashboardBase, "dashboard-base", alerts.DefaultDashboardBase, "address of the Grafana with the dashboards")
	fs.StringVar(&o.DatasourceUID, "datasource-uid", alerts.DefaultDatasourceUID, "uid of the Prometheus data source that alerts in Grafana ask")
	fs.StringVar(&o.Folder, "folder", alerts.DefaultFolder, "title of the folder of the alerts in Grafana")
	return fs
}

// form is one way to write the rules. Its name is that of its folder.
type form struct {
	name  string
	write func(dir string, o alerts.Options, flavors []alerts.Flavor) error
}

func forms() []form {
	return []form{
		{"prometheus", func(dir string, o alerts.Options, flavors []alerts.Flavor) error {
			return alerts.WritePrometheus(dir, o, flavors...)
		}},
		// Alerts ask for the same in both flavours.
		{"grafana", func(dir string, o alerts.Options, flavors []alerts.Flavor) error {
			o.Flavor = flavors[0]
			return alerts.WriteGrafana(dir, o)
		}},
		{"kubernetes", func(dir string, o alerts.Options, flavors []alerts.Flavor) error {
			return alerts.WriteKubernetes(dir, o, flavors...)
		}},
	}
}

func parseForms(s string) ([]form, error) {
	all := forms()
	if s == "all" {
		return all, nil
	}
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}
	if i := slices.Index(names, s); i >= 0 {
		return all[i : i+1], nil
	}
	return nil, fmt.Errorf("--form: unknown form %q; use %s or all", s, strings.Join(names, ", "))
}

func parseFlavors(s string) ([]alerts.Flavor, error) {
	if s == "both" {
		return alerts.Flavors(), nil
	}
	f, err := alerts.ParseFlavor(s)
	if err != nil {
		return nil, fmt.Errorf("--flavor: %w, or both", err)
	}
	return []alerts.Flavor{f}, nil
}
