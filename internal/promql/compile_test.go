package promql_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// What the package promises about mistakes that do not compile can only be
// shown by the compiler refusing them.
func TestMistakesDoNotCompile(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		expr string
		// wantErr is part of the compiler's message; empty means it compiles.
		wantErr string
	}{
		"the rate of a counter":      {"promql.Rate(catalog.ProcessCPUSeconds, promql.RateInterval())", ""},
		"the rate of a gauge":        {"promql.Rate(catalog.GoGoroutines, promql.RateInterval())", "cannot use catalog.GoGoroutines"},
		"the increase of a gauge":    {"promql.Increase(catalog.GoGoroutines, promql.RateInterval())", "cannot use catalog.GoGoroutines"},
		"the rate of a histogram":    {"promql.Rate(catalog.JobWait, promql.RateInterval())", "cannot use catalog.JobWait"},
		"the rate of a recording":    {"promql.Rate(catalog.ServiceErrors, promql.RateInterval())", "cannot use catalog.ServiceErrors"},
		"the value of a gauge":       {"promql.Value(catalog.GoGoroutines)", ""},
		"the value of a counter":     {"promql.Value(catalog.ProcessCPUSeconds)", "catalog.Counter does not satisfy promql.Sampled"},
		"the average of a counter":   {"promql.AvgOverTime(catalog.ProcessCPUSeconds, promql.RateInterval())", "does not satisfy promql.Sampled"},
		"a quantile of a gauge":      {"promql.Of(promql.Native, catalog.GoGoroutines, promql.RateInterval())", "cannot use catalog.GoGoroutines"},
		"a label that is a variable": {"promql.Equal(catalog.VarService, \"a\")", "cannot use catalog.VarService"},
		"two numbers compared":       {"promql.Above(promql.Number(1), promql.Number(2))", "cannot use promql.Number(1)"},
		"a query given as a string":  {"promql.Sum(string([]byte(\"up\")))", "cannot use string("},
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "source", nil)
	for name, c := range cases {
		err := typeCheck(fset, imp, c.expr)
		switch {
		case c.wantErr == "" && err != nil:
			t.Errorf("%s: %s must compile: %v", name, c.expr, err)
		case c.wantErr != "" && err == nil:
			t.Errorf("%s: %s compiles", name, c.expr)
		case c.wantErr != "" && !strings.Contains(err.Error(), c.wantErr):
			t.Errorf("%s: %s: got %q, want it to say %q", name, c.expr, err, c.wantErr)
		}
	}
}

func typeCheck(fset *token.FileSet, imp types.Importer, expr string) error {
	src := `package p
import (
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)
var _ = catalog.Up
var _ = ` + expr
	file, err := parser.ParseFile(fset, "snippet.go", src, 0)
	if err != nil {
		return err
	}
	_, err = (&types.Config{Importer: imp}).Check("p", fset, []*ast.File{file}, nil)
	return err
}
