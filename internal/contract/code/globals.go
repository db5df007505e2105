package code

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
)

// CheckGlobals returns a line for every init function and every package-level
// variable that could change while the program runs. Allowed are: compile-time
// assertions (var _ = ...), sentinel errors, compiled regular expressions,
// sync.Pool (its content is interchangeable), and a lookup table, written out
// or computed by a function without arguments, that is unexported and that no
// code of its package writes to. Tests are exempt, and so are the variables in
// allowed, by folder.name with a reason; one that is not there is a problem.
func CheckGlobals(files []File, allowed map[string]string) []string {
	written := map[string]map[string]bool{} // package folder -> variable
	for _, f := range files {
		if !f.Test() {
			if written[f.Dir()] == nil {
				written[f.Dir()] = map[string]bool{}
			}
			noteWrites(f, written[f.Dir()])
		}
	}
	var problems []string
	left := maps.Clone(allowed)
	for _, f := range files {
		if f.Test() || f.Generated {
			continue
		}
		for _, decl := range f.AST.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					problems = append(problems, f.at(d)+": init runs in every program that imports the package")
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					problems = append(problems, mutable(f, d, written[f.Dir()], left)...)
				}
			}
		}
	}
	for variable := range left {
		problems = append(problems, variable+" is allowed to be global but is not there")
	}
	return problems
}

// mutable returns the variables of one declaration that could change, and
// removes from left those that are allowed to.
func mutable(f File, d *ast.GenDecl, written map[string]bool, left map[string]string) []string {
	var problems []string
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		for i, id := range s.Names {
			if _, ok := left[f.Dir()+"."+id.Name]; ok || id.Name == "_" {
				delete(left, f.Dir()+"."+id.Name)
				continue
			}
			var value ast.Expr
			if len(s.Values) > 0 {
				value = s.Values[min(i, len(s.Values)-1)] // one call may set several
			}
			switch {
			case written[id.Name]:
				problems = append(problems, fmt.Sprintf("%s: the package writes to its variable %s", f.at(id), id.Name))
			case constantCall(value), pool(s.Type, value), !id.IsExported() && table(value):
			default:
				problems = append(problems, fmt.Sprintf("%s: the variable %s is global state", f.at(id), id.Name))
			}
		}
	}
	return problems
}

// constantCall reports whether the value is an error or a regular expression.
func constantCall(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	return slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "netip.MustParsePrefix"}, selector(call.Fun))
}

// pool reports whether the variable is a sync.Pool.
func pool(typ, value ast.Expr) bool {
	if lit, ok := value.(*ast.CompositeLit); ok {
		typ = lit.Type
	}
	return typ != nil && selector(typ) == "sync.Pool"
}

// table reports whether the value is a literal list, array or map, or the
// result of a function of the same package that takes no arguments.
func table(value ast.Expr) bool {
	if call, ok := value.(*ast.CallExpr); ok {
		_, own := call.Fun.(*ast.Ident)
		return own && len(call.Args) == 0
	}
	lit, ok := value.(*ast.CompositeLit)
	if !ok {
		return false
	}
	switch lit.Type.(type) {
	case *ast.ArrayType, *ast.MapType:
		return true
	}
	return false
}

// selector renders x.y, or nothing for any other expression.
func selector(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + s.Sel.Name
}

// noteWrites collects every name that is assigned to, counted up, addressed,
// cleared or deleted from. Local variables of the same name count as well:
// then the table needs another name.
func noteWrites(f File, written map[string]bool) {
	note := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.Ident:
				written[x.Name] = true
				return
			default:
				return
			}
		}
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.AssignStmt:
			if x.Tok != token.DEFINE {
				for _, lhs := range x.Lhs {
					note(lhs)
				}
			}
		case *ast.IncDecStmt:
			note(x.X)
		case *ast.UnaryExpr:
			if x.Op == token.AND {
				note(x.X)
			}
		case *ast.CallExpr:
			if id, ok := x.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear"}, id.Name) && len(x.Args) > 0 {
				note(x.Args[0])
			}
		}
		return true
	})
}

// Ban forbids a function or variable of another package in some folders.
type Ban struct {
	Package string
	Names   []string
	// In are the folders, as patterns; Except are left out.
	In, Except []string
	// Main allows it in commands, which is where such things belong.
	Main bool
	Why  string
}

// Bans returns what libraries must not touch.
func Bans() []Ban {
	agent := []string{"agent/..."}
	return []Ban{
		{
			Package: "os", Names: []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv"},
			In:     []string{"agent/...", "internal/promql/...", "dashboards/...", "alerts/...", "sampleapp/..."},
			Except: []string{"internal/promql/*test"}, // finds promtool for tests
			Main:   true, Why: "the environment is read by main and handed down",
		},
		{Package: "os", Names: []string{"Exit"}, In: agent, Main: true, Why: "the agent never ends its host"},
		{
			Package: "go.opentelemetry.io/otel",
			Names:   []string{"SetTracerProvider", "SetMeterProvider", "SetTextMapPropagator", "SetErrorHandler", "SetLogger", "GetTracerProvider", "GetTextMapPropagator", "Tracer", "Meter"},
			In:      []string{"agent/...", "sampleapp/..."}, Why: "nothing is global",
		},
		{
			Package: "go.opentelemetry.io/otel/log/global", Names: []string{"SetLoggerProvider", "GetLoggerProvider", "Logger"},
			In: []string{"agent/...", "sampleapp/..."}, Why: "nothing is global",
		},
		{
			Package: "github.com/prometheus/client_golang/prometheus",
			Names:   []string{"DefaultRegisterer", "DefaultGatherer", "Register", "MustRegister", "Unregister"},
			In:      []string{"agent/...", "sampleapp/..."}, Why: "the registry is private",
		},
		{Package: "github.com/prometheus/client_golang/prometheus/promhttp", Names: []string{"Handler"}, In: agent, Why: "it serves the default registry"},
		{Package: "net/http", Names: []string{"DefaultServeMux", "Handle", "HandleFunc", "DefaultClient", "Get", "Post"}, In: agent, Except: []string{"agent/agenttest"}, Why: "nothing is global, and every request has a time-out"},
		{Package: "log", Names: []string{"SetOutput", "SetFlags", "Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf"}, In: agent, Why: "the host's logger is not the agent's"},
		{Package: "log/slog", Names: []string{"SetDefault", "Default"}, In: agent, Why: "nothing is global"},
	}
}

// CheckBans returns a line for every use of a banned name outside tests.
func CheckBans(files []File, bans []Ban) []string {
	var problems []string
	for _, f := range files {
		if f.Test() {
			continue
		}
		imports, command := importNames(f), f.AST.Name.Name == "main"
		ast.Inspect(f.AST, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, b := range bans {
				if !(b.Main && command) && imports[x.Name] == b.Package && slices.Contains(b.Names, s.Sel.Name) && matchesAny(b.In, f.Dir()) && !matchesAny(b.Except, f.Dir()) {
					problems = append(problems, fmt.Sprintf("%s: %s.%s: %s", f.at(n), x.Name, s.Sel.Name, b.Why))
				}
			}
			return true
		})
	}
	return problems
}

// importNames maps the name under which a file knows a package to its path.
func importNames(f File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.AST.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		local := path.Base(importPath)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = importPath
	}
	return names
}
