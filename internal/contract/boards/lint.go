package boards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Breach is a rule that a dashboard does not keep.
type Breach struct {
	Rule string
	// Board and Panel say where; Panel is empty for the dashboard itself.
	Board, Panel string
	Text         string
}

// String writes a breach for people.
func (b Breach) String() string {
	return fmt.Sprintf("%s: %s: panel %q: %s", b.Rule, b.Board, b.Panel, b.Text)
}

// Lengths that stand for Grafana's own variables, and that nobody would write.
const (
	rateInterval = 8869990787 * time.Millisecond
	wholeRange   = 4867856611 * time.Millisecond
)

// Lint returns every breach of the linter's rules, by the names that it gives
// them, target-logql-rule excepted, which needs a parser of LogQL.
func (b Board) Lint() []Breach {
	l := &linter{board: b}
	l.dashboard()
	for _, p := range b.Panels {
		l.panel(p)
		for _, t := range p.Targets {
			switch t.Datasource.Type {
			case Prometheus:
				l.promQL(p, t)
			case Loki:
				l.logQL(p, t)
			}
		}
	}
	return l.found
}

type linter struct {
	board Board
	found []Breach
}

func (l *linter) breach(rule, panel, format string, a ...any) {
	l.found = append(l.found, Breach{rule, l.board.UID, panel, fmt.Sprintf(format, a...)})
}

func (l *linter) dashboard() {
	if l.board.Editable {
		l.breach("uneditable-dashboard", "", "it can be edited in Grafana")
	}
	sources := 0
	for _, v := range l.board.Templating.List {
		switch v.Type {
		case "datasource":
			sources++
			name, label := strings.ToLower(v.Query)+"_datasource", strings.ToUpper(v.Query[:1])+v.Query[1:]+" data source"
			if v.Name != name || v.Label != label {
				l.breach("template-datasource-rule", "", "variable %s is labelled %q, want %s labelled %q", v.Name, v.Label, name, label)
			}
		case "query":
			if v.Refresh != 2 {
				l.breach("template-on-time-change-reload-rule", "", "variable %s keeps values of another time range", v.Name)
			}
			inner := regexp.MustCompile(`^label_values\((.+), \w+\)$`).FindStringSubmatch(v.Query)
			if inner == nil {
				l.breach("template-label-promql-rule", "", "variable %s asks %s", v.Name, v.Query)
			} else if _, err := parse(inner[1]); err != nil {
				l.breach("template-label-promql-rule", "", "variable %s: %v", v.Name, err)
			}
		}
	}
	if sources == 0 {
		l.breach("template-datasource-rule", "", "no data source can be chosen")
	}
	l.template("job", "Job")
	l.template("instance", "Instance")
}

func (l *linter) template(name, label string) {
	rule := "template-" + name + "-rule"
	i := slices.IndexFunc(l.board.Templating.List, func(v Variable) bool { return v.Name == name })
	if i < 0 {
		l.breach(rule, "", "there is no variable %s", name)
		return
	}
	v := l.board.Templating.List[i]
	if v.Type != "query" || v.Datasource.UID != "${prometheus_datasource}" || v.Label != label || !v.Multi || v.AllValue != ".+" {
		l.breach(rule, "", "variable %s is %+v, want several values of a query of Prometheus, all of them .+, labelled %s", name, v, label)
	}
}

// units are those of Grafana that the dashboards use.
func units() []string {
	return []string{"short", "percentunit", "s", "bytes", "reqps", "ops", "cps", "bool_yes_no", "binBps", "none"}
}

func (l *linter) panel(p Panel) {
	if p.Title == "" || p.Description == "" {
		l.breach("panel-title-description-rule", p.Title, "the title or the description is missing")
	}
	if len(p.Targets) == 0 {
		l.breach("panel-no-targets-rule", p.Title, "it asks for nothing")
	}
	if !slices.ContainsFunc(l.board.Templating.List, func(v Variable) bool {
		return v.Type == "datasource" && "${"+v.Name+"}" == p.Datasource.UID
	}) {
		l.breach("panel-datasource-rule", p.Title, "it reads from %s, which nobody can choose", p.Datasource.UID)
	}
	numbers := p.Datasource.Type == Prometheus || p.Type == "timeseries"
	if numbers && !slices.Contains(units(), p.FieldConfig.Defaults.Unit) {
		l.breach("panel-units-rule", p.Title, "the unit %q is none of %v", p.FieldConfig.Defaults.Unit, units())
	}
}

// parse reads PromQL in which Grafana's variables are left: its own become
// lengths that can be told apart, all others a number, which is a text too.
func parse(expr string) (parser.Expr, error) {
	values := Values{
		"__rate_interval": fmt.Sprint(rateInterval.Milliseconds()) + "ms", "__range": fmt.Sprint(wholeRange.Milliseconds()) + "ms",
	}
	filled := regexp.MustCompile(`\$\w+`).ReplaceAllString(values.Fill(expr), "20")
	return parser.NewParser(parser.Options{}).ParseExpr(filled)
}

func (l *linter) promQL(p Panel, t Target) {
	expr, err := parse(t.Expr)
	if err != nil {
		l.breach("target-promql-rule", p.Title, "target %s: %v", t.RefID, err)
		return
	}
	parser.Inspect(expr, func(node parser.Node, parents []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			l.selector(p, t, n, parents)
		case *parser.MatrixSelector:
			call, ok := last(parents).(*parser.Call)
			if ok && (call.Func.Name == "rate" || call.Func.Name == "irate") && n.Range != rateInterval {
				l.breach("target-rate-interval-rule", p.Title, "target %s: %s over %s", t.RefID, call.Func.Name, n.Range)
			}
		}
		return nil
	})
}

func last(nodes []parser.Node) parser.Node {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[len(nodes)-1]
}

func (l *linter) selector(p Panel, t Target, n *parser.VectorSelector, parents []parser.Node) {
	for _, label := range []string{"job", "instance"} {
		if !slices.ContainsFunc(n.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == label }) {
			l.breach("target-"+label+"-rule", p.Title, "target %s: %s is not restricted to a %s", t.RefID, n.Name, label)
		}
	}
	if !strings.HasSuffix(n.Name, "_total") {
		return
	}
	if len(parents) >= 2 {
		call, ok := parents[len(parents)-2].(*parser.Call)
		if ok && slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
			return
		}
	}
	l.breach("target-counter-agg-rule", p.Title, "target %s: the counter %s is no rate and no increase", t.RefID, n.Name)
}

func (l *linter) logQL(p Panel, t Target) {
	for _, window := range regexp.MustCompile(`\[([^\]]*)\]`).FindAllStringSubmatch(t.Expr, -1) {
		if window[1] != "$__auto" {
			l.breach("target-logql-auto-rule", p.Title, "target %s has the window %s", t.RefID, window[1])
		}
	}
}
