package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/grafana/grafanatest"
	"github.com/cacheu/plumbline/internal/importer"
)

func TestTheErrorNamesThePermission(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action string
		config func(*importer.Config)
	}{
		{"datasources:read", nil}, {"datasources:query", nil}, {"folders:read", nil}, {"folders:create", nil}, {"dashboards:read", nil},
		{"dashboards:create", nil}, {"dashboards:write", nil}, {"alert.rules:read", nil}, {"alert.rules:create", nil},
		{"alert.provisioning.provenance:write", nil}, {"dashboards:delete", remove}, {"alert.rules:delete", remove}, {"datasources:query", check},
	} {
		t.Run(c.action, func(t *testing.T) {
			t.Parallel()
			may := slices.DeleteFunc(grafanatest.Editor(), func(a string) bool { return a == c.action })
			s := start(t, grafanatest.Config{Tokens: map[string][]string{token: may}})
			cfg := config(t, s)
			if c.config != nil {
				c.config(&cfg)
			}
			i, err := importer.Connect(t.Context(), cfg)
			if err == nil {
				_, err = i.Plan(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.action) || len(s.Writes()) != 0 {
				t.Errorf("it says %v after the writes %q, want %s and no write", err, s.Writes(), c.action)
			}
		})
	}
}

func TestAllThatATokenLacksIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{Tokens: map[string][]string{token: {"datasources:read", "datasources:query", "dashboards:read", "folders:read"}}})
	_, err := importer.Connect(t.Context(), config(t, s))
	for _, want := range []string{"dashboards:create", "dashboards:write", "alert.rules:read"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want %s in it", err, want)
		}
	}
}

func TestATokenThatIsNotAcceptedIsSaidToBe(t *testing.T) {
	t.Parallel()
	s := start(t, grafanatest.Config{Tokens: map[string][]string{"another": nil}})
	_, err := importer.Connect(t.Context(), config(t, s))
	if err == nil || !strings.Contains(err.Error(), "does not accept the token (Invalid API key)") {
		t.Errorf("it says %v", err)
	}
}

func TestDataSourcesAreChosen(t *testing.T) {
	t.Parallel()
	two := append(sources(), grafana.DataSource{UID: "mimir-uid", Name: "Long term", Type: "prometheus"})
	for name, c := range map[string]struct {
		there []grafana.DataSource
		named map[string]string
		uid   string
		want  []string
	}{
		"the only one":           {sources(), nil, "prom-uid", nil},
		"by name":                {two, map[string]string{"prometheus": "Long term"}, "mimir-uid", nil},
		"by uid":                 {two, map[string]string{"prometheus": "prom-uid"}, "prom-uid", nil},
		"two, and none named":    {two, nil, "", []string{"there are 2 data sources of type prometheus", `"Long term" (uid mimir-uid`, `"Metrics" (uid prom-uid`}},
		"one that is not there":  {two, map[string]string{"prometheus": "Short"}, "", []string{`has the uid or name "Short"`, "mimir-uid", "prom-uid"}},
		"no Prometheus":          {sources()[1:], nil, "", []string{"no data source of type prometheus", `"Logs" (uid loki-uid, type loki)`}},
		"no Prometheus wanted":   {sources(), map[string]string{"prometheus": "none"}, "", []string{`has the uid or name "none"`}},
		"no Loki":                {sources()[:1], nil, "", []string{"no data source of type loki", "--datasource loki=none"}},
		"a kind that nobody has": {sources(), map[string]string{"tempo": "x"}, "", []string{`"tempo" are not used`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, grafanatest.Config{DataSources: c.there})
			i, err := importer.Connect(t.Context(), config(t, s, func(cfg *importer.Config) { cfg.DataSources = c.named }))
			if c.want == nil {
				if err != nil || i.Target().Sources["prometheus"].UID != c.uid {
					t.Fatalf("it says %v, want %s", err, c.uid)
				}
				return
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("it says %v, want %s in it", err, want)
				}
			}
		})
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	all := start(t, grafanatest.Config{Prometheus: prometheus()})
	missing, asked, err := connect(t, config(t, all, check)).Missing(t.Context())
	if err != nil || len(missing) != asked || asked < 20 {
		t.Fatalf("of an empty Prometheus %d of %d series are missing: %v", len(missing), asked, err)
	}
	var has []string
	const lost = "up"
	for _, n := range missing {
		if n.Name != lost {
			has = append(has, n.Name)
		}
	}
	s := start(t, grafanatest.Config{Prometheus: prometheus(has...)})
	missing, _, err = connect(t, config(t, s, check)).Missing(t.Context())
	if err != nil || len(missing) != 1 || missing[0].Name != lost || !slices.Contains(missing[0].By, "rule TargetDown") {
		t.Errorf("missing are %v, want %s for the rule TargetDown: %v", missing, lost, err)
	}
	if len(s.Writes()) != 0 {
		t.Errorf("a check writes %q", s.Writes())
	}
}
