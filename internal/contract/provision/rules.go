package provision

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Rule is one thing that the data sources must have right.
type Rule struct {
	// Name is the rule as a sentence.
	Name string
	// Check returns a line for every breach.
	Check func(*Sources) []string
}

// Rules returns every rule for the data sources.
func Rules() []Rule {
	return []Rule{
		{"the data sources are the ones that dashboards name", identities},
		{"an exemplar leads to its trace, in Grafana and in Jaeger", exemplarLinks},
		{"a log line leads to its trace, in Grafana and in Jaeger", logLinks},
		{"a span leads to the logs of its trace", spanToLogs},
		{"a span leads to metrics that exist", spanToMetrics},
		{"a span leads to its own flame graph", spanToProfile},
		{"Grafana's own variables survive the expansion", escapes},
	}
}

// JaegerUI is what PLUMBLINE_JAEGER_UI_URL must be in the environment of the checks.
const JaegerUI = "http://jaeger-ui.test"

// source returns a data source by uid.
func (s *Sources) source(uid string) (Source, bool) {
	i := slices.IndexFunc(s.Datasources, func(d Source) bool { return d.UID == uid })
	if i < 0 {
		return Source{}, false
	}
	return s.Datasources[i], true
}

func identities(s *Sources) []string {
	want := map[string]string{
		"prometheus": "prometheus", "loki": "loki", "jaeger": "jaeger", "pyroscope": "grafana-pyroscope-datasource",
	}
	var problems []string
	got := map[string]string{}
	defaults := 0
	for _, d := range s.Datasources {
		got[d.UID] = d.Type
		if d.IsDefault {
			defaults++
		}
		if d.Editable {
			problems = append(problems, d.Name+" is editable, so its links can be changed by hand")
		}
		if u, err := url.Parse(d.URL); err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil {
			problems = append(problems, fmt.Sprintf("%s has the address %q", d.Name, d.URL))
		}
	}
	if !maps.Equal(got, want) {
		problems = append(problems, fmt.Sprintf("uids and types are %v, want %v", got, want))
	}
	if prom, _ := s.source("prometheus"); defaults != 1 || !prom.IsDefault {
		problems = append(problems, "prometheus is not the one default data source")
	}
	return problems
}

// traceLinks wants one link to the data source jaeger and one to Jaeger's UI.
func traceLinks(links []Link) []string {
	const ui = JaegerUI + "/trace/${__value.raw}"
	var problems []string
	inGrafana, inJaeger := 0, 0
	for _, l := range links {
		switch {
		case l.DatasourceUID == "jaeger":
			inGrafana++
		case l.DatasourceUID == "" && l.URL == ui:
			inJaeger++
		default:
			problems = append(problems, fmt.Sprintf("the link %q leads to %q %q", l.Label, l.DatasourceUID, l.URL))
		}
		if l.Label == "" {
			problems = append(problems, "a link has no urlDisplayLabel, so the two look alike")
		}
	}
	if inGrafana != 1 || inJaeger != 1 {
		problems = append(problems, fmt.Sprintf("%d links lead to the data source jaeger and %d to %s, want one each", inGrafana, inJaeger, ui))
	}
	return problems
}

func exemplarLinks(s *Sources) []string {
	prom, _ := s.source("prometheus")
	problems := traceLinks(prom.JSONData.ExemplarTraceIDDestinations)
	for _, l := range prom.JSONData.ExemplarTraceIDDestinations {
		if l.Name != catalog.ExemplarTraceID {
			problems = append(problems, fmt.Sprintf("the exemplar label is %q, want %q, which the agent writes", l.Name, catalog.ExemplarTraceID))
		}
	}
	return problems
}

func logLinks(s *Sources) []string {
	loki, _ := s.source("loki")
	var links []Link
	var problems []string
	for _, f := range loki.JSONData.DerivedFields {
		links = append(links, f.Link)
		if f.MatcherType != "label" || f.MatcherRegex != catalog.LogTraceID {
			problems = append(problems, fmt.Sprintf("%q matches %s %q, want the label %q: the id is structured metadata", f.Name, f.MatcherType, f.MatcherRegex, catalog.LogTraceID))
		}
		if !strings.Contains(f.URL, "${__value.raw}") {
			problems = append(problems, fmt.Sprintf("%q passes %q on, want the trace id", f.Name, f.URL))
		}
	}
	return append(problems, traceLinks(links)...)
}

// logQuery is a LogQL query that needs nothing of a span but its trace.
var logQuery = regexp.MustCompile(`^\{(\w+)=~"\.\+"\} \| (\w+)="\$\{__span\.traceId\}"$`)

func spanToLogs(s *Sources) []string {
	jaeger, _ := s.source("jaeger")
	link := jaeger.JSONData.TracesToLogs
	if link == nil || link.DatasourceUID != "loki" {
		return []string{"tracesToLogsV2 does not lead to loki"}
	}
	problems := tags(link.Tags, 1)
	m := logQuery.FindStringSubmatch(link.Query)
	if !link.CustomQuery || m == nil || m[1] != string(catalog.ServiceName) || m[2] != catalog.LogTraceID {
		problems = append(problems, fmt.Sprintf("the query is %q, want every stream, filtered by %s", link.Query, catalog.LogTraceID))
	}
	return append(problems, shifts(link.Start, link.End)...)
}

func spanToMetrics(s *Sources) []string {
	jaeger, _ := s.source("jaeger")
	link := jaeger.JSONData.TracesToMetrics
	if link == nil || link.DatasourceUID != "prometheus" {
		return []string{"tracesToMetrics does not lead to prometheus"}
	}
	problems := append(tags(link.Tags, 2), shifts(link.Start, link.End)...)
	if len(link.Queries) == 0 {
		problems = append(problems, "tracesToMetrics has no query, so Grafana would draw Tempo's metrics")
	}
	for _, q := range link.Queries {
		if q.Name == "" {
			problems = append(problems, fmt.Sprintf("the query %s has no name", q.Query))
		}
		if !strings.Contains(q.Query, "$__tags") {
			problems = append(problems, fmt.Sprintf("%q does not narrow to the span: it lacks $__tags", q.Name))
		}
		for _, p := range CheckQuery(strings.ReplaceAll(q.Query, "$__tags", "")) {
			problems = append(problems, fmt.Sprintf("%q: %s", q.Name, p))
		}
	}
	return problems
}

func spanToProfile(s *Sources) []string {
	jaeger, _ := s.source("jaeger")
	link := jaeger.JSONData.TracesToProfiles
	if link == nil || link.DatasourceUID != "pyroscope" {
		return []string{"tracesToProfiles does not lead to pyroscope"}
	}
	problems := tags(link.Tags, 1)
	if want := "process_cpu:cpu:nanoseconds:cpu:nanoseconds"; link.ProfileTypeID != want || link.CustomQuery {
		problems = append(problems, fmt.Sprintf("the profile is %q (custom query %v), want %q, which spans are labelled in", link.ProfileTypeID, link.CustomQuery, want))
	}
	return problems
}

// tags wants at least least mappings, each from a known span attribute to the
// label that the agent and Loki derive from it, the service's name among them.
func tags(list []Tag, least int) []string {
	known := map[string]string{
		catalog.ResServiceName:        string(catalog.ServiceName),
		catalog.ResEnvironment:        string(catalog.DeploymentEnvironment),
		catalog.AttrHTTPRoute:         string(catalog.HTTPRoute),
		catalog.AttrHTTPRequestMethod: string(catalog.HTTPRequestMethod),
	}
	var problems []string
	if len(list) < least || !slices.ContainsFunc(list, func(t Tag) bool { return t.Key == catalog.ResServiceName }) {
		problems = append(problems, fmt.Sprintf("only the tags %v are mapped", list))
	}
	for _, t := range list {
		if label, ok := known[t.Key]; !ok || label != t.Value {
			problems = append(problems, fmt.Sprintf("the tag %s is mapped to %q, want %q", t.Key, t.Value, label))
		}
	}
	return problems
}

// shifts wants a search window that is wider than the span on both sides.
func shifts(start, end string) []string {
	if !strings.HasPrefix(start, "-") || end == "" || strings.HasPrefix(end, "-") {
		return []string{fmt.Sprintf("the window is shifted by %q and %q, want it wider than the span", start, end)}
	}
	return nil
}

// escapes finds Grafana's own variables ($__tags, ${__value.raw}) that were
// written with one dollar sign and so vanished as unset environment variables.
func escapes(s *Sources) []string {
	var problems []string
	for _, name := range s.Variables {
		if strings.ToUpper(name) != name || strings.HasPrefix(name, "__") || name == "" {
			problems = append(problems, fmt.Sprintf("$%s is taken for an environment variable, write $$%s", name, name))
		}
	}
	return problems
}
