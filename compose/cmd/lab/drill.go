package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/compose/lab/drill"
)

// drills does the drills that are named, or all, and writes what came of them
// into a file where one is given.
func drills(ctx context.Context, c lab.Config, args []string, out io.Writer) error {
	var doc string
	names, err := parse("drill", args, len(args), func(f *flag.FlagSet) { f.StringVar(&doc, "doc", "", "file for the table") })
	if err != nil {
		return err
	}
	report, err := drill.Run(ctx, drill.Options{Config: c, Only: names, Out: out})
	if err == nil && len(report.Results) == 0 {
		err = fmt.Errorf("no drill is called anything like %q", names)
	}
	if doc != "" && err == nil {
		err = os.WriteFile(doc, report.Markdown(), 0o644)
	}
	return errors.Join(err, report.Err())
}
