package promql

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Matcher restricts a selector to series whose label fits. The zero value
// restricts nothing.
type Matcher struct{ text string }

// Equal matches series whose label has exactly the value. An empty value also
// matches series without the label.
func Equal(l catalog.Label, value string) Matcher { return matcher(l, "=", value) }

// NotEqual matches series whose label has another value, or none.
func NotEqual(l catalog.Label, value string) Matcher { return matcher(l, "!=", value) }

// OneOf matches series whose label is one of the values, taken literally.
// Without values it matches series without the label.
func OneOf(l catalog.Label, values ...string) Matcher {
	return matcher(l, "=~", alternatives(values))
}

// NoneOf matches series whose label is none of the values, taken literally.
func NoneOf(l catalog.Label, values ...string) Matcher {
	return matcher(l, "!~", alternatives(values))
}

// Like matches series whose whole label fits the expression.
func Like(l catalog.Label, re *regexp.Regexp) Matcher { return matcher(l, "=~", re.String()) }

// NotLike matches series whose whole label does not fit the expression.
func NotLike(l catalog.Label, re *regexp.Regexp) Matcher { return matcher(l, "!~", re.String()) }

// SelectedOne matches series whose label is the value of a dashboard variable
// that holds exactly one.
func SelectedOne(l catalog.Label, v catalog.Variable) Matcher {
	return matcher(l, "=", "$"+string(v))
}

// Selected matches series whose label is among the values chosen in a
// dashboard variable that can hold several. A variable whose "all" value is
// ".*" then also matches series that do not have the label.
func Selected(l catalog.Label, v catalog.Variable) Matcher {
	return matcher(l, "=~", "$"+string(v))
}

func matcher(l catalog.Label, op, value string) Matcher {
	return Matcher{string(l) + op + quote(value)}
}

// quote writes a string literal. Prometheus refuses a query that is not UTF-8,
// and no label value that it stores is anything else, so broken bytes become
// the replacement character; that one must be escaped, because Prometheus
// takes the character itself for a broken byte.
func quote(s string) string {
	const replacement = "\uFFFD"
	return strings.ReplaceAll(strconv.Quote(strings.ToValidUTF8(s, replacement)), replacement, `\ufffd`)
}

func alternatives(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(strings.ToValidUTF8(v, "\uFFFD"))
	}
	return strings.Join(quoted, "|")
}

// Window is how far back a function over time looks. The zero value is not a
// window and prints a query that Prometheus refuses.
type Window struct{ text string }

// Over returns a fixed window. Prometheus counts in milliseconds and refuses
// an empty window, so d is rounded to milliseconds and is at least one.
func Over(d time.Duration) Window { return Window{FormatDuration(max(d, time.Millisecond))} }

// RateInterval returns the window that Grafana chooses so that it spans at
// least four scrapes at any zoom. Only dashboards can use it.
func RateInterval() Window { return Window{"$__rate_interval"} }

// WholeRange returns the time range that a dashboard shows. Only dashboards
// can use it.
func WholeRange() Window { return Window{"$__range"} }

// FormatDuration spells d as Prometheus does, in days at most: "1d12h", "5m",
// "500ms". Less than a millisecond is "0s".
func FormatDuration(d time.Duration) string {
	d = d.Round(time.Millisecond)
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{
		{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
	} {
		if n := d / unit.length; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			d -= n * unit.length
		}
	}
	return b.String()
}

// Rate returns the growth of a counter per second, averaged over the window
// and corrected for restarts.
func Rate(c catalog.Counter, w Window, ms ...Matcher) Expr {
	return call("rate", ranged(c.Desc().Name, w, ms))
}

// Increase returns the growth of a counter within the window, corrected for
// restarts. It extrapolates to the window's ends, so it need not be whole.
func Increase(c catalog.Counter, w Window, ms ...Matcher) Expr {
	return call("increase", ranged(c.Desc().Name, w, ms))
}

// Sampled is what has a value at any one time: a gauge or a recorded series.
type Sampled interface {
	catalog.Gauge | catalog.Recorded
	Desc() catalog.Desc
}

// Value returns the newest sample of each series.
func Value[M Sampled](m M, ms ...Matcher) Expr {
	return Expr{text: selector(m.Desc().Name, ms)}
}

// AvgOverTime returns the mean of each series' samples within the window.
func AvgOverTime[M Sampled](m M, w Window, ms ...Matcher) Expr {
	return call("avg_over_time", ranged(m.Desc().Name, w, ms))
}

// SumOverTime returns the sum of each series' samples within the window.
func SumOverTime[M Sampled](m M, w Window, ms ...Matcher) Expr {
	return call("sum_over_time", ranged(m.Desc().Name, w, ms))
}

// MaxOverTime returns the largest of each series' samples within the window.
func MaxOverTime[M Sampled](m M, w Window, ms ...Matcher) Expr {
	return call("max_over_time", ranged(m.Desc().Name, w, ms))
}

// LastOverTime returns the newest sample of each series within the window,
// also of series that have ended since.
func LastOverTime[M Sampled](m M, w Window, ms ...Matcher) Expr {
	return call("last_over_time", ranged(m.Desc().Name, w, ms))
}

// PredictLinear returns the value that each series will have after the given
// time, if it goes on as it did within the window: by simple linear regression.
func PredictLinear[M Sampled](m M, w Window, ahead time.Duration, ms ...Matcher) Expr {
	return call("predict_linear", ranged(m.Desc().Name, w, ms)+", "+formatFloat(Seconds(ahead)))
}

// Now returns one series without labels, which exists whenever it is asked for:
// its value is the time of the evaluation, in seconds since 1970.
func Now() Expr { return call("vector", "time()") }

func selector(name string, ms []Matcher) string {
	var set []string
	for _, m := range ms {
		if m.text != "" {
			set = append(set, m.text)
		}
	}
	if len(set) == 0 {
		return name
	}
	return name + "{" + strings.Join(set, ",") + "}"
}

func ranged(name string, w Window, ms []Matcher) string {
	return selector(name, ms) + "[" + w.text + "]"
}

func call(function, argument string) Expr { return Expr{text: function + "(" + argument + ")"} }
