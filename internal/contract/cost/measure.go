package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/repo"
	"github.com/cacheu/plumbline/internal/contract/synth"
	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/promql"
)

// say tells how far it is.
func (o options) say(format string, a ...any) {
	fmt.Fprintf(o.log, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, a...))
}

// measure does all of it, and leaves nothing behind.
func (o options) measure(ctx context.Context, getenv func(string) string, flavor promql.Flavor) (m Measured, err error) {
	root, err := repo.Root()
	if err != nil {
		return m, err
	}
	program, err := prometheusProgram(ctx, root, getenv, o.log)
	if err != nil {
		return m, err
	}
	rules := filepath.Join(root, "alerts", "generated", "prometheus", flavor.String(), "*.yml")
	population, err := o.populate(flavor, rules)
	if err != nil {
		return m, err
	}
	dir, err := os.MkdirTemp("", "plumbline-cost-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m = Measured{Machine: measured.ThisMachine(), Flavor: flavor.String(), Form: o.form()}
	h := newHistory(population, time.Now(), o.hours)
	if m.Stored, err = o.store(ctx, h, filepath.Join(dir, "data")); err != nil {
		return m, err
	}
	server, err := startPrometheus(ctx, program, dir, rules)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	f := newFeed(h, server.url, time.Now())
	err = beside(ctx, func(ctx context.Context, failed context.CancelCauseFunc) {
		server.watch(ctx, failed)
	}, func(ctx context.Context) error {
		return beside(ctx, func(ctx context.Context, failed context.CancelCauseFunc) {
			if err := f.run(ctx); err != nil {
				failed(err)
			}
		}, func(ctx context.Context) error { return o.ask(ctx, server, f, &m) })
	})
	if err != nil {
		return m, err
	}
	m.Stored.Behind = f.behind().Seconds()
	m.Server, err = server.use()
	return m, err
}

// beside runs main while other runs, and returns when both have ended: other is
// told to end when main has, and main when other has failed.
func beside(ctx context.Context, other func(context.Context, context.CancelCauseFunc), main func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		other(ctx, cancel)
	}()
	err := main(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	<-ended
	if err != nil && cause != nil {
		return cause
	}
	return err
}

// populate makes the services up. Where only rules are measured, only what they
// read is there: classic buckets are twenty series for each native histogram.
func (o options) populate(flavor promql.Flavor, rules string) (*synth.Population, error) {
	c := synth.Config{Services: o.services, Instances: o.instances / o.services, Routes: o.routes, Flavor: flavor}
	if flavor == promql.Classic {
		var err error
		if c.Only, err = readBy(rules); err != nil {
			return nil, err
		}
	}
	return synth.New(c)
}

// readBy returns the metrics of the catalogue that rule files read.
func readBy(pattern string) ([]string, error) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no rules %s: %w", pattern, err)
	}
	text := ""
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		text += string(content)
	}
	var read []string
	for _, m := range catalog.All() {
		name := m.Desc().Name
		if regexp.MustCompile(`\b` + name + `(_bucket|_count|_sum)?\b`).MatchString(text) {
			read = append(read, name)
		}
	}
	return read, nil
}

// store writes the past.
func (o options) store(ctx context.Context, h *history, dir string) (Stored, error) {
	o.say("writing the past")
	began := time.Now()
	stored, err := h.write(ctx, dir)
	if err != nil {
		return stored, fmt.Errorf("write the past: %w", err)
	}
	stored.Seconds = time.Since(began).Seconds()
	o.say("%d samples in %.0f s; %d series will be scraped", stored.Samples, stored.Seconds, stored.All)
	debug.FreeOSMemory() // what the blocks needed, Prometheus will
	return stored, nil
}

// ask waits until the present has been reached, and measures.
func (o options) ask(ctx context.Context, server *prometheus, f *feed, m *Measured) (err error) {
	o.say("feeding the last minutes")
	select {
	case <-f.caughtUp:
	case <-ctx.Done():
		return ctx.Err()
	}
	m.Stored.PerSecond = float64(m.Stored.All) / synth.Interval.Seconds()
	if m.Groups, err = o.rules(ctx, server); err != nil {
		return fmt.Errorf("measure rules: %w", err)
	}
	if m.Flavor != promql.Native.String() { // dashboards are generated for native histograms
		return nil
	}
	if m.Spans, err = o.panels(ctx, server); err != nil {
		return fmt.Errorf("measure dashboards: %w", err)
	}
	return nil
}
