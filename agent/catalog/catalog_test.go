package catalog_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
)

func TestResourcesAndDecisionsAreNamedOnce(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z_]*[a-z]$`)
	seen := map[string]bool{}
	for _, r := range catalog.Resources() {
		if n := string(r.Name); !name.MatchString(n) || seen[n] || r.Source == "" || r.Utilization+r.Saturation == "" {
			t.Errorf("%q is no name, named twice, or not explained", n)
		}
		seen[string(r.Name)] = true
	}
	for _, d := range catalog.Decisions() {
		if !name.MatchString(d) || seen[d] {
			t.Errorf("%q is no name, or named twice", d)
		}
		seen[d] = true
	}
}

// TestNamesFollowPrometheusConventions checks every entry by the rules that
// promlint applies to what is scraped, before anything is.
func TestNamesFollowPrometheusConventions(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*[a-z0-9]$`)
	seen := make(map[string]bool)
	for _, m := range catalog.All() {
		d := m.Desc()
		if !name.MatchString(d.Name) && !d.External || seen[d.Name] {
			t.Errorf("%s: not a name, or twice in the catalogue", d.Name)
		}
		seen[d.Name] = true
		if !strings.HasSuffix(d.Help, ".") {
			t.Errorf("%s: the help text is not a sentence: %q", d.Name, d.Help)
		}
		if total := strings.HasSuffix(d.Name, "_total"); total != (m.Kind() == "counter") && !d.External {
			t.Errorf("%s: a %s and its suffix disagree", d.Name, m.Kind())
		}
		for _, l := range d.LabelNames() {
			if !name.MatchString(l) || slices.Contains(catalog.ConstLabels(), catalog.Label(l)) {
				t.Errorf("%s: label %q is not a name, or is a constant label", d.Name, l)
			}
		}
		if h, ok := m.(catalog.Histogram); ok && !slices.IsSorted(h.Buckets) {
			t.Errorf("%s: bucket bounds are not in order: %v", d.Name, h.Buckets)
		}
	}
}
