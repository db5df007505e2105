package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The marks between which a page of the lab has its figures.
const (
	figuresBegin = "<!-- figures of bench/results: `make bench-pages` writes them -->"
	figuresEnd   = "<!-- end of figures -->"
)

// Figures renders what a page of the lab quotes of a published result.
func (r *Result) Figures() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s. Made with `%s`; the result is\n[bench/results/%s.json](../../bench/results/%s.json).\n",
		r.Started.Format("2006-01-02"), r.conditions(), r.Command, r.Scenario, r.Scenario)
	for _, note := range r.notes() {
		fmt.Fprintf(&b, "\n**%s**\n", note)
	}
	for _, t := range r.tables() {
		if len(t.rows) > 1 {
			fmt.Fprintf(&b, "\n%s:\n\n%s", t.title, t.markdown())
		}
	}
	return b.String()
}

// UpdatePage returns a page with the figures of a result in it. It fails for a
// page without the marks.
func UpdatePage(page string, r *Result) (string, error) {
	head, rest, ok := strings.Cut(page, figuresBegin)
	_, tail, closed := strings.Cut(rest, figuresEnd)
	if !ok || !closed {
		return "", fmt.Errorf("the page of %s lacks the lines %q and %q", r.Scenario, figuresBegin, figuresEnd)
	}
	return head + figuresBegin + "\n\n" + r.Figures() + "\n" + figuresEnd + tail, nil
}

// UpdatePages writes the figures of every published result into its page and
// returns the pages that changed.
func UpdatePages(results, pages string) (changed []string, err error) {
	files, err := filepath.Glob(filepath.Join(results, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list published results: %w", err)
	}
	var errs []error
	for _, file := range files {
		r, err := Read(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		path := filepath.Join(pages, r.Scenario+".md")
		old, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the page of %s: %w", r.Scenario, err))
			continue
		}
		page, err := UpdatePage(string(old), r)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if page != string(old) {
			errs = append(errs, writeFile(path, []byte(page)))
			changed = append(changed, path)
		}
	}
	return changed, errors.Join(errs...)
}
