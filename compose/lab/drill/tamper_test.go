package drill

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/compose/lab"
)

// newBench copies the lab's own configuration into a folder, so that a drill that
// no longer finds what it breaks fails here.
func newBench(t *testing.T) bench {
	t.Helper()
	root, err := lab.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	from, to := filepath.Join(root, "compose", "config"), t.TempDir()
	b := bench{prometheus: filepath.Join(to, "prometheus"), rules: filepath.Join(to, "rules"), alertmanager: filepath.Join(to, "alertmanager.yml")}
	if err := os.CopyFS(b.prometheus, os.DirFS(filepath.Join(from, "prometheus"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(from, "alertmanager", "alertmanager.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.alertmanager, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.rules, 0o700); err != nil {
		t.Fatal(err)
	}
	taking := answering(t, map[string]string{"/-/reload": ""})
	b.servers = servers{client: http.DefaultClient, prometheus: taking, alertmanager: taking, gateway: "http://gateway.test"}
	return b
}

// files reads a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.WriteString(d.Name() + "\n" + string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestTamperingIsMended changes the files that each drill is about, and puts them
// back.
func TestTamperingIsMended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   tamper
		want string
	}{
		"a service unlisted":  {unlist("services.json", "email"), `[{"labels":{"job":"gateway"}`},
		"a mistake":           {mistake, `{"labels":{"job":"email"},"targets":["127.0.0.1:`},
		"classic only":        {forgetHistograms, "scrape_native_histograms: false"},
		"a rule that fails":   {failingRule, "expr: up * on () up"},
		"a rule too fast":     {hastyRule, "interval: 1ms"},
		"a dead Alertmanager": {deadAlertmanager, `,{"targets":["127.0.0.1:`},
		"a receiver":          {refusingReceiver, "    webhook_configs:\n      - url: http://gateway.test/no-such-receiver\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			dir := filepath.Dir(b.alertmanager)
			before := files(t, dir)
			mend, err := c.do(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if got := files(t, dir); !strings.Contains(got, c.want) || got == before {
				t.Errorf("the files lack %q", c.want)
			}
			if err := mend(t.Context()); err != nil {
				t.Error(err)
			}
			if got := files(t, dir); got != before {
				t.Error("the files are not what they were")
			}
		})
	}
}

func TestTamperingThatDoesNotWorkIsAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := brokenConfig(t.Context(), b); err == nil || !strings.Contains(err.Error(), "it was taken") {
		t.Errorf("a broken configuration that is taken: %v", err)
	}
	if _, err := unlist("services.json", "nobody")(t.Context(), b); err == nil || !strings.Contains(err.Error(), "stays as it is") {
		t.Errorf("a job that is not listed: %v", err)
	}
	b.servers.prometheus = answering(t, nil)
	for name, do := range map[string]func(context.Context, bench) (func(context.Context) error, error){"a rule": failingRule, "histograms": forgetHistograms} {
		if _, err := do(t.Context(), b); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s, and Prometheus refuses: %v", name, err)
		}
	}
}
