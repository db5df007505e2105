// Package grafanatest is a Grafana for tests: an HTTP server that keeps
// folders, dashboards with versions, alert rules and data sources as Grafana
// does, and answers with its statuses and messages. It has the endpoints that
// package grafana uses, and no others.
//
// Each behaviour was read in Grafana's sources, versions 11 to 13:
//
//   - who may do what, and the message of a refusal: pkg/services/accesscontrol
//     (middleware.go, api/api.go) and pkg/services/ngalert/api/authorization.go
//   - folders: pkg/api/folder.go and pkg/api/apierrors/folder.go
//   - dashboards, their versions, the refusal of an old version:
//     pkg/api/dashboard.go, pkg/services/dashboards/errors.go; the history as a
//     bare list up to 11.4 and as an object since: grafana/grafana issue 104556
//   - rules: pkg/services/ngalert/api/api_provisioning.go; groups that are
//     replaced whole, by uid: pkg/services/ngalert/store/deltas.go and
//     provisioning/alert_rules.go; who may overwrite what came from a file:
//     provisioning/validation; what is written into the model of each query:
//     models/alert_query.go
//   - fields of rules that a version does not know are dropped: the types in
//     pkg/services/ngalert/api/tooling/definitions
//
// A Server is safe for concurrent use. Close it.
package grafanatest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/cacheu/plumbline/internal/grafana"
)

// Config says what kind of Grafana it is. The zero value is a Grafana 12.3.3
// with no data source and no token that it accepts.
type Config struct {
	// Version is what it says it is. Defaults to "12.3.3".
	Version string
	// HideVersion hides it from health checks.
	HideVersion bool
	// Tokens are those it accepts, each with the actions that it allows.
	Tokens map[string][]string
	// DataSources are those it has.
	DataSources []grafana.DataSource
	// Prometheus answers behind every data source of type prometheus.
	Prometheus http.Handler
}

// Editor returns the actions of the role Editor, as far as they matter here.
func Editor() []string {
	return []string{
		"datasources:read", "datasources:query", "folders:read", "folders:create", "folders:write", "folders:delete",
		"dashboards:read", "dashboards:create", "dashboards:write", "dashboards:delete",
		"alert.rules:read", "alert.rules:create", "alert.rules:write", "alert.rules:delete", "alert.provisioning.provenance:write",
	}
}

// Server is a Grafana for tests. Make it with New.
type Server struct {
	// URL is its address.
	URL string

	cfg     Config
	version grafana.Version
	http    *httptest.Server

	mu         sync.Mutex
	folders    []grafana.Folder
	dashboards map[string]*dashboard
	rules      []rule // in order within each group
	intervals  map[groupKey]int
	writes     []string
	cut        cut
}

// New starts a server.
func New(c Config) *Server {
	if c.Version == "" {
		c.Version = "12.3.3"
	}
	version, err := grafana.ParseVersion(c.Version)
	if err != nil {
		panic(err)
	}
	s := &Server{cfg: c, version: version, dashboards: map[string]*dashboard{}, intervals: map[groupKey]int{}}
	s.http = httptest.NewServer(s.handler())
	s.URL = s.http.URL
	return s
}

// Close ends the server.
func (s *Server) Close() { s.http.Close() }

// Writes returns the requests so far that changed something or tried to.
func (s *Server) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// cut is when the network fails.
type cut struct {
	armed  bool
	left   int
	landed bool
}

// CutBefore makes the network fail for good after n more writes: the next one
// does not arrive.
func (s *Server) CutBefore(n int) { s.setCut(cut{armed: true, left: n}) }

// CutAfter is CutBefore, but the last write arrives and its answer is lost.
func (s *Server) CutAfter(n int) { s.setCut(cut{armed: true, left: n, landed: true}) }

// Mend makes the network work again.
func (s *Server) Mend() { s.setCut(cut{}) }

func (s *Server) setCut(c cut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = c
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", s.health)
	for pattern, e := range s.endpoints() {
		mux.Handle(pattern, s.guard(e))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, message("Not found")) })
	return mux
}

// endpoint is a handler and what it asks of a token: any of the sets.
type endpoint struct {
	any   [][]string
	serve http.HandlerFunc
}

func (s *Server) endpoints() map[string]endpoint {
	all := func(actions ...string) [][]string { return [][]string{actions} }
	readRules := [][]string{{"alert.provisioning:read"}, {"alert.rules.provisioning:read"}, {"alert.rules:read", "folders:read"}}
	writeRules := func(action string) [][]string {
		return [][]string{{"alert.provisioning:write"}, {"alert.rules.provisioning:write"}, {action, "alert.provisioning.provenance:write"}}
	}
	const group = " /api/v1/provisioning/folder/{folder}/rule-groups/{group}"
	return map[string]endpoint{
		"GET /api/frontend/settings":                     {nil, s.settings},
		"GET /api/access-control/user/permissions":       {nil, s.permissions},
		"GET /api/datasources":                           {all("datasources:read"), s.listSources},
		"GET /api/datasources/proxy/uid/{uid}/{rest...}": {all("datasources:query"), s.proxy},
		"GET /api/folders":                               {all("folders:read"), s.listFolders},
		"POST /api/folders":                              {all("folders:create"), s.createFolder},
		"GET /api/folders/{uid}":                         {all("folders:read"), s.getFolder},
		"GET /api/folders/{uid}/counts":                  {all("folders:read"), s.countFolder},
		"DELETE /api/folders/{uid}":                      {all("folders:delete"), s.deleteFolder},
		"GET /api/dashboards/uid/{uid}":                  {all("dashboards:read"), s.getDashboard},
		"GET /api/dashboards/uid/{uid}/versions":         {all("dashboards:write"), s.listVersions},
		"DELETE /api/dashboards/uid/{uid}":               {all("dashboards:delete"), s.deleteDashboard},
		"POST /api/dashboards/db":                        {[][]string{{"dashboards:create"}, {"dashboards:write"}}, s.saveDashboard},
		"GET /api/v1/provisioning/alert-rules":           {readRules, s.listRules},
		"GET" + group:                                    {readRules, s.getGroup},
		"PUT" + group:                                    {writeRules("alert.rules:write"), s.putGroup},
		"DELETE /api/v1/provisioning/alert-rules/{uid}":  {writeRules("alert.rules:delete"), s.deleteRule},
	}
}

// guard lets a request through if its token is known and allows it, and plays
// the network.
func (s *Server) guard(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		token, _ := strings.CutPrefix(header, "Bearer ")
		may, ok := s.cfg.Tokens[token]
		switch {
		case header == "":
			answer(w, http.StatusUnauthorized, message("Unauthorized"))
			return
		case !ok:
			answer(w, http.StatusUnauthorized, map[string]any{"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401})
			return
		case len(e.any) > 0 && !slices.ContainsFunc(e.any, func(set []string) bool { return allowed(set, may) }):
			answer(w, http.StatusForbidden, map[string]any{
				"title": "Access denied", "accessErrorId": "ACE0000000001",
				"message": "You'll need additional permissions to perform this action. Permissions needed: " + needed(e.any),
			})
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Method == http.MethodGet {
			e.serve(w, r)
			return
		}
		if s.cut.armed && s.cut.left == 0 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		s.writes = append(s.writes, r.Method+" "+r.URL.Path)
		s.cut.left--
		e.serve(w, r)
		if s.cut.armed && s.cut.left == 0 && s.cut.landed {
			panic(http.ErrAbortHandler)
		}
	})
}

func allowed(set, may []string) bool {
	return !slices.ContainsFunc(set, func(action string) bool { return !slices.Contains(may, action) })
}

// needed spells the sets as Grafana does.
func needed(sets [][]string) string {
	texts := make([]string, len(sets))
	for i, set := range sets {
		texts[i] = strings.Join(set, ", ")
		if len(set) > 1 {
			texts[i] = "all of " + texts[i]
		}
	}
	if len(sets) > 1 {
		return "any of " + strings.Join(texts, ", ")
	}
	return texts[0]
}

func message(text string) map[string]any { return map[string]any{"message": text} }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
