package synth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/synth"
	"github.com/cacheu/plumbline/internal/promql"
)

func population(t *testing.T, c synth.Config) *synth.Population {
	t.Helper()
	p, err := synth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// each calls check with every series that there is.
func each(p *synth.Population, check func(*synth.Target, *synth.Series, labels.Labels)) {
	for _, target := range p.Targets {
		for _, s := range target.Series {
			check(target, s, labels.New(s.AppendLabels(nil, target)...))
		}
	}
}

// suffixes are what a classic histogram appends to its name.
func family(name string, f promql.Flavor) string {
	if f == promql.Classic {
		for _, m := range catalog.All() {
			if m.Kind() != "histogram" {
				continue
			}
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				if name == m.Desc().Name+suffix {
					return m.Desc().Name
				}
			}
		}
	}
	return name
}

func TestAllSeriesAreOfTheCatalogue(t *testing.T) {
	t.Parallel()
	known := map[string]catalog.Metric{}
	for _, m := range catalog.All() {
		known[m.Desc().Name] = m
	}
	always := []string{labels.MetricName, string(catalog.Job), string(catalog.Instance), string(catalog.ServiceName), string(catalog.DeploymentEnvironment), string(catalog.Le)}
	for _, f := range promql.Flavors() {
		seen := map[string]bool{}
		each(population(t, synth.Config{Services: 2, Instances: 2, Routes: 3, Flavor: f}), func(_ *synth.Target, s *synth.Series, l labels.Labels) {
			name := family(l.Get(labels.MetricName), f)
			m, ok := known[name]
			if !ok {
				t.Fatalf("%s is not in the catalogue", name)
			}
			want := slices.Concat(always, m.Desc().LabelNames())
			l.Range(func(l labels.Label) {
				if !slices.Contains(want, l.Name) {
					t.Errorf("%s has the label %s, the catalogue does not", name, l.Name)
				}
				if l.Value == "" {
					t.Errorf("%s has no value for %s", name, l.Name)
				}
			})
			for _, label := range m.Desc().LabelNames() {
				if !l.Has(label) {
					t.Errorf("%s lacks the label %s", name, label)
				}
			}
			if (m.Kind() == "histogram" && f == promql.Native) != s.Native() {
				t.Errorf("%s is a %s in the catalogue, native here: %v", name, m.Kind(), s.Native())
			}
			if seen[l.String()] {
				t.Errorf("%s is there twice", l)
			}
			seen[l.String()] = true
		})
	}
}

func TestThereIsWhatRulesAndDashboardsRead(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	each(population(t, synth.Config{Services: 1, Instances: 1, Routes: 1}), func(_ *synth.Target, _ *synth.Series, l labels.Labels) {
		have[l.Get(labels.MetricName)] = true
	})
	for _, m := range catalog.All() {
		name := m.Desc().Name
		// Services of HTTP only; Prometheus makes its alerts itself.
		if strings.HasPrefix(name, "rpc_") || name == catalog.Alerts.Desc().Name {
			continue
		}
		if !have[name] {
			t.Errorf("nobody exports %s", name)
		}
	}
}

func TestNumbersOfSeries(t *testing.T) {
	t.Parallel()
	p := population(t, synth.Config{Services: 2, Instances: 3, Routes: 20})
	perInstance := map[string]int{}
	services := 0
	each(p, func(target *synth.Target, _ *synth.Series, l labels.Labels) {
		if l.Get(string(catalog.ServiceName)) == synth.ServiceOf(1) {
			perInstance[l.Get(labels.MetricName)]++
			if target.Opened {
				t.Fatalf("%s is not of the service that dashboards open with", l)
			}
		}
		if l.Get(labels.MetricName) == catalog.BuildInfo.Desc().Name {
			services++
		}
	})
	for name, want := range map[string]int{
		catalog.HTTPServerRequestDuration.Desc().Name:  3 * 22, // two routes have failed
		catalog.HTTPServerComponentSeconds.Desc().Name: 3 * 20 * len(catalog.Components()),
		catalog.ServiceKneeRate.Desc().Name:            3,
	} {
		if got := perInstance[name]; got != want {
			t.Errorf("%d series of %s, want %d", got, name, want)
		}
	}
	if services != 2*3+2 {
		t.Errorf("%d processes have the agent, want 6 and those of two variants of a benchmark", services)
	}
	routes := 0
	for _, r := range p.Recorded {
		if labels.New(r.Labels...).Get(labels.MetricName) == catalog.RouteP99.Desc().Name {
			routes++
		}
	}
	if routes != 2*20 {
		t.Errorf("P99 is recorded of %d routes, want 40", routes)
	}
}

func TestOnlyWhatIsAskedForIsMade(t *testing.T) {
	t.Parallel()
	only := []string{catalog.Up.Desc().Name, catalog.HTTPServerRequestDuration.Desc().Name}
	p := population(t, synth.Config{Services: 1, Instances: 1, Routes: 1, Flavor: promql.Classic, Only: only})
	each(p, func(_ *synth.Target, _ *synth.Series, l labels.Labels) {
		if name := family(l.Get(labels.MetricName), promql.Classic); !slices.Contains(only, name) {
			t.Errorf("%s is there, and nobody asked for it", name)
		}
	})
}
