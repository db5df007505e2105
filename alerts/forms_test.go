package alerts_test

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/alerts"
)

// promDoc is a rule file as Prometheus reads it, and part of what the operator
// does.
type promDoc struct {
	Groups []struct {
		Name, Interval string
		Rules          []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

// parse reads YAML strictly: a field that the form does not have is an error.
func parse(t *testing.T, name, content string, into any) {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(content))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := dec.Decode(new(any)); err != io.EOF {
		t.Fatalf("%s holds more than one document", name)
	}
}

func TestThePrometheusFormSaysWhatTheSourceSays(t *testing.T) {
	t.Parallel()
	for _, flavor := range alerts.Flavors() {
		for _, g := range all(t, alerts.Options{Flavor: flavor}) {
			name := flavor.String() + "/" + g.Name + ".yml"
			var doc promDoc
			parse(t, name, readAll(t, generated)[name], &doc)
			compareProm(t, name, doc, g)
		}
	}
}

func TestTheKubernetesFormSaysWhatTheSourceSays(t *testing.T) {
	t.Parallel()
	for _, flavor := range alerts.Flavors() {
		for _, g := range all(t, alerts.Options{Flavor: flavor}) {
			name := flavor.String() + "/" + g.Name + ".yml"
			var doc struct {
				APIVersion string `yaml:"apiVersion"`
				Kind       string
				Metadata   struct {
					Name   string
					Labels map[string]string
				}
				Spec promDoc
			}
			parse(t, name, readAll(t, generatedKubernetes)[name], &doc)
			if doc.APIVersion != "monitoring.coreos.com/v1" || doc.Kind != "PrometheusRule" || doc.Metadata.Name != "plumbline-"+g.Name ||
				doc.Metadata.Labels["app.kubernetes.io/part-of"] != "plumbline" {
				t.Errorf("%s is %s %s %+v", name, doc.APIVersion, doc.Kind, doc.Metadata)
			}
			compareProm(t, name, doc.Spec, g)
		}
	}
}

func compareProm(t *testing.T, name string, doc promDoc, g alerts.Group) {
	t.Helper()
	if len(doc.Groups) != 1 || doc.Groups[0].Name != "plumbline-"+g.Name || doc.Groups[0].Interval != "30s" || len(doc.Groups[0].Rules) != len(g.Rules) {
		t.Fatalf("%s has groups %+v", name, doc.Groups)
	}
	for i, want := range g.Rules {
		got := doc.Groups[0].Rules[i]
		if got.Record != want.Record || got.Alert != want.Alert || got.Expr != want.Expr.Multiline() {
			t.Errorf("%s: rule %d is %+v, want %+v", name, i, got, want)
		}
		if want.Alert == "" {
			if len(got.Labels)+len(got.Annotations) > 0 || got.For != "" {
				t.Errorf("%s: the recording rule %s has labels, annotations or a delay", name, want.Record)
			}
			continue
		}
		if !maps.Equal(got.Labels, labelsOf(want)) || !maps.Equal(got.Annotations, annotationsOf(want.Annotations)) || duration(t, got.For) != want.For {
			t.Errorf("%s: %s has labels %v, annotations %v, for %s", name, want.Alert, got.Labels, got.Annotations, got.For)
		}
	}
}

func labelsOf(r alerts.Rule) map[string]string {
	labels := map[string]string{string(catalog.AlertSeverity): string(r.Severity)}
	for l, v := range r.Labels {
		labels[string(l)] = v
	}
	return labels
}

func annotationsOf(a alerts.Annotations) map[string]string {
	return map[string]string{"summary": a.Summary, "description": a.Description, "dashboard_url": a.DashboardURL, "runbook_url": a.RunbookURL}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Error(err)
	}
	return d
}

// grafanaDoc is a provisioning file as Grafana reads it.
type grafanaDoc struct {
	APIVersion int `yaml:"apiVersion"`
	Groups     []struct {
		OrgID                  int `yaml:"orgId"`
		Name, Folder, Interval string
		Rules                  []struct {
			UID, Title, Condition string
			Data                  []struct {
				RefID             string                 `yaml:"refId"`
				RelativeTimeRange struct{ From, To int } `yaml:"relativeTimeRange"`
				DatasourceUID     string                 `yaml:"datasourceUid"`
				Model             map[string]any
			}
			NoDataState         string `yaml:"noDataState"`
			ExecErrState        string `yaml:"execErrState"`
			For                 string
			MissingSeries       int `yaml:"missing_series_evals_to_resolve"`
			Labels, Annotations map[string]string
		}
	}
}

func TestTheGrafanaFormSaysWhatTheSourceSays(t *testing.T) {
	t.Parallel()
	files, err := alerts.RenderGrafana(alerts.Options{DatasourceUID: "mimir", Folder: "SRE"})
	if err != nil {
		t.Fatal(err)
	}
	uids, titles := map[string]bool{}, map[string]bool{}
	for _, g := range all(t, alerts.Options{}) {
		name := g.Name + ".yml"
		want := slices.DeleteFunc(slices.Clone(g.Rules), func(r alerts.Rule) bool { return r.Alert == "" })
		if len(want) == 0 {
			if files[name] != nil {
				t.Errorf("%s: Grafana would record", name)
			}
			continue
		}
		var doc grafanaDoc
		parse(t, name, string(files[name]), &doc)
		if doc.APIVersion != 1 || len(doc.Groups) != 1 || len(doc.Groups[0].Rules) != len(want) {
			t.Fatalf("%s: %+v", name, doc)
		}
		if group := doc.Groups[0]; group.OrgID != 1 || group.Name != "plumbline-"+g.Name || group.Folder != "SRE" || group.Interval != "30s" {
			t.Errorf("%s is of org %d, group %s, folder %s, every %s", name, group.OrgID, group.Name, group.Folder, group.Interval)
		}
		for i, r := range want {
			got := doc.Groups[0].Rules[i]
			if got.UID == "" || len(got.UID) > 40 || uids[got.UID] || titles[got.Title] {
				t.Errorf("%s: uid %q or title %q is too long, or not the only one", name, got.UID, got.Title)
			}
			uids[got.UID], titles[got.Title] = true, true
			query, condition := got.Data[0], got.Data[1]
			if query.DatasourceUID != "mimir" || query.Model["expr"] != r.Expr.Multiline() || query.Model["instant"] != true ||
				query.RefID != query.Model["refId"] || query.RelativeTimeRange.From != 600 || query.RelativeTimeRange.To != 0 {
				t.Errorf("%s: %s asks %+v", name, r.Alert, query)
			}
			if len(got.Data) != 2 || got.Condition != condition.RefID || condition.DatasourceUID != "__expr__" || condition.Model["type"] != "math" ||
				condition.Model["expression"] != "is_number($A) || is_inf($A)" || condition.Model["refId"] != condition.RefID {
				t.Errorf("%s: %s has the condition %+v", name, r.Alert, condition)
			}
			labels := labelsOf(r)
			labels[string(catalog.AlertRule)] = r.Alert
			if got.NoDataState != "OK" || got.ExecErrState != "Error" || got.MissingSeries != 1 || duration(t, got.For) != r.For || !maps.Equal(got.Labels, labels) {
				t.Errorf("%s: %s is %+v", name, r.Alert, got)
			}
			compareTemplates(t, r, got.Annotations)
		}
	}
}

// compareTemplates fills the templates of both forms with the same values.
func compareTemplates(t *testing.T, r alerts.Rule, grafana map[string]string) {
	t.Helper()
	labels := map[string]string{}
	for _, l := range []catalog.Label{catalog.ServiceName, catalog.Job, catalog.Instance, catalog.HTTPRoute, catalog.Queue, catalog.Replica, catalog.Pool} {
		labels[string(l)] = "the " + string(l)
	}
	type value struct{ Value float64 }
	for key, text := range annotationsOf(r.Annotations) {
		if strings.Contains(grafana[key], "$") {
			t.Errorf("%s: %s has a dollar sign, which Grafana may take for a variable: %s", r.Alert, key, grafana[key])
		}
		want := fill(t, "{{ $labels := .Labels }}{{ $value := .Value }}"+text, map[string]any{"Labels": labels, "Value": 0.25})
		if got := fill(t, grafana[key], map[string]any{"Labels": labels, "Values": map[string]value{"A": {0.25}}}); got != want {
			t.Errorf("%s: %s says %q in Grafana, want %q", r.Alert, key, got, want)
		}
	}
}

func fill(t *testing.T, text string, data any) string {
	t.Helper()
	same := func(v any) any { return v }
	tmpl, err := template.New("").Funcs(template.FuncMap{
		"humanize": same, "humanize1024": same, "humanizePercentage": same, "humanizeDuration": same, "humanizeTimestamp": same,
	}).Option("missingkey=invalid").Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Alerts ask recorded series or others that both flavours have, so one form
// for Grafana is enough.
func TestTheGrafanaFormIsTheSameForBothFlavours(t *testing.T) {
	t.Parallel()
	native, err := alerts.RenderGrafana(alerts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	classic, err := alerts.RenderGrafana(alerts.Options{Flavor: alerts.Classic})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(native, classic, bytes.Equal) {
		t.Error("the files differ; write both")
	}
}

func TestGrafanaIsNotAskedToEvaluateFasterThanItCan(t *testing.T) {
	t.Parallel()
	for scale, want := range map[float64]string{0.1: "interval: 10s", 0.5: "interval: 20s", 1: "interval: 30s"} {
		files, err := alerts.RenderGrafana(alerts.Options{TimeScale: scale})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(files["slo-errors.yml"], []byte(want)) {
			t.Errorf("scaled by %v: no %s", scale, want)
		}
	}
}
