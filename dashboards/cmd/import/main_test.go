package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/grafana/grafanatest"
)

func server(t *testing.T) *grafanatest.Server {
	t.Helper()
	s := grafanatest.New(grafanatest.Config{
		Tokens: map[string][]string{"glsa_test": grafanatest.Editor()},
		DataSources: []grafana.DataSource{
			{UID: "p", Name: "Metrics", Type: "prometheus"}, {UID: "l", Name: "Logs", Type: "loki"},
			{UID: "j", Name: "Traces", Type: "jaeger"}, {UID: "f", Name: "Profiles", Type: "grafana-pyroscope-datasource"},
		},
	})
	t.Cleanup(s.Close)
	return s
}

// run runs the command against the server, and returns what it wrote.
func run(t *testing.T, s *grafanatest.Server, args ...string) (string, error) {
	t.Helper()
	environment := map[string]string{"GRAFANA_URL": s.URL, "GRAFANA_TOKEN": "glsa_test"}
	var out bytes.Buffer
	err := Run(t.Context(), args, func(name string) string { return environment[name] }, &out, io.Discard)
	return out.String(), err
}

func TestRunShowsThenImportsThenRemoves(t *testing.T) {
	t.Parallel()
	s := server(t)
	out, err := run(t, s, "--flavor", "native", "--dry-run")
	if err != nil || !strings.Contains(out, "+ dashboard Service overview") || !strings.Contains(out, "nothing was changed") || len(s.Writes()) != 0 {
		t.Errorf("--dry-run writes %q and says %v:\n%s", s.Writes(), err, out)
	}
	if out, err = run(t, s, "--flavor", "native"); err != nil || !strings.Contains(out, "0 updated, 0 deleted, 0 kept") || len(s.Rules()) == 0 {
		t.Errorf("it says %v:\n%s", err, out)
	}
	out, err = run(t, s, "--flavor", "native", "--dry-run", "--latency-target", "99")
	if err != nil || !strings.Contains(out, "    - data[A].model.expr: ") || !strings.Contains(out, "    + data[A].model.expr: ") {
		t.Errorf("--dry-run does not show the difference, and says %v:\n%s", err, out)
	}
	if out, err = run(t, s, "--uninstall"); err != nil || len(s.Rules())+len(s.Dashboards())+len(s.Folders()) != 0 {
		t.Errorf("--uninstall leaves something, and says %v:\n%s", err, out)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	s := server(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a datasource without a name": {[]string{"--datasource", "loki"}, "want a type and a name"},
		"a type twice":                {[]string{"--datasource", "loki=a", "--datasource", "loki=b"}, "there is loki=a already"},
		"an argument":                 {[]string{"please"}, `unexpected argument "please"`},
		"two things at once":          {[]string{"--check", "--uninstall"}, "are two things"},
		"a check without changes":     {[]string{"--check", "--dry-run"}, "leave --dry-run out"},
		"an unknown flavour":          {[]string{"--flavor", "both"}, "unknown histogram flavour"},
		"a folder of folders":         {[]string{"--folder", "a/b"}, "a slash in it"},
		"no address":                  {[]string{"--url", ""}, "the address of Grafana is missing"},
		"an address that is none":     {[]string{"--url", "grafana"}, "is no http or https address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := run(t, s, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v, want %q", err, c.want)
			}
		})
	}
	err := Run(context.Background(), nil, func(string) string { return "" }, io.Discard, io.Discard)
	for _, want := range []string{"the address of Grafana is missing", "the token is missing", "GRAFANA_TOKEN"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without an environment it says %v, want %q", err, want)
		}
	}
}
