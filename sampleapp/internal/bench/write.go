package bench

import (
	"fmt"
	"path/filepath"
)

// Files are what a run has written.
type Files struct {
	JSON, Markdown, HTML string
}

// Write writes the result and its reports to a folder, named by the run. The
// result comes last: where it is, the reports are too.
func (r *Result) Write(dir string) (Files, error) {
	base := filepath.Join(dir, r.RunID)
	files := Files{base + ".json", base + ".md", base + ".html"}
	content, err := r.JSON()
	if err != nil {
		return Files{}, err
	}
	page, err := r.HTML()
	if err != nil {
		return Files{}, err
	}
	for _, f := range []struct {
		path    string
		content []byte
	}{{files.Markdown, []byte(r.Markdown())}, {files.HTML, []byte(page)}, {files.JSON, content}} {
		if err := writeFile(f.path, f.content); err != nil {
			return Files{}, fmt.Errorf("keep the result: %w", err)
		}
	}
	return files, nil
}

// Publish writes the result without single latencies, as it is committed
// beside the pages that quote it.
func (r *Result) Publish(dir string) (string, error) {
	content, err := r.Published().JSON()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, r.Scenario+".json")
	return path, writeFile(path, content)
}
