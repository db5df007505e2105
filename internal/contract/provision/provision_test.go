package provision_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/composefile"
	"github.com/cacheu/plumbline/internal/contract/provision"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

// environment is what the lab gives Grafana, with addresses that tests know.
func environment() map[string]string {
	return map[string]string{
		"PLUMBLINE_PROMETHEUS_URL": "http://prometheus.test", "PLUMBLINE_LOKI_URL": "http://loki.test", "PLUMBLINE_JAEGER_URL": "http://jaeger.test",
		"PLUMBLINE_PYROSCOPE_URL": "http://pyroscope.test", "PLUMBLINE_JAEGER_UI_URL": provision.JaegerUI, "PLUMBLINE_DASHBOARDS_DIR": "/dashboards",
	}
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(append([]string{root}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func datasources(t *testing.T) string {
	return read(t, "compose", "config", "grafana", "provisioning", "datasources", "plumbline.yaml")
}

func dashboards(t *testing.T) string {
	return read(t, "compose", "config", "grafana", "provisioning", "dashboards", "plumbline.yaml")
}

func parse(t *testing.T, text string) *provision.Sources {
	t.Helper()
	s, err := provision.ParseSources(text, environment())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryLinkBetweenTheSignalsIsProvisioned(t *testing.T) {
	t.Parallel()
	s := parse(t, datasources(t))
	for _, rule := range provision.Rules() {
		for _, problem := range rule.Check(s) {
			t.Errorf("%s: %s", rule.Name, problem)
		}
	}
}

func TestDashboardsComeFromTheGeneratedFolderAndStayAsGenerated(t *testing.T) {
	t.Parallel()
	p, err := provision.ParseProviders(dashboards(t), environment())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Providers) != 1 {
		t.Fatalf("there are %d providers, want 1", len(p.Providers))
	}
	got := p.Providers[0]
	if got.Type != "file" || got.Options.Path != "/dashboards" || got.AllowUIUpdates || !got.DisableDeletion {
		t.Errorf("the provider is %+v, want files of PLUMBLINE_DASHBOARDS_DIR that cannot be changed in Grafana", got)
	}
}

func TestBothLabsSetEveryVariableOfTheProvisioningFiles(t *testing.T) {
	t.Parallel()
	p, err := provision.ParseProviders(dashboards(t), environment())
	if err != nil {
		t.Fatal(err)
	}
	variables := append(parse(t, datasources(t)).Variables, p.Variables...)
	if len(variables) != len(environment()) {
		t.Errorf("the files ask for %q, the tests know %v", variables, environment())
	}

	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := composefile.ReadStack(filepath.Join(root, "compose"))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := composefile.Load(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	native := nativeLab(t, root)
	for _, name := range variables {
		if v := stack.Project.Services["grafana"].Environment[name]; v == nil || *v == "" {
			t.Errorf("compose.yaml does not set %s for grafana", name)
		}
		if !strings.Contains(native, `"`+name+`=`) {
			t.Errorf("the native lab does not set %s for grafana", name)
		}
	}
}

// nativeLab returns the source of the lab runner.
func nativeLab(t *testing.T, root string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "compose", "lab", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// TestEachRuleCatchesItsBreach breaks the real file in one place at a time.
func TestEachRuleCatchesItsBreach(t *testing.T) {
	t.Parallel()
	const (
		identities = "the data sources are the ones that dashboards name"
		exemplars  = "an exemplar leads to its trace, in Grafana and in Jaeger"
		logs       = "a log line leads to its trace, in Grafana and in Jaeger"
		toLogs     = "a span leads to the logs of its trace"
		toMetrics  = "a span leads to metrics that exist"
		toProfile  = "a span leads to its own flame graph"
		escapes    = "Grafana's own variables survive the expansion"
	)
	for name, c := range map[string]struct{ rule, old, new, want string }{
		"another uid":                            {identities, "uid: loki", "uid: P8E80F9AEF21F6940", "uids and types are"},
		"another type":                           {identities, "type: grafana-pyroscope-datasource", "type: phlare", "uids and types are"},
		"no default":                             {identities, "isDefault: true", "isDefault: false", "not the one default"},
		"links that can be edited":               {identities, "editable: false", "editable: true", "Prometheus is editable"},
		"an address that is not set":             {identities, "${PLUMBLINE_LOKI_URL}", "${PLUMBLINE_LOKI_ADDRESS}", `Loki has the address ""`},
		"a label that the agent does not write":  {exemplars, "- name: trace_id", "- name: traceID", `the exemplar label is "traceID"`},
		"no way to Jaeger's own UI":              {exemplars, "/trace/$${__value.raw}\n          urlDisplayLabel: Trace in Jaeger\n\n", "/search\n          urlDisplayLabel: Trace in Jaeger\n\n", "0 to http://jaeger-ui.test/trace/"},
		"an exemplar to a data source not there": {exemplars, "datasourceUid: jaeger", "datasourceUid: tempo", `leads to "tempo"`},
		"two links that look alike":              {exemplars, "          urlDisplayLabel: Trace in Grafana\n", "", "no urlDisplayLabel"},
		"a log field matched in the text":        {logs, "matcherType: label", "matcherType: regex", "want the label \"trace_id\""},
		"a log field of another name":            {logs, "matcherRegex: trace_id", "matcherRegex: traceid", "want the label \"trace_id\""},
		"a log link that forgets the id":         {logs, "url: $${__value.raw}", "url: trace", `passes "trace" on`},
		"no way from a span to logs":             {toLogs, "tracesToLogsV2", "tracesToLogs", "does not lead to loki"},
		"logs by a tag that spans lack":          {toLogs, `{service_name=~".+"}`, `{$${__tags}}`, "want every stream"},
		"logs by text":                           {toLogs, `| trace_id="$${__span.traceId}"`, `|= "$${__span.traceId}"`, "filtered by trace_id"},
		"the default query, which may be hidden": {toLogs, "customQuery: true", "customQuery: false", "want every stream"},
		"logs only during the span":              {toLogs, "spanStartTimeShift: -5m", "spanStartTimeShift: 5m", "want it wider"},
		"a tag mapped to another label":          {toLogs, "value: service_name", "value: service", `service.name is mapped to "service"`},
		"a metric that does not exist":           {toMetrics, "rate(http_server_component_seconds_total", "rate(http_server_components_total", `no metric "http_server_components_total"`},
		"a suffix that a counter does not have":  {toMetrics, "rate(http_server_component_seconds_total", "rate(http_server_component_seconds_total_count", "the catalogue has no metric"},
		"a label that the metric lacks":          {toMetrics, `{http_response_status_code=~"5.."`, `{code=~"5.."`, "has no label code"},
		"a grouping that the metric lacks":       {toMetrics, "sum by (service_name, component)", "sum by (service_name, resource)", "groups by resource"},
		"a query that does not parse":            {toMetrics, "sum by (service_name, component) (", "sum by (service_name, component (", "does not parse"},
		"a query of every service":               {toMetrics, "http_server_component_seconds_total{$$__tags}", "http_server_component_seconds_total", "lacks $__tags"},
		"no way from a span to metrics":          {toMetrics, "datasourceUid: prometheus", "datasourceUid: mimir", "does not lead to prometheus"},
		"no way from a span to profiles":         {toProfile, "datasourceUid: pyroscope", "datasourceUid: parca", "does not lead to pyroscope"},
		"a profile that spans do not label":      {toProfile, "profileTypeId: process_cpu:cpu:nanoseconds:cpu:nanoseconds", "profileTypeId: memory:alloc_space:bytes:space:bytes", "which spans are labelled in"},
		"one dollar sign in front of tags":       {escapes, "{$$__tags}", "{$__tags}", "write $$__tags"},
		"one dollar sign in front of a value":    {escapes, "url: $${__value.raw}", "url: ${__value.raw}", "write $$__value.raw"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := datasources(t)
			if !strings.Contains(text, c.old) {
				t.Fatalf("the file no longer contains %q: the test must break something else", c.old)
			}
			s := parse(t, strings.Replace(text, c.old, c.new, 1))
			for _, rule := range provision.Rules() {
				if rule.Name != c.rule {
					continue
				}
				problems := rule.Check(s)
				if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }) {
					t.Errorf("%s finds %q, want one that says %q", rule.Name, problems, c.want)
				}
				return
			}
			t.Fatalf("there is no rule %q", c.rule)
		})
	}
}

func TestVariablesExpandAsInGrafana(t *testing.T) {
	t.Parallel()
	s, err := provision.ParseSources("datasources:\n  - {name: '$${__value.raw}', url: 'http://$HOST:${PORT}/$$x', uid: $UNSET}\n",
		map[string]string{"HOST": "h", "PORT": "1"})
	if err != nil {
		t.Fatal(err)
	}
	d := s.Datasources[0]
	if d.Name != "${__value.raw}" || d.URL != "http://h:1/$x" || d.UID != "" {
		t.Errorf("expanded to name %q, url %q and uid %q", d.Name, d.URL, d.UID)
	}
	if want := []string{"HOST", "PORT", "UNSET"}; !slices.Equal(s.Variables, want) {
		t.Errorf("Variables = %q, want %q", s.Variables, want)
	}
}
