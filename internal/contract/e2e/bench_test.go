package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/compose/lab"
)

// benchmarkShows measures a scenario beside the lab, and follows its run from
// the metrics to the trace of one of its requests.
func benchmarkShows(t *testing.T) {
	began := time.Now()
	var out bytes.Buffer
	args := []string{"run", "--scenario", "n-plus-one", "--quick", "--out", t.TempDir()}
	if err := lab.Bench(t.Context(), the.config, args, &out, os.Stderr); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	run := ""
	for line := range strings.Lines(out.String()) {
		if file, ok := strings.CutSuffix(strings.TrimSpace(line), ".json"); ok {
			run = filepath.Base(file)
		}
	}
	if run == "" {
		t.Fatalf("it names no result:\n%s", out.String())
	}
	series := fmt.Sprintf("%s_bucket{%s=%q,%s=%q}", catalog.BenchRequestDuration.Desc().Name, catalog.RunID, run, catalog.Variant, "before")
	eventually(t, time.Minute, func(ctx context.Context) error {
		exemplars, err := the.prometheus.Exemplars(ctx, series, began, time.Now())
		if err != nil {
			return err
		}
		err = errors.New("there is no exemplar of " + series)
		for _, e := range exemplars {
			if err = runOfTrace(ctx, e.Labels[catalog.ExemplarTraceID], run); err == nil {
				return nil
			}
		}
		return err
	})
}

// runOfTrace reports an error unless the spans of the generator and of the
// variant both say which run they belong to.
func runOfTrace(ctx context.Context, trace, run string) error {
	spans, err := the.jaeger.Trace(ctx, trace)
	if err != nil {
		return err
	}
	services := map[string]bool{}
	for _, s := range spans {
		if s.Tags[catalog.AttrBenchRunID] == run {
			services[s.Service] = true
		}
	}
	if !services["bench"] || !services["bench-n-plus-one-before"] {
		return fmt.Errorf("of the %d spans of trace %s only those of %v carry the run", len(spans), trace, services)
	}
	return nil
}
