package boards

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// all is Grafana's word for every value of a variable.
const all = "$__all"

// Values are what variables stand for, as text to be put into queries.
type Values map[string]string

// LabelValues asks a Prometheus for the values of a label over the series that
// a selector matches.
type LabelValues func(ctx context.Context, label, selector string) ([]string, error)

// Resolve sets the variables of a dashboard as Grafana does when it is opened:
// in their order, to the dashboard's own choice, else to the first value there
// is. A variable without any value is an error.
func (b Board) Resolve(ctx context.Context, ask LabelValues, builtin Values) (Values, error) {
	values := Values{}
	for name, value := range builtin {
		values[name] = value
	}
	query := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, v := range b.Templating.List {
		current := chosen(v)
		switch {
		case v.Type == "datasource", v.Type == "textbox":
			values[v.Name] = current
		case v.Type == "custom" && current != "":
			values[v.Name] = current
		case v.Type == "query" && v.IncludeAll && current == all:
			values[v.Name] = v.AllValue
		case v.Type == "query":
			parts := query.FindStringSubmatch(v.Query)
			if parts == nil {
				return nil, fmt.Errorf("variable %s asks %s, want label_values(series, label)", v.Name, v.Query)
			}
			found, err := ask(ctx, parts[2], values.Fill(parts[1]))
			if err != nil {
				return nil, fmt.Errorf("variable %s: %w", v.Name, err)
			}
			if len(found) == 0 {
				return nil, fmt.Errorf("variable %s has no values: %s", v.Name, values.Fill(v.Query))
			}
			values[v.Name] = escape(found[0])
		default:
			return nil, fmt.Errorf("variable %s of the type %s has no value", v.Name, v.Type)
		}
	}
	return values, nil
}

func chosen(v Variable) string {
	switch value := v.Current.Value.(type) {
	case string:
		return value
	case []any:
		if len(value) == 1 {
			return fmt.Sprint(value[0])
		}
	}
	return ""
}

// escape makes a value safe within a quoted string of PromQL or LogQL.
func escape(value string) string {
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1]
}

// Builtin are the variables that Grafana itself sets.
func Builtin(length, step, scrape time.Duration) Values {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
	return Values{
		"__range": seconds(length) + "s", "__range_s": seconds(length),
		"__rate_interval": seconds(max(step+scrape, 4*scrape)) + "s", "__auto": seconds(step) + "s", "__interval": seconds(step) + "s",
	}
}

// Step returns the distance of points at which Grafana asks for a time range, in
// a panel of so many pixels: what a pixel covers, rounded to a length that
// people use, and no less than the scrape interval.
func Step(length time.Duration, pixels int, scrape time.Duration) time.Duration {
	exact := length / time.Duration(pixels)
	for _, round := range []struct{ below, step time.Duration }{
		{1500 * time.Millisecond, time.Second}, {3500 * time.Millisecond, 2 * time.Second}, {7500 * time.Millisecond, 5 * time.Second},
		{12500 * time.Millisecond, 10 * time.Second}, {17500 * time.Millisecond, 15 * time.Second}, {25 * time.Second, 20 * time.Second},
		{45 * time.Second, 30 * time.Second}, {90 * time.Second, time.Minute}, {210 * time.Second, 2 * time.Minute},
		{450 * time.Second, 5 * time.Minute}, {750 * time.Second, 10 * time.Minute}, {1050 * time.Second, 15 * time.Minute},
		{25 * time.Minute, 20 * time.Minute}, {45 * time.Minute, 30 * time.Minute}, {90 * time.Minute, time.Hour},
	} {
		if exact < round.below {
			return max(round.step, scrape)
		}
	}
	return exact.Round(time.Hour)
}

// Fill puts values into a text; what has none stays as it is.
func (v Values) Fill(text string) string {
	reference := regexp.MustCompile(`\$(\w+)|\$\{(\w+)\}`)
	return reference.ReplaceAllStringFunc(text, func(match string) string {
		if value, ok := v[strings.Trim(match, "${}")]; ok {
			return value
		}
		return match
	})
}
