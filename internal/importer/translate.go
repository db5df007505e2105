package importer

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/promql"
)

const (
	// prefix keeps groups and rules apart from those of others.
	prefix = "plumbline-"
	// queryRef and conditionRef are the two parts of a rule.
	queryRef, conditionRef = "A", "B"
	// expressions is the data source of Grafana's own expressions.
	expressions = "__expr__"
	// lookback is the range that Grafana wants for every query, in seconds. An
	// instant query does not use it.
	lookback = 600
	// tick is what Grafana's intervals must be multiples of.
	tick = 10 * time.Second
	// fieldMissingSeries says after how many evaluations without its series an
	// alert ends.
	fieldMissingSeries = "missingSeriesEvalsToResolve"
)

// translate returns the alerts of a group as rules that Grafana evaluates
// itself. Recording rules are left out: they belong into Prometheus.
func translate(g alerts.Group, folderUID, sourceUID string) (grafana.Group, error) {
	interval := (g.Interval + tick - 1).Truncate(tick)
	group := grafana.Group{Title: prefix + g.Name, FolderUID: folderUID, Interval: int(interval.Seconds())}
	for _, r := range g.Rules {
		if r.Alert == "" {
			continue
		}
		rule, err := object(rule(r, group, sourceUID))
		if err != nil {
			return grafana.Group{}, fmt.Errorf("translate %s: %w", r.Alert, err)
		}
		group.Rules = append(group.Rules, rule)
	}
	return group, nil
}

// rule makes a query, what its answer means, and the alert. For Prometheus
// every series of the answer is in trouble, whatever its value; for Grafana only
// a value other than 0 is, hence the expression. No series is no trouble; a
// query that fails is.
func rule(r alerts.Rule, g grafana.Group, sourceUID string) map[string]any {
	labels := map[string]string{string(catalog.AlertSeverity): string(r.Severity)}
	for l, v := range r.Labels {
		labels[string(l)] = v
	}
	return map[string]any{
		"uid":       prefix + strings.ToLower(r.Alert) + "-" + string(r.Severity)[:1],
		"title":     r.Alert + " (" + string(r.Severity) + ")",
		"folderUID": g.FolderUID,
		"ruleGroup": g.Title,
		"condition": conditionRef,
		"data": []any{
			map[string]any{
				"refId": queryRef, "relativeTimeRange": map[string]int{"from": lookback}, "datasourceUid": sourceUID,
				"model": map[string]any{
					"refId": queryRef, "datasource": map[string]string{"type": pluginPrometheus, "uid": sourceUID},
					"expr": r.Expr.Multiline(), "instant": true,
				},
			},
			map[string]any{
				"refId": conditionRef, "datasourceUid": expressions,
				"model": map[string]any{
					"refId": conditionRef, "datasource": map[string]string{"type": expressions, "uid": expressions},
					"type": "math", "expression": "is_number($" + queryRef + ") || is_inf($" + queryRef + ")",
				},
			},
		},
		"noDataState": "OK", "execErrState": "Error",
		"for":              promql.FormatDuration(r.For),
		fieldMissingSeries: 1,
		"labels":           labels,
		"annotations": map[string]string{
			"summary":       template(r.Annotations.Summary),
			"description":   template(r.Annotations.Description),
			"dashboard_url": template(r.Annotations.DashboardURL),
			"runbook_url":   template(r.Annotations.RunbookURL),
		},
	}
}

// template spells a template of Prometheus as Grafana's: the same language with
// other variables.
func template(text string) string {
	text = strings.ReplaceAll(text, "$labels.", ".Labels.")
	return strings.ReplaceAll(text, "$value", ".Values."+queryRef+".Value")
}

// object returns v with the types that decoded JSON has, so that what is wanted
// and what is there can be compared.
func object(v any) (grafana.Object, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var o grafana.Object
	err = json.Unmarshal(content, &o)
	return o, err
}
