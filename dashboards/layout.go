package dashboards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
)

// gridWidth is how many columns Grafana's grid has.
const gridWidth = 24

// panel is a panel that has a size and no place yet.
type panel struct {
	builder       cog.Builder[dashboard.Panel]
	width, height uint32
}

// row is a titled set of panels, laid out from left to right and wrapped where
// the grid ends.
type row struct {
	title  string
	panels []panel
}

// assemble places the rows one below the other and numbers everything in
// reading order, so that no two panels overlap or share an id.
func assemble(uid catalog.DashboardUID, title, description string,
	variables []cog.Builder[dashboard.VariableModel], rows []row) (Dashboard, error) {
	model, err := dashboard.NewDashboardBuilder(title).
		Uid(string(uid)).
		Description(description).
		Tags([]string{"plumbline"}).
		// Changes belong into the Go program: an edit in Grafana would be lost
		// the next time it is generated.
		Readonly().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-1h", "now").
		Refresh("30s").
		Variables(variables).
		Link(siblings()).
		Build()
	if err != nil {
		return Dashboard{}, fmt.Errorf("dashboard %s: %w", uid, err)
	}
	for i := range model.Links {
		// The SDK's default hides links in a menu. Unset, Grafana shows them.
		model.Links[i].Placement = nil
	}
	place := placer{}
	for _, r := range rows {
		placed, err := place.row(r)
		if err != nil {
			return Dashboard{}, fmt.Errorf("dashboard %s: %w", uid, err)
		}
		model.Panels = append(model.Panels, placed...)
	}
	return Dashboard{UID: uid, Title: title, Model: model}, nil
}

// siblings lists plumbline's other dashboards and keeps the time range and the
// variables on the way.
func siblings() cog.Builder[dashboard.DashboardLink] {
	return dashboard.NewDashboardLinkBuilder("plumbline").
		Type(dashboard.DashboardLinkTypeDashboards).
		Tags([]string{"plumbline"}).
		AsDropdown(true).
		KeepTime(true).
		IncludeVars(true)
}

type placer struct {
	// y is the first free line, id the last number given.
	y, id uint32
}

func (p *placer) next() *uint32 {
	p.id++
	id := p.id
	return &id
}

func (p *placer) row(r row) ([]dashboard.PanelOrRowPanel, error) {
	header, err := dashboard.NewRowBuilder(r.title).Build()
	if err != nil {
		return nil, fmt.Errorf("row %q: %w", r.title, err)
	}
	header.Id = *p.next()
	header.GridPos = &dashboard.GridPos{H: 1, W: gridWidth, Y: p.y}
	p.y++
	placed := []dashboard.PanelOrRowPanel{{RowPanel: &header}}

	var x, tallest uint32
	for _, one := range r.panels {
		built, err := one.builder.Build()
		if err != nil {
			return nil, fmt.Errorf("panel %d of row %q: %w", len(placed), r.title, err)
		}
		if x+one.width > gridWidth {
			x, p.y, tallest = 0, p.y+tallest, 0
		}
		built.Id = p.next()
		built.GridPos = &dashboard.GridPos{H: one.height, W: one.width, X: x, Y: p.y}
		x += one.width
		tallest = max(tallest, one.height)
		placed = append(placed, dashboard.PanelOrRowPanel{Panel: &built})
	}
	p.y += tallest
	return placed, nil
}
