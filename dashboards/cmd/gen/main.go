// Command gen writes plumbline's dashboards as JSON files that Grafana loads.
//
//	go run ./dashboards/cmd/gen                                   # the committed files
//	go run ./dashboards/cmd/gen --out /tmp/dashboards --flavor classic --latency-objective 250ms
//
// With --form kubernetes it writes ConfigMaps of Kubernetes instead. It changes
// nothing but the dashboards' own files in --out. Options out of
// bounds are all reported at once, and then nothing is written.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cacheu/plumbline/dashboards"
	"github.com/cacheu/plumbline/internal/promql/slo"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	var o dashboards.Options
	fs := flag.NewFlagSet("gen", flag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.String("out", filepath.FromSlash("dashboards/generated"), "folder for the files")
	form := fs.String("form", "json", "what to write: json for Grafana, or kubernetes for ConfigMaps")
	flavor := fs.String("flavor", "native", "form of the histograms in the target Prometheus: native or classic")
	fs.DurationVar(&o.LatencyObjective, "latency-objective", slo.DefaultLatency, "how long an answered request may take")
	latency := fs.Float64("latency-target", 100*slo.DefaultLatencyTarget, "percent of answered requests that must keep the latency objective")
	noError := fs.Float64("error-target", 100*slo.DefaultErrorTarget, "percent of requests that must not end in a server error")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; every option starts with --", fs.Arg(0))
	}
	o.LatencyTarget, o.ErrorTarget = *latency/100, *noError/100
	f, err := dashboards.ParseFlavor(*flavor)
	if err != nil {
		return fmt.Errorf("--flavor: %w", err)
	}
	o.Flavor = f
	switch *form {
	case "json":
		return dashboards.WriteWith(*out, o)
	case "kubernetes":
		return dashboards.WriteKubernetes(*out, o)
	}
	return fmt.Errorf("--form %q is unknown; use json or kubernetes", *form)
}
