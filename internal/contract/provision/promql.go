package provision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/cacheu/plumbline/agent/catalog"
)

// CheckQuery parses a PromQL query and returns a line for each metric that the
// catalogue does not have, for each label that its metric does not carry, and
// for a query that does not parse.
func CheckQuery(query string) []string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{fmt.Sprintf("does not parse: %v", err)}
	}
	var problems []string
	carried := map[catalog.Label]bool{}
	var grouped []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			problems = append(problems, checkSelector(n, carried)...)
		case *parser.AggregateExpr:
			grouped = append(grouped, n.Grouping...)
		}
		return nil
	})
	for _, label := range grouped {
		if !carried[catalog.Label(label)] {
			problems = append(problems, fmt.Sprintf("groups by %s, which none of its metrics carries", label))
		}
	}
	return problems
}

// checkSelector checks one selector and adds the labels of its metric.
func checkSelector(n *parser.VectorSelector, carried map[catalog.Label]bool) []string {
	desc, ok := lookUp(n.Name)
	if !ok {
		return []string{fmt.Sprintf("the catalogue has no metric %q", n.Name)}
	}
	own := append(slices.Clone(desc.Labels), catalog.ConstLabels()...)
	own = append(own, catalog.Job, catalog.Instance, catalog.Le)
	for _, label := range own {
		carried[label] = true
	}
	var problems []string
	for _, m := range n.LabelMatchers {
		if m.Name != labels.MetricName && !slices.Contains(own, catalog.Label(m.Name)) {
			problems = append(problems, fmt.Sprintf("%s has no label %s", n.Name, m.Name))
		}
	}
	return problems
}

// lookUp finds the metric that a series name belongs to.
func lookUp(series string) (catalog.Desc, bool) {
	for _, m := range catalog.All() {
		name := m.Desc().Name
		suffix, ok := strings.CutPrefix(series, name)
		if ok && (suffix == "" || m.Kind() == "histogram" && slices.Contains([]string{"_bucket", "_count", "_sum"}, suffix)) {
			return m.Desc(), true
		}
	}
	for _, r := range catalog.AllRecorded() {
		if r.Desc().Name == series {
			return r.Desc(), true
		}
	}
	return catalog.Desc{}, false
}
