// Command import brings plumbline's dashboards and alerts into a Grafana that
// you already have, and keeps them up to date there.
//
//	export GRAFANA_URL=https://grafana.example.com GRAFANA_TOKEN=glsa_...
//	go run github.com/cacheu/plumbline/dashboards/cmd/import@latest --dry-run
//	go run github.com/cacheu/plumbline/dashboards/cmd/import@latest
//
// With --dry-run it only shows what it would do, with --check which series the
// target's Prometheus lacks, with --uninstall it takes everything out again. It
// never overwrites what was changed in Grafana, unless told by --force. Its
// status is 1 for errors, and with --check if series are missing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/importer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends it at once
	err := Run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "import:", err)
		os.Exit(1)
	}
}

// Run does what the arguments say. The environment gives GRAFANA_URL and
// GRAFANA_TOKEN; the token is no argument, because others can see those.
func Run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	s, err := parse(args, getenv, stderr)
	if err != nil {
		return err
	}
	client, err := grafana.New(grafana.Config{URL: s.config.Address, Token: getenv("GRAFANA_TOKEN")})
	if err != nil {
		return fmt.Errorf("%w\nset GRAFANA_URL and GRAFANA_TOKEN; docs/importing.md says what the token must be allowed", err)
	}
	s.config.Client = client
	i, err := importer.Connect(ctx, s.config)
	if err != nil {
		return err
	}
	report := report{stdout}
	report.target(s.config.Address, i.Target())
	switch s.config.Purpose {
	case importer.Check:
		missing, asked, err := i.Missing(ctx)
		if err != nil {
			return err
		}
		return report.missing(missing, asked)
	case importer.Remove:
		p, err := i.Uninstall(ctx)
		if err != nil {
			return err
		}
		return report.carryOut(ctx, p, s.dryRun)
	}
	p, err := i.Plan(ctx)
	if err != nil {
		return err
	}
	return report.carryOut(ctx, p, s.dryRun)
}
