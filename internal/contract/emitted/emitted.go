// Package emitted compares the catalogue of metrics with what the agent really
// exports: names, types and labels, both ways. A metric that is documented and
// not there misleads whoever builds on it, and one that is there and not
// documented is found by nobody.
//
// It is pure and safe for concurrent use.
package emitted

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Compare returns a line for each difference between the catalogue's own
// metrics and the families that were gathered. Metrics in pending are not
// emitted yet, for the reason that is their value; one of them that is gathered
// is a difference too. Families for which foreign is true belong to others.
func Compare(own []catalog.Metric, families []*dto.MetricFamily, pending map[string]string, foreign func(name string) bool) []string {
	var problems []string
	known := map[string]catalog.Metric{}
	for _, m := range own {
		if !m.Desc().External {
			known[m.Desc().Name] = m
		}
	}
	gathered := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		gathered[name] = true
		m, ok := known[name]
		switch {
		case !ok && foreign(name):
		case !ok:
			problems = append(problems, fmt.Sprintf("%s is emitted and not in the catalogue", name))
		case pending[name] != "":
			problems = append(problems, fmt.Sprintf("%s is emitted: take it off the list of what is not", name))
		default:
			problems = append(problems, compare(m, f)...)
		}
	}
	for name := range known {
		if !gathered[name] && pending[name] == "" {
			problems = append(problems, fmt.Sprintf("%s is in the catalogue and not emitted", name))
		}
	}
	for name := range pending {
		if known[name] == nil {
			problems = append(problems, fmt.Sprintf("%s is on the list of what is not emitted, and not in the catalogue", name))
		}
	}
	slices.Sort(problems)
	return problems
}

// compare compares one metric with its family.
func compare(m catalog.Metric, f *dto.MetricFamily) []string {
	var problems []string
	name, want := f.GetName(), m.Desc()
	if kind := strings.ToLower(f.GetType().String()); kind != m.Kind() {
		problems = append(problems, fmt.Sprintf("%s is a %s, the catalogue says %s", name, kind, m.Kind()))
	}
	if f.GetHelp() != want.Help {
		problems = append(problems, fmt.Sprintf("%s has the help text %q, the catalogue says %q", name, f.GetHelp(), want.Help))
	}
	labels := want.LabelNames()
	for _, l := range catalog.ConstLabels() {
		labels = append(labels, string(l))
	}
	slices.Sort(labels)
	for _, series := range f.GetMetric() {
		var have []string
		for _, l := range series.GetLabel() {
			have = append(have, l.GetName())
		}
		slices.Sort(have)
		if !slices.Equal(have, labels) {
			problems = append(problems, fmt.Sprintf("%s has the labels %q, the catalogue says %q", name, have, labels))
			break
		}
		if h := series.GetHistogram(); h != nil && (len(h.GetBucket()) == 0 || h.Schema == nil) {
			problems = append(problems, fmt.Sprintf("%s lacks one of its forms: %d classic buckets, native: %v", name, len(h.GetBucket()), h.Schema != nil))
		}
	}
	return problems
}

// Emitters returns, for each metric of the catalogue, the files in the given
// folders that name it, tests aside: those are where it may be emitted. The
// catalogue's own sources are read from its folder.
func Emitters(tree fs.FS, catalogue string, folders ...string) (map[string][]string, error) {
	names, err := identifiers(tree, catalogue)
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for _, folder := range folders {
		err := fs.WalkDir(tree, folder, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case p == catalogue, d.IsDir() && d.Name() == "agenttest": // the kit for tests emits nothing
				return fs.SkipDir
			case d.IsDir() || path.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go"):
				return nil
			}
			file, err := parse(tree, p)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "catalog" && names[sel.Sel.Name] != "" {
					metric := names[sel.Sel.Name]
					if !slices.Contains(found[metric], p) {
						found[metric] = append(found[metric], p)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for emitters in %s: %w", folder, err)
		}
	}
	return found, nil
}

// identifiers returns the metrics' names by their identifiers in the catalogue.
func identifiers(tree fs.FS, folder string) (map[string]string, error) {
	files, err := fs.Glob(tree, folder+"/*.go")
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, p := range files {
		file, err := parse(tree, p)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
				return true
			}
			call, ok := spec.Values[0].(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if name, err := strconv.Unquote(lit.Value); err == nil {
					names[spec.Names[0].Name] = name
				}
			}
			return true
		})
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s declares no metrics", folder)
	}
	return names, nil
}

func parse(tree fs.FS, p string) (*ast.File, error) {
	text, err := fs.ReadFile(tree, p)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(token.NewFileSet(), p, text, 0)
}
