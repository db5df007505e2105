package importer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/promql"
)

// Target is what a Grafana was found to be.
type Target struct {
	// Version is that of Grafana.
	Version grafana.Version
	// Sources are the chosen data sources by plugin; one that was left out is
	// not there.
	Sources map[string]grafana.DataSource
	// Flavor is the form of histograms that is imported.
	Flavor string
	// Notes say what a person should know before the import: what this Grafana
	// cannot do and is therefore left out, and what was assumed.
	Notes []string
}

// oldest and newest are the major versions that the import was made for.
const oldest, newest = 11, 13

// feature is something that an older Grafana does not know.
type feature struct {
	major, minor int
	// field of a rule that is left out.
	field string
	// without says what that means.
	without string
}

// features returns what differs among the versions.
func features() []feature {
	return []feature{
		{12, 0, fieldMissingSeries, "an alert ends two evaluations after its series is gone, and not one"},
	}
}

// skipped returns the features that the version does not have.
func skipped(v grafana.Version) []feature {
	var s []feature
	for _, f := range features() {
		if !v.AtLeast(f.major, f.minor) {
			s = append(s, f)
		}
	}
	return s
}

func (t *Target) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

func (t *Target) noteVersion() {
	if v := t.Version; v.Major < oldest || v.Major > newest {
		t.note("Grafana %s is not among the versions that the import was made for, %d to %d", v.Text, oldest, newest)
	}
	for _, f := range skipped(t.Version) {
		t.note("Grafana %s is older than %d.%d and does not know %q: %s", t.Version.Text, f.major, f.minor, f.field, f.without)
	}
}

// recently is how far back a series counts as being there.
const recently = time.Hour

// chooseFlavor asks in which form Prometheus has the histogram of requests. A
// native one has the metric's own name, a classic one never does.
func (i *Importer) chooseFlavor(ctx context.Context) error {
	i.target.noteVersion()
	defer func() { i.target.Flavor = i.flavor.String() }()
	if i.cfg.Flavor != "" {
		f, err := promql.ParseFlavor(i.cfg.Flavor)
		i.flavor = f
		return err
	}
	native := catalog.HTTPServerRequestDuration.Desc().Name
	classic := native + "_bucket"
	now := i.cfg.Now()
	names, err := i.prom.Names(ctx, selectAny(native, classic), now.Add(-recently), now)
	if err != nil {
		return fmt.Errorf("find out whether histograms are native or classic (name it by --flavor to skip this): %w", err)
	}
	has := map[string]bool{}
	for _, n := range names {
		has[n] = true
	}
	switch {
	case has[native]:
		i.flavor = promql.Native
	case has[classic]:
		i.flavor = promql.Classic
	default:
		i.flavor = promql.Classic
		i.target.note("Prometheus has no %s yet, neither native nor classic: classic is imported, which works with both; import again, or name --flavor, once services are scraped", native)
	}
	return nil
}

// selectAny selects the series of any of the names.
func selectAny(names ...string) string {
	return `{__name__=~"` + strings.Join(names, "|") + `"}`
}
