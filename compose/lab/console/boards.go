package console

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

// board is what the list of dashboards shows of one.
type board struct {
	UID         string   `json:"uid"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags"`
	// Error says why the file is no dashboard.
	Error string `json:"error,omitempty"`
}

// listDashboards answers with every dashboard of the folder, by title.
func listDashboards(dir string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			writeJSON(w, http.StatusInternalServerError, refusal{Store: "dashboards", Error: err.Error()})
			return
		}
		boards := []board{}
		for _, file := range files {
			boards = append(boards, readBoard(file))
		}
		slices.SortFunc(boards, func(a, b board) int { return strings.Compare(a.Title, b.Title) })
		writeJSON(w, http.StatusOK, boards)
	}
}

func readBoard(file string) board {
	b := board{Tags: []string{}}
	content, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(content, &b)
	}
	// Dashboards are opened by the name of their file.
	b.UID = strings.TrimSuffix(filepath.Base(file), ".json")
	if err != nil {
		b.Error = err.Error()
	}
	if b.Title == "" {
		b.Title = b.UID
	}
	return b
}

// showDashboard answers with a dashboard, byte by byte as it is committed.
func showDashboard(dir string) http.HandlerFunc {
	name := regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`) // as in Grafana
	return func(w http.ResponseWriter, r *http.Request) {
		uid := r.PathValue("uid")
		if !name.MatchString(uid) {
			writeJSON(w, http.StatusBadRequest, refusal{Store: "dashboards", Error: "that is no uid of a dashboard"})
			return
		}
		content, err := os.ReadFile(filepath.Join(dir, uid+".json"))
		if err != nil {
			writeJSON(w, http.StatusNotFound, refusal{Store: "dashboards", Error: "there is no dashboard " + uid})
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(content)
	}
}

// pageConfig is what the page must know and must not spell by itself: the
// agent's own names, which only the catalogue writes down.
type pageConfig struct {
	Stores        []string `json:"stores"` // those of this lab
	ExemplarTrace string   `json:"exemplarTrace"`
	LogTrace      string   `json:"logTrace"`
	LogSpan       string   `json:"logSpan"`
	ProfileID     string   `json:"profileId"`
	ServiceLabel  string   `json:"serviceLabel"`
	RouteTag      string   `json:"routeTag"`
}

func showConfig(stores map[string]string) http.HandlerFunc {
	c := pageConfig{
		Stores: []string{}, ExemplarTrace: string(catalog.ExemplarTraceID), LogTrace: string(catalog.LogTraceID),
		LogSpan: string(catalog.LogSpanID), ProfileID: catalog.AttrProfileID,
		ServiceLabel: string(catalog.ServiceName), RouteTag: catalog.AttrHTTPRoute,
	}
	for _, name := range StoreNames() {
		if stores[name] != "" {
			c.Stores = append(c.Stores, name)
		}
	}
	return func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, c) }
}
