// Command gen writes plumbline's rules and alerts as files that Prometheus
// loads.
//
//	go run ./alerts/cmd/gen                                   # the committed files
//	go run ./alerts/cmd/gen --out /tmp/rules --flavor native --latency-objective 250ms --latency-target 99
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

func run(args []string, stderr io.Writer) error {
	var o alerts.Options
	fs := flag.NewFlagSet("gen", flag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.String("out", filepath.FromSlash("alerts/generated"), "folder; files go to prometheus/<flavor>/ below it")
	flavor := fs.String("flavor", "both", "form of the histograms in the target Prometheus: native, classic or both")
	fs.DurationVar(&o.LatencyObjective, "latency-objective", slo.DefaultLatency, "how long an answered request may take")
	latency := fs.Float64("latency-target", 100*slo.DefaultLatencyTarget, "percent of answered requests that must keep the latency objective")
	noError := fs.Float64("error-target", 100*slo.DefaultErrorTarget, "percent of requests that must not end in a server error")
	fs.IntVar(&o.MinBadRequests, "min-bad-requests", alerts.DefaultMinBadRequests, "bad requests in the long window below which no burn alert fires")
	fs.Float64Var(&o.TimeScale, "time-scale", 1, "factor on every window, delay and interval, for drills")
	fs.StringVar(&o.Jobs, "jobs", alerts.DefaultJobs, "regular expression: scrape jobs that the target alerts watch")
	fs.StringVar(&o.StoreJobs, "store-jobs", alerts.DefaultStoreJobs, "regular expression: those of them whose absence is a ticket and not a page")
	fs.StringVar(&o.RunbookBase, "runbook-base", alerts.DefaultRunbookBase, "address of the folder with the runbooks")
	fs.StringVar(&o.DashboardBase, "dashboard-base", alerts.DefaultDashboardBase, "address of the Grafana with the dashboards")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; every option starts with --", fs.Arg(0))
	}
	o.LatencyTarget, o.ErrorTarget = *latency/100, *noError/100
	flavors, err := parseFlavors(*flavor)
	if err != nil {
		return err
	}
	return alerts.WritePrometheus(filepath.Join(*out, "prometheus"), o, flavors...)
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
