package code

import (
	"fmt"
	"go/ast"
	"strings"
)

// MaxLines is how long a Go file may be.
const MaxLines = 400

// CheckSize returns a line for every file that is too long. Generated files
// may be as long as they like.
func CheckSize(files []File) []string {
	var problems []string
	for _, f := range files {
		if f.Lines > MaxLines && !f.Generated {
			problems = append(problems, fmt.Sprintf("%s has %d lines, want at most %d", f.Path, f.Lines, MaxLines))
		}
	}
	return problems
}

// CheckDocs returns a line for every exported identifier without a doc comment
// and for every package without one, tests and generated files aside. The
// comment of a function, method or type starts with its name.
func CheckDocs(files []File) []string {
	var problems []string
	packages := map[string]bool{}
	var order []string
	for _, f := range files {
		if f.Test() || f.Generated {
			continue
		}
		documented, known := packages[f.Dir()]
		if !known {
			order = append(order, f.Dir())
		}
		packages[f.Dir()] = documented || f.AST.Doc != nil
		for _, decl := range f.AST.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				problems = append(problems, undocumentedFunc(f, d)...)
			case *ast.GenDecl:
				problems = append(problems, undocumentedSpecs(f, d)...)
			}
		}
	}
	for _, dir := range order {
		if !packages[dir] {
			problems = append(problems, fmt.Sprintf("%s: the package has no comment", dir))
		}
	}
	return problems
}

func undocumentedFunc(f File, d *ast.FuncDecl) []string {
	if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiver(d)) {
		return nil
	}
	return undocumented(f, d, d.Name.Name, d.Doc)
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func undocumentedSpecs(f File, d *ast.GenDecl) []string {
	var problems []string
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				doc := s.Doc
				if doc == nil {
					doc = d.Doc
				}
				problems = append(problems, undocumented(f, s, s.Name.Name, doc)...)
			}
		case *ast.ValueSpec:
			// One comment may speak for a group of constants or variables.
			if s.Names[0].IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				problems = append(problems, fmt.Sprintf("%s: %s has no doc comment", f.at(s), s.Names[0].Name))
			}
		}
	}
	return problems
}

func undocumented(f File, n ast.Node, name string, doc *ast.CommentGroup) []string {
	text := ""
	if doc != nil {
		text = doc.Text() // without directives such as //go:generate
	}
	if text == "" {
		return []string{fmt.Sprintf("%s: %s has no doc comment", f.at(n), name)}
	}
	for _, article := range []string{"", "A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(text, article+name); ok && (rest == "" || !isLetter(rest[0])) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: the doc comment of %s does not start with its name", f.at(n), name)}
}

func isLetter(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}
