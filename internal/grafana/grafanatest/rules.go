package grafanatest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/cacheu/plumbline/internal/grafana"
)

// rule is one alert rule. Its place in its group is that in the list.
type rule struct {
	id         int
	model      grafana.Object
	provenance string
}

type groupKey struct{ folder, title string }

func keyOf(r grafana.Object) groupKey { return groupKey{r.Text("folderUID"), r.Text("ruleGroup")} }

// Rules returns the rules as Grafana lists them.
func (s *Server) Rules() []grafana.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown(func(rule) bool { return true })
}

// Interval returns that of a group, in seconds.
func (s *Server) Interval(folder, title string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.intervals[groupKey{folder, title}]
}

// EditRule changes a rule, as a person would in Grafana's pages.
func (s *Server) EditRule(uid string, change func(grafana.Object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.rules[s.rule(uid)].model)
}

// AddRule makes a rule, as a person would.
func (s *Server) AddRule(model grafana.Object, interval int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, rule{id: len(s.rules) + 1, model: model})
	s.intervals[keyOf(model)] = interval
}

// ProvisionRule makes a rule come from a file.
func (s *Server) ProvisionRule(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[s.rule(uid)].provenance = "file"
}

// SetInterval changes how often a group is evaluated, as a person would.
func (s *Server) SetInterval(folder, title string, seconds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intervals[groupKey{folder, title}] = seconds
}

func (s *Server) rule(uid string) int {
	return slices.IndexFunc(s.rules, func(r rule) bool { return r.model.Text("uid") == uid })
}

// shown returns rules with what Grafana adds to them, always in new objects.
func (s *Server) shown(keep func(rule) bool) []grafana.Object {
	shown := []grafana.Object{}
	for _, r := range s.rules {
		if !keep(r) {
			continue
		}
		m := clone(r.model)
		m["id"], m["orgID"], m["updated"] = float64(r.id), 1.0, "2026-11-24T12:00:00Z"
		if r.provenance != "" {
			m["provenance"] = r.provenance
		}
		for _, optional := range []string{"notification_settings", "record"} {
			if _, ok := m[optional]; !ok {
				m[optional] = nil
			}
		}
		shown = append(shown, m)
	}
	return shown
}

func clone(o grafana.Object) grafana.Object {
	content, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var c grafana.Object
	if err := json.Unmarshal(content, &c); err != nil {
		panic(err)
	}
	return c
}

func (s *Server) listRules(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.shown(func(rule) bool { return true }))
}

func (s *Server) getGroup(w http.ResponseWriter, r *http.Request) {
	k := groupKey{r.PathValue("folder"), r.PathValue("group")}
	rules := s.shown(func(r rule) bool { return keyOf(r.model) == k })
	if len(rules) == 0 {
		answer(w, http.StatusNotFound, message("rule group not found"))
		return
	}
	answer(w, http.StatusOK, grafana.Group{Title: k.title, FolderUID: k.folder, Interval: s.intervals[k], Rules: rules})
}

func (s *Server) putGroup(w http.ResponseWriter, r *http.Request) {
	var g grafana.Group
	if err := json.NewDecoder(r.Body).Decode(&g); err != nil {
		answer(w, http.StatusBadRequest, message("bad request data"))
		return
	}
	k := groupKey{r.PathValue("folder"), r.PathValue("group")}
	provenance := "api"
	if _, ok := r.Header["X-Disable-Provenance"]; ok {
		provenance = ""
	}
	if problem, status := s.refuse(g, k, provenance); problem != "" {
		answer(w, status, message(problem))
		return
	}
	var kept []rule
	ids := map[string]int{}
	for _, r := range s.rules {
		uid := r.model.Text("uid")
		ids[uid] = r.id
		moves := slices.ContainsFunc(g.Rules, func(n grafana.Object) bool { return n.Text("uid") == uid })
		if keyOf(r.model) != k && !moves {
			kept = append(kept, r)
		}
	}
	for i, model := range g.Rules {
		id := ids[model.Text("uid")]
		if id == 0 {
			id = len(s.rules) + i + 1
		}
		kept = append(kept, rule{id: id, model: s.stored(model, k), provenance: provenance})
	}
	s.rules, s.intervals[k] = kept, g.Interval
	answer(w, http.StatusOK, g)
}

// refuse says why Grafana would not write the group; nothing if it would.
func (s *Server) refuse(g grafana.Group, k groupKey, provenance string) (string, int) {
	if g.Interval <= 0 || g.Interval%10 != 0 {
		return "invalid alert rule: interval should be non-zero and divided exactly by scheduler interval: 10", http.StatusBadRequest
	}
	if s.folder(k.folder) < 0 {
		return "folder does not exist", http.StatusBadRequest
	}
	titles, seen := map[string]bool{}, map[string]bool{}
	for _, r := range g.Rules {
		uid, title := r.Text("uid"), r.Text("title")
		if len(uid) > 40 || title == "" || len(title) > 190 || r.Text("condition") == "" || len(r.List("data")) == 0 || seen[uid] {
			return "invalid alert rule", http.StatusBadRequest
		}
		if titles[title] {
			return "rule title under the same organisation and folder should be unique", http.StatusBadRequest
		}
		titles[title], seen[uid] = true, true
	}
	for _, r := range s.rules {
		inFolder := r.model.Text("folderUID") == k.folder
		if !seen[r.model.Text("uid")] && inFolder && keyOf(r.model) != k && titles[r.model.Text("title")] {
			return "rule title under the same organisation and folder should be unique", http.StatusBadRequest
		}
		touched := keyOf(r.model) == k || seen[r.model.Text("uid")]
		if touched && r.provenance != provenance && r.provenance != "" && (r.provenance != "api" || provenance != "") {
			return "cannot update with provided provenance '" + provenance + "', needs '" + r.provenance + "'", http.StatusInternalServerError
		}
	}
	return "", 0
}

// stored is a rule as Grafana keeps it: without fields that it does not know,
// and with more in the model of each query.
func (s *Server) stored(model grafana.Object, k groupKey) grafana.Object {
	m := clone(model)
	m["folderUID"], m["ruleGroup"] = k.folder, k.title
	known := []string{
		"uid", "folderUID", "ruleGroup", "title", "condition", "data", "noDataState", "execErrState", "for", "annotations", "labels", "isPaused",
		"notification_settings", "record",
	}
	if s.version.AtLeast(12, 0) {
		known = append(known, "missingSeriesEvalsToResolve", "keep_firing_for")
	}
	maps.DeleteFunc(m, func(field string, _ any) bool { return !slices.Contains(known, field) })
	if _, ok := m["isPaused"]; !ok {
		m["isPaused"] = false
	}
	if s.version.AtLeast(12, 0) && m["keep_firing_for"] == nil {
		m["keep_firing_for"] = "0s"
	}
	for _, q := range m.List("data") {
		inner := q.Object("model")
		for field, byDefault := range map[string]any{"intervalMs": 1000.0, "maxDataPoints": 43200.0} {
			if inner.Number(field) == 0 {
				inner[field] = byDefault
			}
		}
		q["model"], q["queryType"] = map[string]any(inner), inner.Text("queryType")
		times := q.Object("relativeTimeRange")
		q["relativeTimeRange"] = map[string]any{"from": times.Number("from"), "to": times.Number("to")}
	}
	return m
}

func (s *Server) deleteRule(w http.ResponseWriter, r *http.Request) {
	at := s.rule(r.PathValue("uid"))
	if at >= 0 && s.rules[at].provenance == "file" {
		answer(w, http.StatusInternalServerError, message("cannot delete with provided provenance '', needs 'file'"))
		return
	}
	if at >= 0 {
		s.rules = slices.Delete(s.rules, at, at+1)
	}
	w.WriteHeader(http.StatusNoContent)
}
