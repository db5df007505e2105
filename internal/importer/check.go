package importer

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/internal/grafana"
)

// Needed is a series that dashboards or rules read.
type Needed struct {
	// Name is that of the series, as Prometheus stores it.
	Name string
	// By are the dashboards and rules that read it, by title.
	By []string
	// Origin says where the series would come from.
	Origin string
}

// Origins of series.
const (
	originRule     = "a recording rule: load alerts/generated/prometheus into Prometheus"
	originAgent    = "the agent, in a service that uses the feature"
	originExternal = "an exporter or another server"
)

// since is how far back a series counts as being there: what happens once a day
// has been there.
const since = 24 * time.Hour

// perRequest is how many names are asked for at a time, so that the address
// stays short.
const perRequest = 40

// Missing asks the target's Prometheus which of the series that the dashboards
// and rules read it does not have, and had not within the last day. A series
// may be missing for a good reason: a service without a database has none of a
// database.
func (i *Importer) Missing(ctx context.Context) (missing []Needed, asked int, err error) {
	needed, err := i.needed()
	if err != nil {
		return nil, 0, err
	}
	now := i.cfg.Now()
	there := map[string]bool{}
	for some := range slices.Chunk(needed, perRequest) {
		names := make([]string, len(some))
		for n, s := range some {
			names[n] = s.Name
		}
		found, err := i.prom.Names(ctx, selectAny(names...), now.Add(-since), now)
		if err != nil {
			return nil, 0, err
		}
		for _, name := range found {
			there[name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(needed), func(s Needed) bool { return there[s.Name] }), len(needed), nil
}

// needed returns every series that is read, by name.
func (i *Importer) needed() ([]Needed, error) {
	origins := origins()
	byName := map[string]*Needed{}
	read := func(title, query string) {
		for _, name := range names(query, origins) {
			n := byName[name]
			if n == nil {
				n = &Needed{Name: name, Origin: origins[name]}
				byName[name] = n
			}
			if !slices.Contains(n.By, title) {
				n.By = append(n.By, title)
			}
		}
	}
	groups, err := alerts.All(i.alertOptions())
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			read("rule "+r.Alert+r.Record, r.Expr.String())
		}
	}
	models, err := i.models()
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		for _, query := range queries(m) {
			read("dashboard "+m.Text("title"), query)
		}
	}
	var all []Needed
	for _, n := range byName {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Needed) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// origins returns every series name that the catalogue knows, with where it
// comes from.
func origins() map[string]string {
	all := map[string]string{}
	for _, m := range catalog.All() {
		d := m.Desc()
		origin := originAgent
		if d.External {
			origin = originExternal
		}
		all[d.Name] = origin
		if m.Kind() == "histogram" {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				all[d.Name+suffix] = origin
			}
		}
	}
	for _, r := range catalog.AllRecorded() {
		all[r.Desc().Name] = originRule
	}
	return all
}

// word is what a name in a query looks like; quoted is a string, which holds
// none.
var (
	word   = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// names returns the known names in a query.
func names(query string, known map[string]string) []string {
	var found []string
	for _, w := range word.FindAllString(quoted.ReplaceAllString(query, `""`), -1) {
		if _, ok := known[w]; ok && !slices.Contains(found, w) {
			found = append(found, w)
		}
	}
	return found
}

// queries returns the queries of a dashboard's panels, variables and
// annotations, of whatever language: the names of metrics tell which are ours.
func queries(model grafana.Object) []string {
	var found []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if text, ok := e.(string); ok && (k == "expr" || k == "query") {
					found = append(found, text)
					continue
				}
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(map[string]any(model))
	return found
}

// String says what is missing, for whom, and where it would come from.
func (n Needed) String() string {
	return fmt.Sprintf("%s, from %s; read by %s", n.Name, n.Origin, strings.Join(n.By, ", "))
}
