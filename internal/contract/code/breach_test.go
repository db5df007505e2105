package code_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/code"
)

// The tests of this file break each rule on purpose. A table entry that wants
// nothing shows where a rule ends.

// parseText parses the files of one made-up package, given as path and text.
func parseText(t *testing.T, files ...string) []code.File {
	t.Helper()
	var parsed []code.File
	for i := 0; i < len(files); i += 2 {
		f, err := code.ParseText(files[i], files[i+1])
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	return parsed
}

// expect compares problems with the one that is wanted, or with none.
func expect(t *testing.T, problems []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(problems) > 0:
		t.Errorf("found %q, want nothing", problems)
	case want != "" && (len(problems) != 1 || !strings.Contains(problems[0], want)):
		t.Errorf("found %q, want one problem that says %q", problems, want)
	}
}

func TestCheckDirection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, imports, want string }{
		"the facade may import its parts":           {"agent", "m/agent/internal/logs", ""},
		"a part may not import the facade":          {"agent/internal/logs", "m/agent", "agent/internal/logs imports agent"},
		"replication may be used without facade":    {"agent/replication", "m/agent", "agent/replication imports agent"},
		"the catalogue imports nothing":             {"agent/catalog", "m/agent/internal/logs", "agent/catalog imports agent/internal/logs"},
		"adapters may import the facade":            {"agent/agentgin", "m/agent", ""},
		"adapters may not import each other":        {"agent/agentgin", "m/agent/agenthttp", "agent/agentgin imports agent/agenthttp"},
		"dashboards may import the query builder":   {"dashboards", "m/internal/promql", ""},
		"dashboards may not import the agent":       {"dashboards", "m/agent", "dashboards imports agent"},
		"alerts may not import dashboards":          {"alerts", "m/dashboards", "alerts imports dashboards"},
		"the lab may not import the agent":          {"compose/lab", "m/agent", "compose/lab imports agent"},
		"sampleapp may import adapters":             {"sampleapp/internal/web", "m/agent/agentgin", ""},
		"sampleapp may not look inside":             {"sampleapp", "m/agent/internal/logs", "sampleapp imports agent/internal/logs"},
		"nobody imports the contract":               {"alerts", "m/internal/contract/repo", "alerts imports internal/contract/repo"},
		"a package without a layer needs one":       {"internal/utils", "fmt", "internal/utils has no layer"},
		"packages of others are not this rule's":    {"agent", "github.com/gin-gonic/gin", ""},
		"a module that only begins alike is others": {"agent", "mm/agent/internal/logs", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pkgs := []code.Package{{ImportPath: "m/" + c.from, Imports: []string{c.imports}}}
			expect(t, code.CheckDirection("m", pkgs, code.Layers()), c.want)
		})
	}
}

func TestCheckReach(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, dep, want string }{
		"the facade and gin":                   {"agent", "github.com/gin-gonic/gin/binding", "agent depends on github.com/gin-gonic/gin/binding"},
		"the facade and a SQL driver":          {"agent", "github.com/jackc/pgx/v5", "agent depends on github.com/jackc/pgx/v5"},
		"replication and a SQL driver":         {"agent/replication", "github.com/jackc/pgx/v5", "agent/replication depends on"},
		"the gin adapter and gin":              {"agent/agentgin", "github.com/gin-gonic/gin", ""},
		"the gin adapter and Redis":            {"agent/agentgin", "github.com/redis/go-redis/v9", "agent/agentgin depends on"},
		"the catalogue and anything":           {"agent/catalog", "golang.org/x/text", "agent/catalog depends on golang.org/x/text"},
		"the catalogue and the library":        {"agent/catalog", "encoding/json", ""},
		"the lab and anything":                 {"compose/lab", "gopkg.in/yaml.v3", "compose/lab depends on gopkg.in/yaml.v3"},
		"the lab and the catalogue":            {"compose/lab", "m/agent/catalog", ""},
		"an adapter and the testing package":   {"agent/agentpgx", "testing", "agent/agentpgx depends on testing"},
		"the test kit and the testing":         {"agent/agenttest", "testing", ""},
		"the facade and the dashboard SDK":     {"agent", "github.com/grafana/grafana-foundation-sdk/go/dashboard", "agent depends on"},
		"dashboards and the dashboard SDK":     {"dashboards", "github.com/grafana/grafana-foundation-sdk/go/dashboard", ""},
		"a path that only begins alike":        {"agent", "github.com/gin-gonic/ginx", ""},
		"the library's package testing/fstest": {"agent", "testing/fstest", "agent depends on testing/fstest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pkgs := []code.Package{{ImportPath: "m/" + c.from, Deps: []string{c.dep}}}
			expect(t, code.CheckReach("m", pkgs, code.Reaches()), c.want)
		})
	}
}

func TestCheckDependencies(t *testing.T) {
	t.Parallel()
	const mod, table = "module m\n\ngo 1.26.0\n\nrequire (\n\ta.org/a v1.0.0\n\tb.org/b v1.0.0 // indirect\n)\n",
		"| module | reason |\n|---|---|\n| `a.org/a` | It does what nothing else does. |\n"
	for name, c := range map[string]struct{ mod, table, want string }{
		"each requirement has a reason":   {mod, table, ""},
		"a requirement without a row":     {mod, "", "requires a.org/a without a reason"},
		"a row without a reason":          {mod, "| `a.org/a` |  |\n", "requires a.org/a without a reason"},
		"a row without a requirement":     {mod, table + "| `c.org/c` | It was used once upon a time. |\n", "the table has c.org/c"},
		"a row for an indirect one":       {mod, table + "| `b.org/b` | It came along with another. |\n", "the table has b.org/b"},
		"a tool":                          {mod + "\ntool b.org/b/cmd\n", table, "has the tool b.org/b/cmd"},
		"a replacement":                   {mod + "\nreplace a.org/a => ../a\n", table, "replaces a.org/a"},
		"an indirect one became a direct": {strings.Replace(mod, " // indirect", "", 1), table, "requires b.org/b without a reason"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := code.CheckDependencies(c.mod, c.table)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, problems, c.want)
		})
	}
}

func TestCheckNames(t *testing.T) {
	t.Parallel()
	catalog := parseText(t, "agent/catalog/x.go", `package catalog
var M = counter("shop_orders_total", "Orders of the shop.", "shop_name")
const K, L = "shop.name", "queue"
`)
	words := code.Vocabulary(catalog)
	if got, want := strings.Join(words, " "), "shop.name shop_name shop_orders_total"; got != want {
		t.Fatalf("Vocabulary = %q, want %q", got, want)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a metric":                      {`var x = "shop_orders_total"`, `"shop_orders_total" is a name of the catalogue`},
		"a metric in backquotes":        {"var x = `shop_orders_total`", `"shop_orders_total" is a name of the catalogue`},
		"a label":                       {`var x = "shop_name"`, `"shop_name" is a name`},
		"an attribute":                  {`var x = f("shop.name")`, `"shop.name" is a name`},
		"a query":                       {`var x = "sum(rate(shop_orders_total{a=\"b\"}[5m]))"`, "the text holds the metric name shop_orders_total"},
		"a metric with a suffix":        {`var x = "rate(shop_orders_total_bucket[5m])"`, "the text holds the metric name shop_orders_total"},
		"another metric that begins so": {`var x = "shop_orders_total_pages"`, ""},
		"another metric that ends so":   {`var x = "my_shop_orders_total"`, ""},
		"a word of plain English":       {`var x = "queue"`, ""},
		"a label in a sentence":         {`var x = "set shop_name first"`, ""},
		"a struct tag":                  {"type x struct{ a int `shop_name` }", ""},
		"a comment":                     {"// shop_orders_total\nvar x int", ""},
		"an import":                     {`import _ "shop.name"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, code.CheckNames(parseText(t, "agent/x.go", "package x\n"+c.text+"\n"), words, []string{"shop_orders_total", "up"}), c.want)
		})
	}
	test := parseText(t, "agent/x_test.go", "package x\n\nvar x, y = `shop_orders_total{a=\"b\"} 1`, \"shop_orders_total\"\n")
	expect(t, code.CheckNames(test, words, []string{"shop_orders_total"}), `agent/x_test.go:3: "shop_orders_total" is a name`)
}

func TestCheckSize(t *testing.T) {
	t.Parallel()
	long := "package x\n" + strings.Repeat("\n", code.MaxLines)
	expect(t, code.CheckSize(parseText(t, "x.go", long)), fmt.Sprintf("x.go has %d lines", code.MaxLines+1))
	expect(t, code.CheckSize(parseText(t, "x.go", long[:len(long)-1])), "")
	expect(t, code.CheckSize(parseText(t, "x.go", "// Code generated by x. DO NOT EDIT.\n\n"+long)), "")
}

func TestCheckDocs(t *testing.T) {
	t.Parallel()
	const doc = "// Package x is.\npackage x\n"
	for name, c := range map[string]struct{ text, want string }{
		"a package without a comment":           {"package x\n", "x: the package has no comment"},
		"a function without":                    {doc + "func F() {}\n", "F has no doc comment"},
		"a function with":                       {doc + "// F does.\nfunc F() {}\n", ""},
		"a function with another's":             {doc + "// G does.\nfunc F() {}\n", "the doc comment of F does not start with its name"},
		"a function with a longer name":         {doc + "// Foo does.\nfunc F() {}\n", "the doc comment of F does not start with its name"},
		"a function with a directive only":      {doc + "//go:noinline\nfunc F() {}\n", "F has no doc comment"},
		"a method without":                      {doc + "// T is.\ntype T int\n\nfunc (T) M() {}\n", "M has no doc comment"},
		"a method of a generic pointer":         {doc + "// T is.\ntype T[K any] int\n\nfunc (*T[K]) M() {}\n", "M has no doc comment"},
		"a method that nobody outside can name": {doc + "type t int\n\nfunc (t) M() {}\n", ""},
		"a type without":                        {doc + "type T int\n", "T has no doc comment"},
		"a type with an article":                {doc + "// A T is.\ntype T int\n", ""},
		"a constant without":                    {doc + "const C = 1\n", "C has no doc comment"},
		"a group with one comment":              {doc + "// Sizes.\nconst (\n\tC = 1\n\tD = 2\n)\n", ""},
		"a group with one left out":             {doc + "const (\n\tC = 1 // one\n\tD = 2\n)\n", "D has no doc comment"},
		"a variable without":                    {doc + "var V int\n", "V has no doc comment"},
		"generated code":                        {"// Code generated by x. DO NOT EDIT.\n\npackage x\n\nfunc F() {}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, code.CheckDocs(parseText(t, "x/x.go", c.text)), c.want)
		})
	}
	expect(t, code.CheckDocs(parseText(t, "x/x_test.go", "package x\n\nfunc F() {}\n")), "")
	expect(t, code.CheckDocs(parseText(t, "x/x.go", "package x\n", "x/doc.go", doc)), "")
}

func TestCheckGlobals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"init":                              {"func init() {}", "init runs in every program"},
		"a method called init":              {"func (t) init() {}\ntype t int", ""},
		"a counter":                         {"var n int", "the variable n is global state"},
		"a pointer":                         {"var p = new(int)", "the variable p is global state"},
		"a computed value":                  {"var p = f(1)\nfunc f(int) int { return 0 }", "the variable p is global state"},
		"a value of another package":        {`import "os"` + "\nvar p = os.Stdout", "the variable p is global state"},
		"a mutex":                           {`import "sync"` + "\nvar m sync.Mutex", "the variable m is global state"},
		"an assertion":                      {"var _ error = t(0)\ntype t int", ""},
		"a sentinel error":                  {`import "errors"` + "\nvar ErrX = errors.New(\"x\")", ""},
		"a sentinel error that is changed":  {`import "errors"` + "\nvar ErrX = errors.New(\"x\")\nfunc f() { ErrX = nil }", "the package writes to its variable ErrX"},
		"a regular expression":              {`import "regexp"` + "\nvar re = regexp.MustCompile(`x`)", ""},
		"a pool":                            {`import "sync"` + "\nvar p = sync.Pool{New: func() any { return nil }}", ""},
		"a pool without a value":            {`import "sync"` + "\nvar p sync.Pool", ""},
		"a table":                           {"var t = map[string]int{\"a\": 1}", ""},
		"tables that one function computes": {"var t, u = f()\nfunc f() (a, b []int) { return }", ""},
		"a table that everybody can change": {"var T = []int{1}", "the variable T is global state"},
		"a table with a new entry":          {"var t = map[string]int{}\nfunc f() { t[\"a\"] = 1 }", "the package writes to its variable t"},
		"a table with an entry removed":     {"var t = map[string]int{}\nfunc f() { delete(t, \"a\") }", "the package writes to its variable t"},
		"a table counted up":                {"var t = []int{1}\nfunc f() { t[0]++ }", "the package writes to its variable t"},
		"a table given away to be changed":  {"var t = []int{1}\nfunc f() *int { return &t[0] }", "the package writes to its variable t"},
		"an allowed one":                    {"var allowed int", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			allowed := map[string]string{}
			if strings.Contains(c.text, "allowed") {
				allowed["x.allowed"] = "because"
			}
			expect(t, code.CheckGlobals(parseText(t, "x/x.go", "package x\n"+c.text+"\n"), allowed), c.want)
		})
	}
	files := parseText(t, "x/x.go", "package x\n\nvar t = []int{1}\n", "x/y.go", "package x\n\nfunc f() { t = nil }\n")
	expect(t, code.CheckGlobals(files, nil), "the package writes to its variable t")
	expect(t, code.CheckGlobals(parseText(t, "x/x_test.go", "package x\n\nvar n int\n\nfunc init() {}\n"), nil), "")
	expect(t, code.CheckGlobals(nil, map[string]string{"x.gone": "because"}), "x.gone is allowed to be global but is not there")
}

func TestCheckBans(t *testing.T) {
	t.Parallel()
	const in, lib = "agent/x.go", "alerts/x.go"
	for name, c := range map[string]struct{ path, imports, use, want string }{
		"the environment":                        {in, `"os"`, `os.Getenv("A")`, "os.Getenv: the environment is read by main"},
		"the environment under another name":     {in, `sys "os"`, `sys.LookupEnv("A")`, "sys.LookupEnv: the environment"},
		"the environment in another library":     {lib, `"os"`, `os.Environ()`, "os.Environ: the environment"},
		"the environment in a command":           {"alerts/cmd/gen/main.go", `"os"`, `os.Getenv("A")`, ""},
		"another function of that package":       {in, `"os"`, `os.Getpid()`, ""},
		"another package with that name":         {in, `"example.org/os"`, `os.Getenv("A")`, ""},
		"the end of a command":                   {"agent/catalog/cmd/gen/main.go", `"os"`, `os.Exit(1)`, ""},
		"the default client in a command":        {"agent/catalog/cmd/gen/main.go", `"net/http"`, `http.Get("x")`, "every request has a time-out"},
		"the end of the host":                    {in, `"os"`, `os.Exit(1)`, "the agent never ends its host"},
		"the global tracer provider":             {in, `"go.opentelemetry.io/otel"`, `otel.SetTracerProvider(nil)`, "nothing is global"},
		"the global propagator":                  {"sampleapp/x.go", `"go.opentelemetry.io/otel"`, `otel.GetTextMapPropagator()`, "nothing is global"},
		"the default registry":                   {in, `"github.com/prometheus/client_golang/prometheus"`, `prometheus.MustRegister()`, "the registry is private"},
		"the handler of the default registry":    {in, `"github.com/prometheus/client_golang/prometheus/promhttp"`, `promhttp.Handler()`, "it serves the default registry"},
		"the default client, without a time-out": {in, `"net/http"`, `http.Get("x")`, "every request has a time-out"},
		"the default mux":                        {in, `"net/http"`, `http.HandleFunc("/", nil)`, "nothing is global"},
		"the host's logger":                      {in, `"log"`, `log.Printf("x")`, "the host's logger"},
		"the default slog logger":                {in, `"log/slog"`, `slog.SetDefault(nil)`, "nothing is global"},
		"a test":                                 {"agent/x_test.go", `"os"`, `os.Getenv("A")`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pkg := "x"
			if strings.HasSuffix(c.path, "/main.go") {
				pkg = "main"
			}
			files := parseText(t, c.path, "package "+pkg+"\n\nimport "+c.imports+"\n\nfunc f() { "+c.use+" }\n")
			expect(t, code.CheckBans(files, code.Bans()), c.want)
		})
	}
}

func TestCheckWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"root's folder":          {"cd /ro" + "ot/x", "x:1"},
		"a work folder":          {"a\nfile=/wo" + "rk/main/x", "x:2"},
		"the module proxy":       {"GOPROXY=https://proxy.gol" + "ang.org", "belongs to a machine"},
		"the npm registry":       {"https://registry.np" + "mjs.org/x", "belongs to a machine"},
		"Debian's mirror":        {"http://deb.deb" + "ian.org/debian", "belongs to a machine"},
		"a folder of the tree":   {"a/wo" + "rk/b", ""},
		"a variable's folder":    {"$HOME/ro" + "ot/x", ""},
		"a folder after another": {"$HOME/ro" + "ot/x /ro" + "ot/y", "x:1"},
		"a glob of folders":      {"*/wo" + "rk/*", ""},
		"a binary file":          {"\x00 /ro" + "ot/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, code.CheckWords("x", c.text), c.want)
		})
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"agent", "agent", true}, {"agent", "agent/x", false}, {"agent/...", "agent", true}, {"agent/...", "agent/x/y", true},
		{"agent/...", "agents", false}, {"agent/agent*", "agent/agentgin", true}, {"agent/agent*", "agent/agentgin/x", false},
	} {
		if got := code.Matches(c.pattern, c.name); got != c.want {
			t.Errorf("Matches(%q, %q) = %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}
