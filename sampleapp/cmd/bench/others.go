package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cacheu/plumbline/sampleapp/internal/bench"
	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/roles"
	"github.com/cacheu/plumbline/sampleapp/internal/stage"
)

// compare compares two runs.
func compare(_ context.Context, args []string, _ func(string) string, s streams) error {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	a := f.String("a", "", "the older `run`: its name or the path of its file")
	b := f.String("b", "", "the newer `run`")
	out := f.String("out", "bench/out", "the `folder` where names are looked up")
	threshold := f.Float64("threshold", bench.DefaultThreshold, "by how much of the old value a latency may grow")
	if err := parse(f, args, s.err); err != nil {
		return err
	}
	if *a == "" || *b == "" {
		return fmt.Errorf("%w: compare needs --a and --b, each the name of a run or the path of its file", errUsage)
	}
	older, err := find(*out, *a)
	if err != nil {
		return err
	}
	newer, err := find(*out, *b)
	if err != nil {
		return err
	}
	for _, r := range []*bench.Result{older, newer} {
		if r.Partial != "" {
			return fmt.Errorf("run %s is partial: %s", r.RunID, r.Partial)
		}
	}
	differences, err := bench.Compare(older, newer, *threshold)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "A  %s\nB  %s\n", older.RunID, newer.RunID)
	for _, d := range differences {
		fmt.Fprintf(s.out, "\n%s", d.Text())
	}
	return bench.Regressed(differences)
}

// find reads a run by name or path.
func find(dir, run string) (*bench.Result, error) {
	if strings.HasSuffix(run, ".json") {
		return bench.Read(run)
	}
	r, err := bench.Read(filepath.Join(dir, run+".json"))
	if !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	var there []string
	files, _ := filepath.Glob(filepath.Join(dir, "*.json")) // the pattern is well-formed
	for _, f := range files {
		there = append(there, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("there is no run %q: %s holds none", run, dir)
	}
	return nil, fmt.Errorf("there is no run %q, there are: %s", run, strings.Join(there, ", "))
}

// pages writes the figures of published results into the pages of the lab.
func pages(_ context.Context, args []string, _ func(string) string, s streams) error {
	f := flag.NewFlagSet("page", flag.ContinueOnError)
	dir := f.String("dir", "docs/lab", "the `folder` of the pages")
	results := f.String("results", "bench/results", "the `folder` of the published results")
	if err := parse(f, args, s.err); err != nil {
		return err
	}
	written, err := bench.UpdatePages(*results, *dir)
	for _, path := range written {
		fmt.Fprintln(s.out, path)
	}
	return err
}

// serve runs one part of a variant.
func serve(ctx context.Context, args []string, getenv func(string) string, s streams) error {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	role := bench.Role{}
	f.StringVar(&role.Scenario, "scenario", "", "the scenario")
	f.StringVar(&role.Variant, "variant", "", "the variant")
	f.StringVar(&role.Part, "part", stage.Main, "the part of the variant")
	if err := parse(f, args, s.err); err != nil {
		return err
	}
	return bench.Serve(ctx, role, getenv, s.in, s.out)
}

// serveRedis runs the stand-in for Redis until ctx or its input ends.
func serveRedis(ctx context.Context, args []string, getenv func(string) string, s streams) error {
	f := flag.NewFlagSet("redis", flag.ContinueOnError)
	addr := f.String("addr", "127.0.0.1:16379", "`host:port`")
	if err := parse(f, args, s.err); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, s.in) // any end is the end
		cancel()
	}()
	return roles.Run(ctx, config.Config{Role: config.Redis, RedisAddr: *addr}, getenv, io.Discard)
}
