// Package code holds the checks of Go source: which package may import which,
// what the root module depends on, where names of telemetry are written, what
// is documented, and what must not be global.
//
// The checks are pure functions from parsed sources to problems, one line
// each, and safe for concurrent use. Only [Parse], [ListPackages] and the
// readers of go.mod touch the file system.
package code

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File is one parsed Go file.
type File struct {
	// Path is relative to the root of the repository, with slashes.
	Path string
	// Lines is the number of lines.
	Lines int
	// Generated says that a program wrote the file.
	Generated bool

	AST  *ast.File
	Fset *token.FileSet
}

// Dir returns the folder of the file, with slashes.
func (f File) Dir() string { return path.Dir(f.Path) }

// Test reports whether the file is part of the tests only.
func (f File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

// at renders the position of a node as file:line.
func (f File) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.Path, f.Fset.Position(n.Pos()).Line)
}

// Parse parses the Go files among paths, which are relative to root.
func Parse(root string, paths []string) ([]File, error) {
	var files []File
	for _, p := range paths {
		if !strings.HasSuffix(p, ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
		if err != nil {
			return nil, fmt.Errorf("read source: %w", err)
		}
		f, err := ParseText(p, string(text))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// ParseText parses the text of one Go file.
func ParseText(name, text string) (File, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return File{}, fmt.Errorf("parse source: %w", err)
	}
	return File{
		Path: name, Lines: strings.Count(text, "\n"), Generated: ast.IsGenerated(parsed), AST: parsed, Fset: fset,
	}, nil
}

// Matches reports whether a folder or package path matches a pattern: the path
// itself, "x/..." for x and everything below it, or "x/y*" as in path.Match.
func Matches(pattern, name string) bool {
	if base, below := strings.CutSuffix(pattern, "/..."); below {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// matchesAny reports whether a path matches one of the patterns.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, name) })
}
