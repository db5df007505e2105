package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/internal/importer"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

// settings are what the command line says.
type settings struct {
	config importer.Config
	dryRun bool
}

func parse(args []string, getenv func(string) string, stderr io.Writer) (settings, error) {
	s := settings{config: importer.Config{DataSources: map[string]string{}}}
	c := &s.config
	fs := flag.NewFlagSet("import", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&c.Address, "url", getenv("GRAFANA_URL"), "address of Grafana; GRAFANA_URL by default")
	fs.StringVar(&c.Folder, "folder", importer.DefaultFolder, "title or uid of the folder; made if there is none")
	fs.Func("datasource", "`type=name`: the data source of that type to use, by uid or name, or none to do without (may be repeated); by default the only one there",
		func(text string) error { return addSource(c.DataSources, text) })
	fs.StringVar(&c.Flavor, "flavor", "", "form of the histograms, native or classic; by default what the Prometheus has")
	fs.StringVar(&c.Prometheus, "prometheus", "", "address of the Prometheus to ask for series; by default it is asked through Grafana")
	fs.BoolVar(&c.Force, "force", false, "overwrite and delete what was changed in Grafana, too")
	fs.BoolVar(&s.dryRun, "dry-run", false, "only show what would be done, with every difference")
	check := fs.Bool("check", false, "only name the series that dashboards and rules need and Prometheus lacks")
	uninstall := fs.Bool("uninstall", false, "take out what imports brought in")
	fs.DurationVar(&c.Alerts.LatencyObjective, "latency-objective", slo.DefaultLatency, "how long an answered request may take")
	latency := fs.Float64("latency-target", 100*slo.DefaultLatencyTarget, "percent of answered requests that must keep the latency objective")
	noError := fs.Float64("error-target", 100*slo.DefaultErrorTarget, "percent of requests that must not end in a server error")
	fs.StringVar(&c.Alerts.Jobs, "jobs", alerts.DefaultJobs, "regular expression: scrape jobs that the target alerts watch")
	fs.StringVar(&c.Alerts.StoreJobs, "store-jobs", alerts.DefaultStoreJobs, "regular expression: those of them whose absence is a ticket and not a page")
	fs.StringVar(&c.Alerts.RunbookBase, "runbook-base", alerts.DefaultRunbookBase, "address of the folder with the runbooks")
	if err := fs.Parse(args); err != nil {
		return s, err
	}
	if fs.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q; every option starts with --", fs.Arg(0))
	}
	c.Alerts.LatencyTarget, c.Alerts.ErrorTarget = *latency/100, *noError/100
	switch {
	case *check && *uninstall:
		return s, errors.New("--check and --uninstall are two things; give one")
	case *check && s.dryRun:
		return s, errors.New("--check changes nothing anyway; leave --dry-run out")
	case *check:
		c.Purpose = importer.Check
	case *uninstall:
		c.Purpose = importer.Remove
	}
	return s, nil
}

func addSource(to map[string]string, text string) error {
	kind, name, ok := strings.Cut(text, "=")
	if !ok || kind == "" || name == "" {
		return errors.New("want a type and a name, such as prometheus=Mimir")
	}
	if before, twice := to[kind]; twice {
		return fmt.Errorf("there is %s=%s already", kind, before)
	}
	to[kind] = name
	return nil
}
