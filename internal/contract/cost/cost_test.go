package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/repo"
	"github.com/cacheu/plumbline/internal/contract/synth"
	"github.com/cacheu/plumbline/internal/measured"
)

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-instances 30 -services 20": "multiple of the 20 services",
		"-hours 0":                   "-hours is 0",
		"-flavor odd":                "odd",
	} {
		err := Run(t.Context(), strings.Fields(args), func(string) string { return "" }, t.Output())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %s", args, err, want)
		}
	}
}

// What was measured last and what is told of it are written together, and
// neither is edited.
func TestTheDocumentIsOfTheResults(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	results, err := measured.Load[Results]("results.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "cost.md"))
	if results.Native == nil { // then there is nothing to tell, and nobody may tell it
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("docs/cost.md is of no results (%v)", err)
		}
		return
	}
	if err != nil || string(text) != results.document() {
		t.Error("docs/cost.md is not what results.json says; make cost writes both")
	}
}

func sample() *Measured {
	return &Measured{
		Form:   Form{Services: 2, Instances: 4, Routes: 3, Hours: 24, Scrape: 15},
		Groups: []Group{{Name: "quick", Interval: 30, Seconds: []float64{0.1, 0.3, 0.2}}, {Name: "slow", Interval: 30, Seconds: []float64{5, 7, 6}, Missed: 2}},
		Spans: []Span{{Hours: 24, Boards: []Board{
			{Title: "Good", Queries: []Query{{Panel: "A", Seconds: 0.4, Points: 1}, {Panel: "B", Seconds: 0.5}}},
			{Title: "Bad", Queries: []Query{{Panel: "C", Seconds: 0.9, Points: 1, Expr: `a{b=~"c|d"}`}, {Panel: "D", Seconds: 0.2, Points: 1}}},
			{Title: "Broken", Queries: []Query{{Panel: "E", Seconds: 0.1, Error: "too much"}}},
			{Title: "Unfilled", Error: "no values"},
		}}},
	}
}

func TestTheDocumentSaysWhatIsNotKept(t *testing.T) {
	t.Parallel()
	text := Results{Native: sample(), Classic: sample()}.document()
	for _, want := range []string{
		"| quick | 30 s | 200.0 ms | 300.0 ms | 1.0 % | yes |",
		"| slow | 30 s | 6.00 s | 7.00 s | 23.3 % | **no** |",
		"2 evaluations were left out",
		"| Good | 2 | 900.0 ms | 500.0 ms, B | 0 | 0.0 ms | yes |",
		"| Bad | 2 | 1.10 s | 900.0 ms, C | 0 | 0.0 ms | **no** |",
		"| Broken | 1 | 100.0 ms | 100.0 ms, E | 1 | 0.0 ms | **no** |",
		"| Bad | C | 900.0 ms | `a{b=~\"c\\|d\"}` |",
		"| Broken | E | 100.0 ms, no answer: too much |",
		"| Unfilled | 0 | 0.0 ms | 0.0 ms,  | 0 | 0.0 ms, not filled in: no values | **no** |",
		"- Good, B: ",
		"### Over 24 hours",
		"### With classic histograms",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document does not say %q:\n%s", want, text)
		}
	}
	if err := (Results{Classic: sample()}).write(filepath.Join(t.TempDir(), "x.md")); err == nil {
		t.Error("a document was written of classic histograms alone")
	}
}

// The history and the feed together leave no gap and no sample twice.
func TestTheFeedGoesOnWhereTheHistoryEnds(t *testing.T) {
	t.Parallel()
	p, err := synth.New(synth.Config{Services: 1, Instances: 3, Routes: 1})
	if err != nil {
		t.Fatal(err)
	}
	h := newHistory(p, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), 1)
	for _, target := range p.Targets {
		a := &counting{times: map[string][]int64{}}
		if err := h.target(a, target, h.end.Add(-2*time.Hour), h.end); err != nil {
			t.Fatal(err)
		}
		for series, times := range a.times {
			next := h.at(target, h.tick(h.end)).UnixMilli()
			before := times[0]
			for _, at := range append(times, next)[1:] {
				if at-before != synth.Interval.Milliseconds() {
					t.Fatalf("%s: %d ms after the sample before, want every interval", series, at-before)
				}
				before = at
			}
		}
		if len(a.times) < 5 {
			t.Errorf("only %d series of %v have a history", len(a.times), target.Series[0].AppendLabels(nil, target))
		}
	}
}

// counting keeps the times at which each series was appended to.
type counting struct {
	storage.Appender
	times map[string][]int64
}

func (c *counting) Append(_ storage.SeriesRef, l labels.Labels, at int64, _ float64) (storage.SeriesRef, error) {
	c.times[l.String()] = append(c.times[l.String()], at)
	return 1, nil
}

func (c *counting) AppendHistogram(ref storage.SeriesRef, l labels.Labels, at int64, _ *histogram.Histogram, _ *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return c.Append(ref, l, at, 0)
}

func TestRuleGroupsAreReadFromTheMetrics(t *testing.T) {
	t.Parallel()
	const page = `# TYPE prometheus_rule_group_interval_seconds gauge
prometheus_rule_group_interval_seconds{rule_group="/x/a.yml;a"} 30
# TYPE prometheus_rule_group_last_duration_seconds gauge
prometheus_rule_group_last_duration_seconds{rule_group="/x/a.yml;a"} 0.25
# TYPE prometheus_rule_group_last_evaluation_timestamp_seconds gauge
prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group="/x/a.yml;a"} 1.7e+09
# TYPE prometheus_rule_group_iterations_missed_total counter
prometheus_rule_group_iterations_missed_total{rule_group="/x/a.yml;a"} 3
`
	got, err := statuses(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := (status{30, 0.25, 1.7e9, 3}); got["a"] != want {
		t.Errorf("read %+v, want %+v", got, want)
	}
	if _, err := statuses("# TYPE up gauge\nup 1\n"); err == nil {
		t.Error("a Prometheus without rules was not noticed")
	}
}

func TestRulesReadWhatTheyName(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	read, err := readBy(filepath.Join(root, "alerts", "generated", "prometheus", "classic", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Join(read, " ") + " "
	for name, want := range map[string]bool{
		catalog.HTTPServerRequestDuration.Desc().Name:  true,
		catalog.Up.Desc().Name:                         true,
		catalog.HTTPServerComponentSeconds.Desc().Name: false,
	} {
		if got := strings.Contains(list, name+" "); got != want {
			t.Errorf("rules read %s: %v, want %v", name, got, want)
		}
	}
}

func TestBesideEndsBoth(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := beside(t.Context(), func(_ context.Context, failed context.CancelCauseFunc) { failed(broken) },
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want why it was ended", err)
	}
	err = beside(t.Context(), func(ctx context.Context, _ context.CancelCauseFunc) { <-ctx.Done() },
		func(context.Context) error { return nil })
	if err != nil {
		t.Errorf("got %v, want nothing", err)
	}
}

func TestADashboardThatWasNotAskedToTheEndIsNotInTime(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Span{Hours: 24, Boards: []Board{{Title: "Slow", Queries: []Query{
		{Panel: "first", Expr: "asked", Seconds: 0.5, Points: 1}, {Panel: "second", Expr: "not_asked", Unasked: true},
	}}}}.document(&b)
	if line := "| Slow | 2 | more than 500.0 ms | 500.0 ms, first | 0 | 0.0 ms | **no** |"; !strings.Contains(b.String(), line) {
		t.Errorf("got %s, want a line %s", b.String(), line)
	}
	if strings.Contains(b.String(), "not_asked") {
		t.Errorf("got %s, want nothing of the query that was not asked", b.String())
	}
}
