package bench

import (
	_ "embed" // for the page
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed report.html
var page string

func sortFloats(values []float64) { slices.Sort(values) }

// drawing is a figure with its caption.
type drawing struct {
	Title, Caption string
	SVG            template.HTML
}

// tableView is a table for the page.
type tableView struct {
	Title  string
	Header []string
	Rows   [][]string
}

// HTML renders the report as a page that needs nothing else.
func (r *Result) HTML() (string, error) {
	t, err := template.New("report").Funcs(template.FuncMap{"color": func(i int) template.CSS { return template.CSS(color(i)) }}).Parse(page)
	if err != nil {
		return "", fmt.Errorf("parse the report's template: %w", err)
	}
	var tables []tableView
	for _, t := range r.tables() {
		if len(t.rows) > 1 {
			tables = append(tables, tableView{t.title, t.rows[0], t.rows[1:]})
		}
	}
	var figures []drawing
	for _, d := range []struct{ title, caption, svg string }{
		{"Distribution", "Two humps are two kinds of requests. What matters is how far to the right the last one is.", r.distribution()},
		{"Percentiles", "P99 is what one request in a hundred reaches or passes. Where the lines meet, the variants do not differ.", r.percentiles()},
		{"P99 by step of the load", "What a queue does near the capacity: it is no straight line.", r.stepsPlot()},
		{"P99 by round", "Rounds are taken by turns. Points of one colour that are close together are a steady measurement.", r.roundsPlot()},
		{"Time by component", "Where a request's time goes at the server, by its own account.", r.componentBars()},
	} {
		if d.svg != "" {
			// The drawing escapes what it is given.
			figures = append(figures, drawing{d.title, d.caption, template.HTML(d.svg)})
		}
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Result": r, "Heading": r.heading(), "Notes": r.notes(), "Conditions": r.conditions(),
		"Started": r.Started.Format("2006-01-02 15:04 MST"), "Tables": tables, "Figures": figures,
	})
	if err != nil {
		return "", fmt.Errorf("render the report: %w", err)
	}
	return b.String(), nil
}
