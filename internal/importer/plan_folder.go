package importer

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/cacheu/plumbline/internal/grafana"
)

// planFolder finds the folder, or plans to make it.
func (i *Importer) planFolder(ctx context.Context, p *Plan) (grafana.Folder, error) {
	f, found, err := i.findFolder(ctx)
	if err != nil {
		return f, err
	}
	if found {
		p.add(Change{Action: Same, Kind: "folder", UID: f.UID, Title: f.Title})
		return f, nil
	}
	if i.may != nil && !i.may.Has("folders:create") {
		return f, fmt.Errorf("there is no folder %q that the token can see, and it may not make one: it lacks folders:create", i.cfg.Folder)
	}
	p.add(Change{Action: Create, Kind: "folder", UID: f.UID, Title: f.Title})
	p.step("make folder "+f.Title, func(ctx context.Context) error { return i.client.CreateFolder(ctx, f) })
	return f, nil
}

// findFolder returns the folder that is meant and whether it is there. It is
// looked for by uid, which finds it wherever it is, and then by title at the
// root.
func (i *Importer) findFolder(ctx context.Context) (grafana.Folder, bool, error) {
	wanted := grafana.Folder{UID: slug(i.cfg.Folder), Title: i.cfg.Folder}
	for _, uid := range []string{i.cfg.Folder, wanted.UID} {
		if slug(uid) != strings.ToLower(uid) {
			continue // no uid
		}
		f, err := i.client.Folder(ctx, uid)
		if err == nil {
			return f, true, nil
		}
		if !grafana.IsNotFound(err) {
			return wanted, false, err
		}
	}
	all, err := i.client.Folders(ctx)
	if err != nil {
		return wanted, false, err
	}
	var named []grafana.Folder
	for _, f := range all {
		if f.Title == i.cfg.Folder {
			named = append(named, f)
		}
	}
	switch len(named) {
	case 0:
		return wanted, false, nil
	case 1:
		return named[0], true, nil
	}
	uids := make([]string, len(named))
	for n, f := range named {
		uids[n] = f.UID
	}
	return wanted, false, fmt.Errorf("there are %d folders called %q; name one by its uid: %s", len(named), i.cfg.Folder, strings.Join(uids, ", "))
}

// maxUID is the longest uid that Grafana takes.
const maxUID = 40

var notInUID = regexp.MustCompile(`[^a-z0-9_-]+`)

// slug makes a uid of a title.
func slug(title string) string {
	s := strings.Trim(notInUID.ReplaceAllString(strings.ToLower(title), "-"), "-")
	return strings.Trim(s[:min(len(s), maxUID)], "-")
}
