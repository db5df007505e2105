package grafanatest

import (
	"net/http"
	"strings"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	body := map[string]any{"database": "ok"}
	if !s.cfg.HideVersion {
		body["version"] = s.cfg.Version
	}
	answer(w, http.StatusOK, body)
}

func (s *Server) settings(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"buildInfo": map[string]any{"version": s.cfg.Version}})
}

func (s *Server) permissions(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	body := map[string][]string{}
	for _, action := range s.cfg.Tokens[token] {
		body[action] = []string{"*"}
	}
	answer(w, http.StatusOK, body)
}

func (s *Server) listSources(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.cfg.DataSources)
}

func (s *Server) proxy(w http.ResponseWriter, r *http.Request) {
	for _, d := range s.cfg.DataSources {
		if d.UID == r.PathValue("uid") && d.Type == "prometheus" && s.cfg.Prometheus != nil {
			inner := r.Clone(r.Context())
			inner.URL.Path, inner.URL.RawPath = "/"+r.PathValue("rest"), ""
			inner.Header.Del("Authorization")
			s.cfg.Prometheus.ServeHTTP(w, inner)
			return
		}
	}
	answer(w, http.StatusNotFound, message("Unable to find datasource"))
}
