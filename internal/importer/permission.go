package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cacheu/plumbline/internal/grafana"
)

// need is something that a token must be allowed to do. Any one of the sets of
// actions is enough.
type need struct {
	what string
	any  [][]string
}

// Purpose is what a token is going to be used for.
type Purpose int

// The purposes.
const (
	// Import brings dashboards and rules in.
	Import Purpose = iota
	// Check only asks for series.
	Check
	// Remove takes dashboards and rules out.
	Remove
)

// needs returns what the purpose asks of a token. The roles Editor and Admin
// have all of it.
func (p Purpose) needs() []need {
	const (
		provisioningRead, provisioningWrite = "alert.provisioning:read", "alert.provisioning:write"
		rulesRead, rulesWrite               = "alert.rules.provisioning:read", "alert.rules.provisioning:write"
		setStatus                           = "alert.provisioning.provenance:write"
	)
	sources := need{"see data sources", [][]string{{"datasources:read"}}}
	ask := need{"ask data sources", [][]string{{"datasources:query"}}}
	see := []need{
		{"see folders", [][]string{{"folders:read"}}},
		{"see dashboards", [][]string{{"dashboards:read"}}},
		{"see the history of dashboards", [][]string{{"dashboards:write"}}},
		{"see alert rules", [][]string{{"alert.rules:read"}, {rulesRead}, {provisioningRead}}},
	}
	switch p {
	case Check:
		return []need{sources, ask}
	case Remove:
		return append(see,
			need{"delete dashboards", [][]string{{"dashboards:delete"}}},
			need{"delete alert rules", [][]string{{"alert.rules:delete", setStatus}, {rulesWrite}, {provisioningWrite}}})
	}
	return append(append([]need{sources, ask}, see...),
		need{"make dashboards", [][]string{{"dashboards:create"}}},
		need{"change alert rules", [][]string{
			{"alert.rules:create", "alert.rules:write", "alert.rules:delete", setStatus}, {rulesWrite}, {provisioningWrite},
		}})
}

// checkPermissions reports everything that the token lacks at once, before
// anything is changed. A Grafana that does not tell leaves it to each request.
func (i *Importer) checkPermissions(ctx context.Context) error {
	has, err := i.client.Permissions(ctx)
	if errors.Is(err, grafana.ErrPermissionsUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	i.may = has
	var errs []error
	for _, n := range i.cfg.Purpose.needs() {
		if lacking := n.lacking(has); lacking != "" {
			errs = append(errs, fmt.Errorf("the token may not %s: it lacks %s", n.what, lacking))
		}
	}
	return errors.Join(errs...)
}

// lacking returns what is missing for the need by the set that comes nearest;
// empty if nothing is.
func (n need) lacking(has grafana.Permissions) string {
	var nearest []string
	for i, set := range n.any {
		missing := slices.DeleteFunc(slices.Clone(set), has.Has)
		if len(missing) == 0 {
			return ""
		}
		if i == 0 || len(missing) < len(nearest) {
			nearest = missing
		}
	}
	return strings.Join(nearest, " and ")
}
