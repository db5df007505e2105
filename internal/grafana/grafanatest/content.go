package grafanatest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/cacheu/plumbline/internal/grafana"
)

// dashboard is one with its history.
type dashboard struct {
	id          int
	model       grafana.Object
	folder      string
	provisioned bool
	messages    []string // of version 1 and on
}

// Folders returns the folders.
func (s *Server) Folders() []grafana.Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.folders)
}

// AddFolder makes a folder, as a person would.
func (s *Server) AddFolder(f grafana.Folder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders = append(s.folders, f)
}

// Dashboards returns the models of the dashboards by uid.
func (s *Server) Dashboards() map[string]grafana.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]grafana.Object{}
	for uid, d := range s.dashboards {
		all[uid] = maps.Clone(d.model)
	}
	return all
}

// EditDashboard changes a dashboard, as a person would in Grafana's pages.
func (s *Server) EditDashboard(uid string, change func(grafana.Object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dashboards[uid]
	change(d.model)
	d.messages = append(d.messages, "")
}

// ProvisionDashboard makes a dashboard come from a file.
func (s *Server) ProvisionDashboard(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dashboards[uid].provisioned = true
}

func (s *Server) folder(uid string) int {
	return slices.IndexFunc(s.folders, func(f grafana.Folder) bool { return f.UID == uid })
}

func (s *Server) listFolders(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, append([]grafana.Folder{}, s.folders...))
}

func folderNotFound(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, map[string]any{"status": "not-found", "message": "folder not found"})
}

func (s *Server) getFolder(w http.ResponseWriter, r *http.Request) {
	at := s.folder(r.PathValue("uid"))
	if at < 0 {
		folderNotFound(w)
		return
	}
	answer(w, http.StatusOK, s.folders[at])
}

func (s *Server) createFolder(w http.ResponseWriter, r *http.Request) {
	var f grafana.Folder
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
		answer(w, http.StatusBadRequest, message("bad request data"))
		return
	}
	switch {
	case f.Title == "":
		answer(w, http.StatusBadRequest, message("folder title cannot be empty"))
	case s.folder(f.UID) >= 0:
		answer(w, http.StatusConflict, message("a folder/dashboard with the same uid already exists"))
	default:
		s.folders = append(s.folders, f)
		answer(w, http.StatusOK, f)
	}
}

func (s *Server) countFolder(w http.ResponseWriter, r *http.Request) {
	uid := r.PathValue("uid")
	if s.folder(uid) < 0 {
		folderNotFound(w)
		return
	}
	rules, dashboards := s.inside(uid)
	answer(w, http.StatusOK, map[string]int{"alertrule": rules, "dashboard": dashboards, "folder": 0, "librarypanel": 0})
}

func (s *Server) inside(folder string) (rules, dashboards int) {
	for _, rule := range s.rules {
		if rule.model.Text("folderUID") == folder {
			rules++
		}
	}
	for _, d := range s.dashboards {
		if d.folder == folder {
			dashboards++
		}
	}
	return rules, dashboards
}

func (s *Server) deleteFolder(w http.ResponseWriter, r *http.Request) {
	uid := r.PathValue("uid")
	at := s.folder(uid)
	if at < 0 {
		folderNotFound(w)
		return
	}
	if rules, _ := s.inside(uid); rules > 0 {
		answer(w, http.StatusBadRequest, message("folder contains alert rules"))
		return
	}
	s.folders = slices.Delete(s.folders, at, at+1)
	maps.DeleteFunc(s.dashboards, func(_ string, d *dashboard) bool { return d.folder == uid })
	answer(w, http.StatusOK, message("Folder deleted"))
}

func (s *Server) getDashboard(w http.ResponseWriter, r *http.Request) {
	d := s.dashboards[r.PathValue("uid")]
	if d == nil {
		answer(w, http.StatusNotFound, message("Dashboard not found"))
		return
	}
	model := maps.Clone(d.model)
	model["id"], model["version"] = d.id, len(d.messages)
	answer(w, http.StatusOK, map[string]any{"dashboard": model, "meta": map[string]any{
		"folderUid": d.folder, "provisioned": d.provisioned, "version": len(d.messages),
	}})
}

func (s *Server) listVersions(w http.ResponseWriter, r *http.Request) {
	d := s.dashboards[r.PathValue("uid")]
	if d == nil {
		answer(w, http.StatusNotFound, message("Dashboard not found"))
		return
	}
	var versions []map[string]any
	for i, text := range slices.Backward(d.messages) {
		versions = append(versions, map[string]any{"version": i + 1, "message": text})
	}
	if r.URL.Query().Get("limit") == "1" {
		versions = versions[:1]
	}
	if s.version.AtLeast(11, 5) {
		answer(w, http.StatusOK, map[string]any{"continueToken": "", "versions": versions})
		return
	}
	answer(w, http.StatusOK, versions)
}

func (s *Server) saveDashboard(w http.ResponseWriter, r *http.Request) {
	var save grafana.Save
	if err := json.NewDecoder(r.Body).Decode(&save); err != nil {
		answer(w, http.StatusBadRequest, message("bad request data"))
		return
	}
	uid := save.Model.Text("uid")
	d := s.dashboards[uid]
	switch {
	case save.Model.Text("title") == "":
		answer(w, http.StatusBadRequest, map[string]any{"status": "empty-name", "message": "Dashboard title cannot be empty"})
		return
	case len(uid) > 40:
		answer(w, http.StatusBadRequest, message("uid too long, max 40 characters"))
		return
	case len(save.Message) > 500:
		answer(w, http.StatusBadRequest, message("message too long, max 500 characters"))
		return
	case save.FolderUID != "" && s.folder(save.FolderUID) < 0:
		answer(w, http.StatusBadRequest, message("folder not found"))
		return
	case d != nil && d.provisioned:
		answer(w, http.StatusBadRequest, message("Cannot save provisioned dashboard"))
		return
	case d != nil && !save.Overwrite && save.Model.Number("version") != float64(len(d.messages)):
		answer(w, http.StatusPreconditionFailed, map[string]any{
			"status": "version-mismatch", "message": "The dashboard has been changed by someone else",
		})
		return
	case d == nil:
		d = &dashboard{id: len(s.dashboards) + 1}
		s.dashboards[uid] = d
	}
	d.model, d.folder, d.messages = save.Model, save.FolderUID, append(d.messages, save.Message)
	delete(d.model, "version")
	answer(w, http.StatusOK, map[string]any{"id": d.id, "uid": uid, "status": "success", "version": len(d.messages)})
}

func (s *Server) deleteDashboard(w http.ResponseWriter, r *http.Request) {
	uid := r.PathValue("uid")
	d := s.dashboards[uid]
	switch {
	case d == nil:
		answer(w, http.StatusNotFound, message("Dashboard not found"))
	case d.provisioned:
		answer(w, http.StatusBadRequest, message("provisioned dashboard cannot be deleted"))
	default:
		delete(s.dashboards, uid)
		answer(w, http.StatusOK, message("Dashboard "+d.model.Text("title")+" deleted"))
	}
}
