// Command cost measures what the rules and the dashboards cost a Prometheus that
// watches many services, and writes docs/cost.md from the results.
//
//	go run ./cost [-instances n] [-routes n] [-hours n] [-flavor native|classic] [-out file.json] [-doc file.md]
//
// It starts a Prometheus of its own on a free port of loopback, with a folder of
// its own for data, and stops and removes both when it ends, also when it is
// interrupted. It needs a machine that does nothing else. Exit status 1 means
// that something could not be measured; figures are judged by people.
//
// The files:
//
//	main.go      flags
//	measure.go   the order of things
//	history.go   blocks with the past
//	feed.go      the present, by remote write at the scrape interval
//	server.go    Prometheus as a process
//	rules.go     evaluations of rule groups
//	panels.go    queries of dashboards
//	results.go   what is kept of it
//	document.go  docs/cost.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/promql"
)

// options are what the flags say.
type options struct {
	services, instances, routes, hours int
	evaluations, rounds                int
	flavor                             string
	out, doc                           string
	log                                io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := Run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

// Run carries out one command line.
func Run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	o := options{log: out}
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&o.services, "services", 20, "services that the instances are of")
	flags.IntVar(&o.instances, "instances", 1000, "instances of all services together")
	flags.IntVar(&o.routes, "routes", 30, "routes of each instance")
	flags.IntVar(&o.hours, "hours", 24, "time range of the dashboards, in hours")
	flags.IntVar(&o.evaluations, "evaluations", 10, "evaluations of each rule group that count")
	flags.IntVar(&o.rounds, "rounds", 3, "times that each query is sent")
	flags.StringVar(&o.flavor, "flavor", "native", "form of the histograms; with classic, rules only")
	flags.StringVar(&o.out, "out", "results.json", "JSON file with the results so far, which the new ones are put into")
	flags.StringVar(&o.doc, "doc", "", "Markdown file to write from the results")
	if err := flags.Parse(args); err != nil {
		return err
	}
	flavor, err := promql.ParseFlavor(o.flavor)
	if err != nil {
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	results, err := measured.Load[Results](o.out)
	if err != nil {
		return err
	}
	one, err := o.measure(ctx, getenv, flavor)
	if err != nil {
		return err
	}
	results.put(one)
	if err := measured.Save(o.out, results); err != nil {
		return err
	}
	return results.write(o.doc)
}

func (o *options) validate() error {
	o.services = min(o.services, o.instances)
	var errs []error
	if o.services > 0 && o.instances%o.services != 0 {
		errs = append(errs, fmt.Errorf("-instances is %d, want a multiple of the %d services", o.instances, o.services))
	}
	for name, n := range map[string]int{"services": o.services, "instances": o.instances, "routes": o.routes, "hours": o.hours, "evaluations": o.evaluations, "rounds": o.rounds} {
		if n < 1 {
			errs = append(errs, fmt.Errorf("-%s is %d, want at least 1", name, n))
		}
	}
	return errors.Join(errs...)
}
