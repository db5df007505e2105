// Command overhead measures what the agent costs a service, beside what others
// cost, and writes docs/overhead.md from the results.
//
//	go run ./cmd/overhead [-rounds n] [-part requests,logs,server,memory] [-out file.json] [-doc file.md]
//
// Every comparison is of alternating runs on one machine. It takes about 25
// minutes for everything, and a machine that does nothing else. Exit status 1
// means that something could not be measured; figures are judged by people.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/cacheu/plumbline/internal/measured"
)

// part is one thing that can be measured.
type part struct {
	name    string
	measure func(context.Context, options, *Results) error
}

func parts() []part {
	return []part{
		{"requests", measureRequests}, {"logs", measureLogs}, {"server", measureServer}, {"memory", measureMemory},
	}
}

// options are what the flags say.
type options struct {
	rounds   int
	parts    string
	out, doc string
	log      io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := Run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

// Run carries out one command line.
func Run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		if role, ok := roles()[args[0]]; ok { // a process that the measurement starts
			return role(ctx, args[1:], out)
		}
	}
	o := options{log: out}
	flags := flag.NewFlagSet("overhead", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&o.rounds, "rounds", 10, "alternating repetitions of each comparison")
	flags.StringVar(&o.parts, "part", "requests,logs,server,memory", "what to measure")
	flags.StringVar(&o.out, "out", "results.json", "results so far, which the new ones are put into")
	flags.StringVar(&o.doc, "doc", "", "Markdown file to write from the results")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.rounds < 2 {
		return fmt.Errorf("-rounds is %d, want at least 2: one run says nothing about noise", o.rounds)
	}
	results, err := measured.Load[Results](o.out)
	if err != nil {
		return err
	}
	known := []string{}
	for _, p := range parts() {
		known = append(known, p.name)
	}
	wanted := strings.Split(o.parts, ",")
	for _, name := range wanted {
		if name != "" && !slices.Contains(known, name) {
			return fmt.Errorf("-part names %q, want some of %s", name, strings.Join(known, ", "))
		}
	}
	for _, p := range parts() {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		if err := p.measure(ctx, o, &results); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		if err := measured.Save(o.out, results); err != nil {
			return err
		}
	}
	if o.doc == "" {
		return nil
	}
	return results.document(o.doc)
}
