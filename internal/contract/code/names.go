package code

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// name is a word that is recognizably one of telemetry: it has a separator.
// Words like "up" or "queue" are English too and cannot be told apart.
var name = regexp.MustCompile(`^[a-z][a-z0-9]*([_.:]+[a-z0-9]+)+_?\.?$`)

// Vocabulary returns every name that the catalogue's sources write as a
// literal, sorted: metrics, labels, log keys, attributes and closed values.
func Vocabulary(catalog []File) []string {
	var words []string
	for _, f := range catalog {
		if f.Test() {
			continue
		}
		for _, lit := range literals(f) {
			if name.MatchString(lit.value) {
				words = append(words, lit.value)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// literal is a string in the source that is neither an import nor a tag.
type literal struct {
	node  *ast.BasicLit
	value string
}

func literals(f File) []literal {
	var found []literal
	tags := map[*ast.BasicLit]bool{} // JSON keys and the like name no telemetry
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			tags[n.Tag] = true
		case *ast.BasicLit:
			if n.Kind == token.STRING && !tags[n] {
				if v, err := strconv.Unquote(n.Value); err == nil {
					found = append(found, literal{n, v})
				}
			}
		}
		return true
	})
	return found
}

// CheckNames returns a line for every literal that repeats a name of the
// catalogue: one that is exactly a word of the vocabulary, and one that has the
// name of a metric somewhere in it, such as a query. Tests may hold the latter:
// whole lines of output are what they expect.
func CheckNames(files []File, vocabulary, metrics []string) []string {
	alternatives := make([]string, 0, len(metrics))
	for _, m := range metrics {
		if strings.ContainsAny(m, "_:") {
			alternatives = append(alternatives, regexp.QuoteMeta(m))
		}
	}
	inText := regexp.MustCompile(`(?:^|[^a-zA-Z0-9_:])(` + strings.Join(alternatives, "|") + `)(?:_bucket|_count|_sum)?(?:$|[^a-zA-Z0-9_:])`)
	var problems []string
	for _, f := range files {
		for _, lit := range literals(f) {
			if slices.Contains(vocabulary, lit.value) {
				problems = append(problems, fmt.Sprintf("%s: %q is a name of the catalogue", f.at(lit.node), lit.value))
			} else if m := inText.FindStringSubmatch(lit.value); m != nil && !f.Test() {
				problems = append(problems, fmt.Sprintf("%s: the text holds the metric name %s", f.at(lit.node), m[1]))
			}
		}
	}
	return problems
}
