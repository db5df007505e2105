package boards_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/internal/contract/boards"
)

const choices = `{"uid": "x", "templating": {"list": [
	{"name": "environment", "type": "query", "query": "label_values(up, environment)", "includeAll": true, "multi": true, "allValue": ".*", "current": {"value": ["$__all"]}},
	{"name": "service", "type": "query", "query": "label_values(up{environment=~\"$environment\"}, service)", "current": {}},
	{"name": "n", "type": "custom", "query": "1,20", "current": {"value": "20"}},
	{"name": "text", "type": "textbox", "query": ""}]}}`

func TestVariablesAreSetAsGrafanaSetsThem(t *testing.T) {
	t.Parallel()
	b, err := boards.Parse([]byte(choices))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(_ context.Context, label, selector string) ([]string, error) {
		if label != "service" || selector != `up{environment=~".*"}` {
			t.Errorf("asked for %s of %s", label, selector)
		}
		return []string{`a"b`, "c"}, nil
	}
	values, err := b.Resolve(t.Context(), ask, boards.Builtin(time.Hour, 15*time.Second, 5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	got := values.Fill("rate(x{service=\"$service\",e=~\"${environment}\"}[$__rate_interval]) ^ $n |= `$text` $__range_s ${unknown}")
	if want := "rate(x{service=\"a\\\"b\",e=~\".*\"}[20s]) ^ 20 |= `` 3600 ${unknown}"; got != want {
		t.Errorf("filled to %s, want %s", got, want)
	}
}

func TestAVariableWithoutValuesIsAnError(t *testing.T) {
	t.Parallel()
	b, err := boards.Parse([]byte(choices))
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, string, string) ([]string, error) { return nil, nil }
	if _, err := b.Resolve(t.Context(), nothing, nil); err == nil || !strings.Contains(err.Error(), "variable service has no values") {
		t.Errorf("got %v", err)
	}
}

func TestStepIsWhatGrafanaAsksFor(t *testing.T) {
	t.Parallel()
	for length, want := range map[time.Duration]time.Duration{
		time.Minute:        15 * time.Second, // no less than a scrape
		time.Hour:          15 * time.Second,
		6 * time.Hour:      15 * time.Second,
		12 * time.Hour:     30 * time.Second,
		24 * time.Hour:     time.Minute,
		7 * 24 * time.Hour: 10 * time.Minute,
	} {
		if got := boards.Step(length, 1280, 15*time.Second); got != want {
			t.Errorf("a step of %s over %s, want %s", got, length, want)
		}
	}
}
