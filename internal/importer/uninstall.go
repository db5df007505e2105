package importer

import (
	"context"

	"github.com/cacheu/plumbline/internal/grafana"
)

// Uninstall plans to take out what imports brought in: rules, dashboards, and
// the folder if an import made it and nothing else is in it. It changes
// nothing itself. What was changed in Grafana since stays, unless the Config
// says otherwise.
func (i *Importer) Uninstall(ctx context.Context) (*Plan, error) {
	p := &Plan{}
	there, err := i.readRules(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range there.all {
		if stampOn(r) == "" {
			continue
		}
		if err := i.planRemoval(ctx, p, there, r); err != nil {
			return nil, err
		}
	}
	models, err := i.models()
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		if err := i.planDashboardRemoval(ctx, p, m); err != nil {
			return nil, err
		}
	}
	return p, i.planFolderRemoval(ctx, p)
}

func (i *Importer) planDashboardRemoval(ctx context.Context, p *Plan, model grafana.Object) error {
	change := Change{Action: Delete, Kind: "dashboard", UID: model.Text("uid"), Title: model.Text("title")}
	there, err := i.client.Dashboard(ctx, change.UID)
	if grafana.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	message, err := i.client.LastMessage(ctx, change.UID)
	if err != nil && !grafana.IsNotFound(err) {
		return err
	}
	switch {
	case there.Meta.Provisioned:
		change.Action, change.Reason = Keep, reasonProvisioned
	case stampOf(message) == "" && !i.cfg.Force:
		change.Action, change.Reason = Keep, reasonEdited
	default:
		p.step("delete dashboard "+change.Title, func(ctx context.Context) error { return i.client.DeleteDashboard(ctx, change.UID) })
	}
	p.add(change)
	return nil
}

// planFolderRemoval plans to delete the folder. Whether it is empty is asked
// when all else is done: Grafana deletes a folder with all that is in it.
func (i *Importer) planFolderRemoval(ctx context.Context, p *Plan) error {
	f, found, err := i.findFolder(ctx)
	if err != nil || !found {
		return err
	}
	change := Change{Action: Delete, Kind: "folder", UID: f.UID, Title: f.Title}
	inside, err := i.client.FolderCount(ctx, f.UID)
	if err != nil {
		return err
	}
	switch {
	case f.UID != slug(i.cfg.Folder):
		change.Action, change.Reason = Keep, "no import made it"
	case inside > p.Count(Delete):
		change.Action, change.Reason = Keep, "there is more in it"
	default:
		p.step("delete folder "+f.Title, func(ctx context.Context) error {
			if inside, err := i.client.FolderCount(ctx, f.UID); err != nil || inside > 0 {
				return err
			}
			return i.client.DeleteFolder(ctx, f.UID)
		})
	}
	p.add(change)
	return nil
}
