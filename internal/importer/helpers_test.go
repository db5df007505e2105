package importer_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/grafana/grafanatest"
	"github.com/cacheu/plumbline/internal/importer"
)

const token = "glsa_test"

// sources are data sources of every kind that dashboards may ask.
func sources() []grafana.DataSource {
	return []grafana.DataSource{
		{UID: "prom-uid", Name: "Metrics", Type: "prometheus"},
		{UID: "loki-uid", Name: "Logs", Type: "loki"},
		{UID: "jaeger-uid", Name: "Traces", Type: "jaeger"},
		{UID: "pyroscope-uid", Name: "Profiles", Type: "grafana-pyroscope-datasource"},
	}
}

// prometheus answers for the names of metrics with those that it has, as far as
// the selector asks for them.
func prometheus(has ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/label/__name__/values" {
			http.NotFound(w, r)
			return
		}
		asked, _ := strings.CutPrefix(r.URL.Query().Get("match[]"), `{__name__=~"`)
		names := strings.Split(strings.TrimSuffix(asked, `"}`), "|")
		found := slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(has, n) })
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": found}); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// start starts a Grafana with one token, of an editor, unless c says otherwise.
func start(t *testing.T, c grafanatest.Config) *grafanatest.Server {
	t.Helper()
	if c.Tokens == nil {
		c.Tokens = map[string][]string{token: grafanatest.Editor()}
	}
	if c.DataSources == nil {
		c.DataSources = sources()
	}
	if c.Prometheus == nil {
		c.Prometheus = prometheus()
	}
	s := grafanatest.New(c)
	t.Cleanup(s.Close)
	return s
}

// config is that of an import into s, with native histograms.
func config(t *testing.T, s *grafanatest.Server, change ...func(*importer.Config)) importer.Config {
	t.Helper()
	client, err := grafana.New(grafana.Config{URL: s.URL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	c := importer.Config{Client: client, Address: "https://grafana.test", Flavor: "native"}
	for _, f := range change {
		f(&c)
	}
	return c
}

func force(c *importer.Config)  { c.Force = true }
func remove(c *importer.Config) { c.Purpose = importer.Remove }
func check(c *importer.Config)  { c.Purpose = importer.Check }

// strict changes the objective, as a later version of the rules would.
func strict(c *importer.Config) { c.Alerts.LatencyTarget = 0.99 }

func connect(t *testing.T, c importer.Config) *importer.Importer {
	t.Helper()
	i, err := importer.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func plan(t *testing.T, c importer.Config) *importer.Plan {
	t.Helper()
	i := connect(t, c)
	make := i.Plan
	if c.Purpose == importer.Remove {
		make = i.Uninstall
	}
	p, err := make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run plans and applies.
func run(t *testing.T, c importer.Config) *importer.Plan {
	t.Helper()
	p := plan(t, c)
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// change returns what the plan does with something.
func change(t *testing.T, p *importer.Plan, uid string) importer.Change {
	t.Helper()
	at := slices.IndexFunc(p.Changes, func(c importer.Change) bool { return c.UID == uid })
	if at < 0 {
		t.Fatalf("the plan does not speak of %s: %+v", uid, p.Changes)
	}
	return p.Changes[at]
}

func rule(t *testing.T, s *grafanatest.Server, uid string) grafana.Object {
	t.Helper()
	rules := s.Rules()
	at := slices.IndexFunc(rules, func(r grafana.Object) bool { return r.Text("uid") == uid })
	if at < 0 {
		t.Fatalf("there is no rule %s", uid)
	}
	return rules[at]
}

// inGroup returns the uids of a group's rules in order.
func inGroup(s *grafanatest.Server, title string) []string {
	var uids []string
	for _, r := range s.Rules() {
		if r.Text("ruleGroup") == title {
			uids = append(uids, r.Text("uid"))
		}
	}
	return uids
}
