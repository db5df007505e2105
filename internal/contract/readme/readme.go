// Package readme compares the program that README.md shows first with the
// Examples of the agent, which are compiled and run: documentation whose code
// does not compile is worse than none.
//
// It is pure and safe for concurrent use.
package readme

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

var block = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// FirstProgram returns the first block of Go in a Markdown text.
func FirstProgram(markdown string) (string, error) {
	m := block.FindStringSubmatch(markdown)
	if m == nil {
		return "", errors.New("there is no block of Go")
	}
	return m[1], nil
}

// Check reports whether one of the example files has the program. A program
// with a package clause is there when the body of its main function is, line by
// line, part of the body of one Example, which has every import of it. One
// without a package clause is an Example itself, and is there when one of the
// same name has the same body. The files are sources of example tests by path.
// The error says what is missing.
func Check(program string, examples map[string]string) error {
	whole := strings.HasPrefix(program, "package ")
	if !whole {
		program = "package readme\n" + program
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), "README.md", program, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("the program of README.md does not parse: %w", err)
	}
	found := functions(parsed, program)
	same := func(have, want function) bool { return have.name == want.name && slices.Equal(have.body, want.body) }
	if whole {
		found = slices.DeleteFunc(found, func(f function) bool { return f.name != "main" })
		same = func(have, want function) bool { return contains(have.body, want.body) }
	}
	if len(found) != 1 || len(found[0].body) == 0 {
		return errors.New("the program of README.md is neither one with a main function nor one Example")
	}
	var problems []error
	for path, text := range examples {
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("parse %s: %w", path, err)
		}
		if !slices.ContainsFunc(functions(file, text), func(f function) bool {
			return strings.HasPrefix(f.name, "Example") && same(f, found[0])
		}) {
			continue
		}
		if lacking := lackingImports(parsed, file); len(lacking) > 0 {
			problems = append(problems, fmt.Errorf("%s has the program but not the imports %q", path, lacking))
			continue
		}
		return nil
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return fmt.Errorf("none of %d example files has the program of README.md", len(examples))
}

// function is a function without receiver and its body as trimmed lines.
type function struct {
	name string
	body []string
}

// functions returns the functions of a file.
func functions(file *ast.File, text string) []function {
	var found []function
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Body == nil {
			continue
		}
		var lines []string
		for _, line := range strings.Split(text[f.Body.Lbrace-file.FileStart+1:f.Body.Rbrace-file.FileStart], "\n") {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
		found = append(found, function{f.Name.Name, lines})
	}
	return found
}

// contains reports whether part is a run of consecutive lines of whole.
func contains(whole, part []string) bool {
	for i := 0; i+len(part) <= len(whole); i++ {
		if slices.Equal(whole[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// lackingImports returns what the program imports and the example does not.
func lackingImports(program, example *ast.File) []string {
	var lacking []string
	for _, want := range program.Imports {
		if !slices.ContainsFunc(example.Imports, func(have *ast.ImportSpec) bool { return have.Path.Value == want.Path.Value }) {
			lacking = append(lacking, want.Path.Value)
		}
	}
	return lacking
}
