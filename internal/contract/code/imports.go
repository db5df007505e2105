package code

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Package is what `go list` says of one package of this repository.
type Package struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // direct and indirect
}

// ListPackages runs `go list` on every package of the module in dir. Tests and
// what only they import are left out.
func ListPackages(dir string) ([]Package, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w: %s", dir, err, stderr.String())
	}
	var pkgs []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("list the packages of %s: %w", dir, err)
		}
		pkgs = append(pkgs, p)
	}
}

// Layer says which packages of this repository the packages of a pattern may
// import. Patterns are relative to the root module.
type Layer struct {
	Pattern string
	May     []string
}

// Layers returns the import direction of the design, the most specific pattern
// first. A package that matches none is a problem: it has no place yet.
func Layers() []Layer {
	inner := []string{"agent/catalog", "agent/internal/..."}
	return []Layer{
		{"agent/catalog", nil},
		{"agent/catalog/cmd/...", []string{"agent/catalog"}},
		// What the adapters of databases share stands above the agent, as they do.
		{"agent/internal/dbcall", append(slices.Clone(inner), "agent")},
		{"agent/internal/...", inner},
		{"agent/replication", inner},
		{"agent/saturation", inner},
		{"agent", append(slices.Clone(inner), "agent/replication", "agent/saturation")},
		{"agent/agent*", append(slices.Clone(inner), "agent", "agent/replication")},
		{"internal/testpg", nil},
		{"internal/measured", nil},
		{"internal/overhead/...", []string{"internal/overhead/...", "internal/testpg", "internal/measured", "agent", "agent/catalog", "agent/agent*"}},
		{"internal/promql/...", []string{"agent/catalog", "internal/promql/..."}},
		{"internal/grafana", nil},
		{"internal/grafana/...", []string{"internal/grafana"}},
		{"internal/importer", []string{"agent/catalog", "internal/promql/...", "internal/grafana", "dashboards", "alerts"}},
		{"dashboards/cmd/import", []string{"internal/promql/...", "internal/grafana", "internal/importer", "alerts"}},
		{"dashboards/...", []string{"agent/catalog", "internal/promql/...", "dashboards/..."}},
		{"alerts/...", []string{"agent/catalog", "internal/promql/...", "alerts/..."}},
		{"docs/...", []string{"agent/catalog"}},
		{"compose/...", []string{"agent/catalog", "compose/..."}},
		{"sampleapp/internal/testdb", []string{"sampleapp/internal/...", "internal/testpg"}},
		// Benchmarks start servers of their own.
		{"sampleapp/internal/bench", []string{"sampleapp/internal/...", "sampleapp/loadgen", "sampleapp/scenario", "internal/testpg", "agent", "agent/catalog", "agent/agent*"}},
		{"sampleapp/loadgen", []string{"agent/catalog"}},
		{"sampleapp/scenario", []string{"agent/catalog"}},
		{"sampleapp/internal/...", []string{"sampleapp/internal/...", "sampleapp/loadgen", "sampleapp/scenario", "agent", "agent/catalog", "agent/agent*", "agent/replication", "agent/saturation"}},
		{"sampleapp/...", []string{"sampleapp/...", "agent", "agent/catalog", "agent/agent*", "agent/replication", "agent/saturation"}},
	}
}

// CheckDirection returns a line for every import against the direction of the
// layers.
func CheckDirection(module string, pkgs []Package, layers []Layer) []string {
	var problems []string
	for _, p := range pkgs {
		name := relative(module, p.ImportPath)
		i := slices.IndexFunc(layers, func(l Layer) bool { return Matches(l.Pattern, name) })
		if i < 0 {
			problems = append(problems, fmt.Sprintf("%s has no layer: say in Layers what it may import", name))
			continue
		}
		for _, imported := range p.Imports {
			if inside := relative(module, imported); inside != imported && !matchesAny(layers[i].May, inside) {
				problems = append(problems, fmt.Sprintf("%s imports %s, want only %q", name, inside, layers[i].May))
			}
		}
	}
	return problems
}

// relative cuts the module off an import path of its own.
func relative(module, importPath string) string {
	return strings.TrimPrefix(importPath, module+"/")
}

// Reach forbids packages to depend, however indirectly, on others.
type Reach struct {
	Patterns []string
	// Except are patterns that the rule leaves out.
	Except []string
	// Not are import paths and their sub-packages. "outside" stands for
	// everything that is neither the standard library nor this repository.
	Not []string
	Why string
}

// outside is everything that is neither standard library nor this repository.
const outside = "outside"

// Reaches returns what must not be reached from where.
func Reaches() []Reach {
	return []Reach{
		{
			Patterns: []string{"agent/catalog", "internal/testpg", "internal/promql/...", "internal/grafana/...", "compose/..."}, Not: []string{outside},
			Why: "it needs the standard library alone",
		},
		{
			Patterns: []string{"agent", "agent/internal/...", "agent/replication", "agent/saturation", "agent/agenthttp"},
			Not: []string{
				"github.com/gin-gonic/gin", "github.com/jackc/pgx/v5", "github.com/lib/pq", "github.com/go-sql-driver/mysql",
				"github.com/redis/go-redis/v9",
			},
			Why: "an embedder links only the integrations that it imports",
		},
		{
			Patterns: []string{"agent/agentgin"}, Not: []string{"github.com/jackc/pgx/v5", "github.com/redis/go-redis/v9"},
			Why: "an embedder links only the integrations that it imports",
		},
		{
			Patterns: []string{"agent/agentpgx", "agent/agentredis", "agent/agentsql"}, Not: []string{"github.com/gin-gonic/gin"},
			Why: "an embedder links only the integrations that it imports",
		},
		{
			Patterns: []string{"agent/...", "sampleapp/..."}, Not: []string{"github.com/grafana/grafana-foundation-sdk/go"},
			Why: "dashboards are made at build time",
		},
		{
			Patterns: []string{"agent/..."}, Except: []string{"agent/agenttest", "agent/internal/*test"},
			Not: []string{"testing", "github.com/stretchr/testify", "go.uber.org/goleak", "github.com/google/go-cmp"},
			Why: "test helpers never reach an embedder's binary",
		},
	}
}

// CheckReach returns a line for every forbidden dependency, direct or not.
func CheckReach(module string, pkgs []Package, reaches []Reach) []string {
	var problems []string
	for _, p := range pkgs {
		name := relative(module, p.ImportPath)
		for _, r := range reaches {
			if !matchesAny(r.Patterns, name) || matchesAny(r.Except, name) {
				continue
			}
			for _, dep := range p.Deps {
				if forbidden(module, dep, r.Not) {
					problems = append(problems, fmt.Sprintf("%s depends on %s: %s", name, dep, r.Why))
				}
			}
		}
	}
	return problems
}

func forbidden(module, dep string, not []string) bool {
	first, _, _ := strings.Cut(dep, "/")
	inside := dep == module || strings.HasPrefix(dep, module+"/")
	return slices.ContainsFunc(not, func(n string) bool {
		if n == outside {
			return !inside && strings.Contains(first, ".")
		}
		return dep == n || strings.HasPrefix(dep, n+"/")
	})
}
