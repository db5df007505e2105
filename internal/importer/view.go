package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/cacheu/plumbline/internal/grafana"
)

// stampKey is the annotation of a rule that holds the checksum of what was
// imported. Grafana takes names between double underscores for private: they
// are in no message.
const stampKey = "__plumbline_checksum__"

// Defaults that Grafana writes into the model of every query.
const (
	defaultIntervalMS    = 1000
	defaultMaxDataPoints = 43200
)

// ruleFields are the fields of a rule that people can change. The others are
// Grafana's own: numbers, times, who may edit.
var ruleFields = []string{
	"title", "folderUID", "ruleGroup", "condition", "noDataState", "execErrState", "isPaused", "labels",
	"notification_settings", "record", fieldMissingSeries,
}

// ruleView returns what counts of a rule in a group with the interval, in
// seconds. Two rules that do the same have equal views, whatever Grafana added.
func ruleView(rule grafana.Object, interval int) grafana.Object {
	view := grafana.Object{"interval": float64(interval)}
	for _, f := range ruleFields {
		view[f] = rule[f]
	}
	for _, f := range []string{"for", "keep_firing_for"} {
		view[f] = duration(rule.Text(f))
	}
	annotations := map[string]any{}
	for k, v := range rule.Object("annotations") {
		if k != stampKey {
			annotations[k] = v
		}
	}
	view["annotations"] = annotations
	var data []any
	for _, q := range rule.List("data") {
		model := map[string]any{}
		for k, v := range q.Object("model") {
			if !(k == "intervalMs" && v == float64(defaultIntervalMS) || k == "maxDataPoints" && v == float64(defaultMaxDataPoints)) {
				model[k] = v
			}
		}
		data = append(data, map[string]any{
			"refId": q["refId"], "queryType": q["queryType"], "relativeTimeRange": q["relativeTimeRange"],
			"datasourceUid": q["datasourceUid"], "model": model,
		})
	}
	view["data"] = data
	pruned, _ := prune(map[string]any(view)).(map[string]any)
	return pruned
}

// dashboardView returns what counts of a dashboard.
func dashboardView(model grafana.Object) grafana.Object {
	view := grafana.Object{}
	for k, v := range model {
		if k != "id" && k != "version" {
			view[k] = v
		}
	}
	return view
}

// prune leaves out what is as good as not there: nothing, false, zero, empty.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for k, e := range v {
			if e = prune(e); e != nil {
				kept[k] = e
			}
		}
		if len(kept) > 0 {
			return kept
		}
	case []any:
		kept := make([]any, len(v))
		for i, e := range v {
			kept[i] = prune(e)
		}
		if len(kept) > 0 {
			return kept
		}
	case string:
		if v != "" {
			return v
		}
	case float64:
		if v != 0 {
			return v
		}
	case bool:
		if v {
			return v
		}
	}
	return nil
}

var durationPart = regexp.MustCompile(`(\d+)(ms|[smhdwy])`)

// duration returns a duration of Prometheus in seconds: "60s" and "1m" are the
// same. What is none is returned as it is.
func duration(text string) any {
	if durationPart.ReplaceAllString(text, "") != "" {
		return text
	}
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}
	var sum time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		var n int64
		if _, err := fmt.Sscan(part[1], &n); err != nil {
			return text
		}
		sum += time.Duration(n) * units[part[2]]
	}
	return sum.Seconds()
}

// checksum identifies a view. JSON objects are encoded in order of their keys.
func checksum(view grafana.Object) string {
	content, err := json.Marshal(view)
	if err != nil { // what was decoded from JSON can be encoded
		return ""
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// messageStart begins the messages of imports in the history of a dashboard.
const messageStart = "plumbline import "

var messageStamp = regexp.MustCompile(`^` + messageStart + `([0-9a-f]{16})$`)

// stampOf returns the checksum in a message; empty if an import did not write
// it.
func stampOf(message string) string {
	if m := messageStamp.FindStringSubmatch(strings.TrimSpace(message)); m != nil {
		return m[1]
	}
	return ""
}
