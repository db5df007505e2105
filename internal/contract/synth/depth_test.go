package synth_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/boards"
	"github.com/cacheu/plumbline/internal/contract/repo"
	"github.com/cacheu/plumbline/internal/contract/synth"
)

// least returns how far back each metric is kept of every process that has it.
func least(t *testing.T) map[string]synth.Depth {
	t.Helper()
	depths := map[string]synth.Depth{}
	each(population(t, synth.Config{Services: 2, Instances: 1, Routes: 1}), func(target *synth.Target, s *synth.Series, l labels.Labels) {
		name := l.Get(labels.MetricName)
		if d, ok := depths[name]; !ok || target.Depth(s) < d {
			depths[name] = target.Depth(s)
		}
	})
	return depths
}

func selectors(t *testing.T, expr string, visit func(*parser.VectorSelector, time.Duration)) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	parser.Inspect(parsed, func(node parser.Node, parents []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			var window time.Duration
			if m, ok := parents[max(0, len(parents)-1)].(*parser.MatrixSelector); ok && len(parents) > 0 {
				window = m.Range
			}
			visit(s, window)
		}
		return nil
	})
}

func TestRulesLookBackNoFurtherThanThereIs(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "alerts", "generated", "prometheus", "native", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal("there are no rules", err)
	}
	depths, windows := least(t), 0
	for _, file := range files {
		var rules struct {
			Groups []struct{ Rules []struct{ Expr string } }
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(content, &rules); err != nil {
			t.Fatal(err)
		}
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				selectors(t, r.Expr, func(s *parser.VectorSelector, window time.Duration) {
					d, raw := depths[s.Name]
					if window > 0 {
						windows++
					}
					if raw && (window > time.Hour && d < synth.Whole || window > 5*time.Minute && d < synth.Hour) {
						t.Errorf("%s: %s is read over %s and not kept so long", filepath.Base(file), s.Name, window)
					}
				})
			}
		}
	}
	if windows < 20 {
		t.Errorf("rules read %d windows, far too few to be all", windows)
	}
}

func TestWhatDashboardsReadOfEveryProcessIsKept(t *testing.T) {
	t.Parallel()
	all, err := boards.Generated()
	if err != nil {
		t.Fatal(err)
	}
	depths, everywhere := least(t), 0
	for _, b := range all {
		values := boards.Values{"__range": "1h", "__rate_interval": "1m", "__range_s": "3600"}
		for _, v := range b.Templating.List {
			values[v.Name] = "1"
		}
		for _, p := range b.Panels {
			for _, target := range p.Targets {
				if target.Datasource.Type != boards.Prometheus {
					continue
				}
				selectors(t, values.Fill(target.Expr), func(s *parser.VectorSelector, _ time.Duration) {
					one := slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == string(catalog.ServiceName) })
					d, raw := depths[s.Name]
					if one || !raw || strings.Contains(s.Name, ":") {
						return
					}
					if everywhere++; d != synth.Whole {
						t.Errorf("%s, panel %q reads %s of every process, which is not kept so long", b.UID, p.Title, s.Name)
					}
				})
			}
		}
	}
	if everywhere == 0 {
		t.Error("no panel reads of every process, which that of the stack does")
	}
}
