package importer

import (
	"context"
	"reflect"

	"github.com/cacheu/plumbline/internal/grafana"
)

func (i *Importer) planDashboards(ctx context.Context, p *Plan, folder grafana.Folder) error {
	wanted, err := i.dashboards()
	if err != nil {
		return err
	}
	for _, w := range wanted {
		if err := i.planDashboard(ctx, p, folder, w); err != nil {
			return err
		}
	}
	return nil
}

// planDashboard compares one dashboard. One that is there stays in its folder:
// moving it does not change it.
func (i *Importer) planDashboard(ctx context.Context, p *Plan, folder grafana.Folder, wanted grafana.Object) error {
	uid := wanted.Text("uid")
	change := Change{Kind: "dashboard", UID: uid, Title: wanted.Text("title")}
	save := grafana.Save{Model: wanted, FolderUID: folder.UID, Message: messageStart + checksum(dashboardView(wanted))}
	there, err := i.client.Dashboard(ctx, uid)
	switch {
	case grafana.IsNotFound(err):
		change.Action = Create
		p.add(change)
		p.step("make dashboard "+change.Title, func(ctx context.Context) error { return i.client.SaveDashboard(ctx, save) })
		return nil
	case err != nil:
		return err
	}
	message, err := i.client.LastMessage(ctx, uid)
	if err != nil && !grafana.IsNotFound(err) {
		return err
	}
	have, want := dashboardView(there.Model), dashboardView(wanted)
	stamp := stampOf(message)
	switch {
	case reflect.DeepEqual(have, want) || stamp == checksum(want):
		change.Action = Same
	case there.Meta.Provisioned:
		change.Action, change.Reason, change.Diff = Keep, reasonProvisioned, diff(have, want)
	case stamp == "" && !i.cfg.Force:
		change.Action, change.Reason, change.Diff = Keep, reasonEdited, diff(have, want)
	default:
		change.Action, change.Diff = Update, diff(have, want)
		save.FolderUID = there.Meta.FolderUID
		// With the version that was compared, Grafana refuses if somebody saves
		// another one meanwhile.
		save.Model = dashboardView(wanted)
		save.Model["version"] = there.Model["version"]
		p.step("change dashboard "+change.Title, func(ctx context.Context) error { return i.client.SaveDashboard(ctx, save) })
	}
	p.add(change)
	return nil
}
