package alerts

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// The documents of Grafana's provisioning files, as far as alerts need them.
type (
	grafanaFile struct {
		APIVersion int            `yaml:"apiVersion"`
		Groups     []grafanaGroup `yaml:"groups"`
	}
	grafanaGroup struct {
		OrgID    int           `yaml:"orgId"`
		Name     string        `yaml:"name"`
		Folder   string        `yaml:"folder"`
		Interval string        `yaml:"interval"`
		Rules    []grafanaRule `yaml:"rules"`
	}
	grafanaRule struct {
		UID          string         `yaml:"uid"`
		Title        string         `yaml:"title"`
		Condition    string         `yaml:"condition"`
		Data         []grafanaQuery `yaml:"data"`
		NoDataState  string         `yaml:"noDataState"`
		ExecErrState string         `yaml:"execErrState"`
		For          string         `yaml:"for"`
		// MissingSeries is how many evaluations a series may be gone before its
		// alert ends. Grafana 12 knows it; older ones wait for two.
		MissingSeries int               `yaml:"missing_series_evals_to_resolve"`
		Labels        map[string]string `yaml:"labels"`
		Annotations   promAnnotations   `yaml:"annotations"`
	}
	grafanaQuery struct {
		RefID         string       `yaml:"refId"`
		Range         grafanaRange `yaml:"relativeTimeRange"`
		DatasourceUID string       `yaml:"datasourceUid"`
		Model         grafanaModel `yaml:"model"`
	}
	// grafanaRange is in seconds before now.
	grafanaRange struct {
		From int `yaml:"from"`
		To   int `yaml:"to"`
	}
	grafanaModel struct {
		RefID      string            `yaml:"refId"`
		Datasource map[string]string `yaml:"datasource"`
		// Of a query.
		Expr    string `yaml:"expr,omitempty"`
		Instant bool   `yaml:"instant,omitempty"`
		// Of an expression.
		Type       string `yaml:"type,omitempty"`
		Expression string `yaml:"expression,omitempty"`
	}
)

const (
	queryRef, conditionRef = "A", "B"
	// expressions is the data source of Grafana's own expressions.
	expressions = "__expr__"
	// maxUID is the longest uid that Grafana takes.
	maxUID = 40
	// uidPrefix keeps the uids apart from those of others.
	uidPrefix = "plumbline-"
	// lookback is the range that Grafana wants for every query. An instant query
	// does not use it.
	lookback = 10 * time.Minute
	// grafanaTick is what Grafana's intervals must be multiples of.
	grafanaTick = 10 * time.Second
)

// WriteGrafana writes one file per group that has alerts into dir: alerts that
// Grafana evaluates itself, as its file provisioning reads them. They ask the
// same of Prometheus in both flavours of histograms, and need the recording
// rules of [WritePrometheus] there: Grafana can record too, but only into a data
// source that takes remote writes.
//
// Grafana evaluates every 10 seconds at most, so a shorter interval is rounded
// up. WriteGrafana fails before the first file for options out of bounds.
func WriteGrafana(dir string, o Options) error {
	rendered, err := RenderGrafana(o)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for name, content := range rendered {
		files[filepath.Join(dir, name)] = content
	}
	return writeAll(files)
}

// RenderGrafana returns the provisioning files by file name.
func RenderGrafana(o Options) (map[string][]byte, error) {
	return renderEach(o, Options.describe, func(g Group, o Options) any {
		group := grafanaGroup{
			OrgID: 1, Name: groupPrefix + g.Name, Folder: o.Folder,
			Interval: promql.FormatDuration((g.Interval + grafanaTick - 1).Truncate(grafanaTick)),
		}
		for _, r := range g.Rules {
			if r.Alert != "" {
				group.Rules = append(group.Rules, o.grafanaRule(r))
			}
		}
		if len(group.Rules) == 0 {
			return nil
		}
		return grafanaFile{APIVersion: 1, Groups: []grafanaGroup{group}}
	})
}

// grafanaRule turns a rule into three parts: the query, what its answer means,
// and the alert. For Prometheus every series of the answer is in trouble,
// whatever its value; for Grafana only a value other than 0 is, hence the
// expression. No series is no trouble; a query that fails is.
func (o Options) grafanaRule(r Rule) grafanaRule {
	return grafanaRule{
		UID:       r.uid(),
		Title:     r.Alert + " (" + string(r.Severity) + ")",
		Condition: conditionRef,
		Data: []grafanaQuery{{
			RefID: queryRef, Range: grafanaRange{From: int(lookback.Seconds())}, DatasourceUID: o.DatasourceUID,
			Model: grafanaModel{
				RefID: queryRef, Datasource: map[string]string{"type": "prometheus", "uid": o.DatasourceUID},
				Expr: r.Expr.Multiline(), Instant: true,
			},
		}, {
			RefID: conditionRef, DatasourceUID: expressions,
			Model: grafanaModel{
				RefID: conditionRef, Datasource: map[string]string{"type": expressions, "uid": expressions},
				Type: "math", Expression: "is_number($" + queryRef + ") || is_inf($" + queryRef + ")",
			},
		}},
		NoDataState: "OK", ExecErrState: "Error",
		For:           promql.FormatDuration(r.For),
		MissingSeries: 1,
		Labels:        r.grafanaLabels(),
		Annotations: promAnnotations{
			Summary:      grafanaTemplate(r.Annotations.Summary),
			Description:  grafanaTemplate(r.Annotations.Description),
			DashboardURL: grafanaTemplate(r.Annotations.DashboardURL),
			RunbookURL:   grafanaTemplate(r.Annotations.RunbookURL),
		},
	}
}

// uid is made of what never changes about an alert: its name and its severity.
func (r Rule) uid() string {
	return uidPrefix + strings.ToLower(r.Alert) + "-" + string(r.Severity)[:1]
}

// grafanaLabels adds the alert's name: the title, which Grafana takes for it,
// has to tell alerts of one name apart.
func (r Rule) grafanaLabels() map[string]string {
	labels := r.labels()
	labels[string(catalog.AlertRule)] = r.Alert
	return labels
}

// grafanaTemplate spells a template of Prometheus as Grafana's: the same
// language with other variables. It does without dollar signs, which some
// versions of Grafana take for variables of the environment and others do not.
func grafanaTemplate(text string) string {
	text = strings.ReplaceAll(text, "$labels.", ".Labels.")
	return strings.ReplaceAll(text, "$value", ".Values."+queryRef+".Value")
}

var uidPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func isUID(s string) bool { return len(s) <= maxUID && uidPattern.MatchString(s) }
