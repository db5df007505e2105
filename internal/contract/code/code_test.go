package code_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/code"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func paths(t *testing.T) []string {
	t.Helper()
	files, err := repo.Files(root(t))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sources parses the Go files of the repository that keep allows.
func sources(t *testing.T, keep func(path string) bool) []code.File {
	t.Helper()
	files, err := code.Parse(root(t), slices.DeleteFunc(paths(t), func(p string) bool { return !keep(p) }))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is nothing to check")
	}
	return files
}

func below(folder string) func(string) bool {
	return func(p string) bool { return strings.HasPrefix(p, folder+"/") }
}

func everywhere(string) bool { return true }

// report fails the test with each problem.
func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

func metricNames() []string {
	var names []string
	for _, m := range catalog.All() {
		names = append(names, m.Desc().Name)
	}
	for _, r := range catalog.AllRecorded() {
		names = append(names, r.Desc().Name)
	}
	return names
}

func vocabulary(t *testing.T) []string {
	t.Helper()
	words := code.Vocabulary(sources(t, func(p string) bool { return path.Dir(p) == "agent/catalog" }))
	for _, m := range metricNames() {
		// Names with a window are put together; all others are literals.
		if strings.ContainsAny(m, "_") && !strings.Contains(m, ":") && !slices.Contains(words, m) {
			t.Errorf("the vocabulary lacks the metric %s", m)
		}
	}
	return words
}

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	for _, module := range []string{".", "sampleapp"} {
		pkgs, err := code.ListPackages(filepath.Join(root(t), module))
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) == 0 {
			t.Fatalf("the module %s has no package", module)
		}
		report(t, code.CheckDirection(repo.Module, pkgs, code.Layers()))
		report(t, code.CheckReach(repo.Module, pkgs, code.Reaches()))
	}
}

func TestEveryDirectDependencyHasAReason(t *testing.T) {
	t.Parallel()
	goMod, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := os.ReadFile(filepath.Join(root(t), "docs", "adr", "0002-dependencies-of-the-root-module.md"))
	if err != nil {
		t.Fatal(err)
	}
	problems, err := code.CheckDependencies(string(goMod), string(reasons))
	if err != nil {
		t.Fatal(err)
	}
	report(t, problems)
}

func TestNamesOfTelemetryAreWrittenInTheCatalogueAlone(t *testing.T) {
	t.Parallel()
	files := sources(t, func(p string) bool {
		return path.Dir(p) != "agent/catalog" && !strings.HasPrefix(p, "internal/contract/")
	})
	report(t, code.CheckNames(files, vocabulary(t), metricNames()))
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	report(t, code.CheckSize(sources(t, everywhere)))
}

func TestEverythingExportedIsDocumented(t *testing.T) {
	t.Parallel()
	report(t, code.CheckDocs(sources(t, everywhere)))
}

func TestTheAgentHasNoGlobalState(t *testing.T) {
	t.Parallel()
	// The catalogue is made of variables by design: constants cannot hold a
	// label list. Its own tests check that nothing hands out what it holds.
	report(t, code.CheckGlobals(sources(t, func(p string) bool {
		return below("agent")(p) && path.Dir(p) != "agent/catalog"
	}), map[string]string{
		"agent/internal/profiles.running": "a process has one CPU profiler, whoever owns it",
	}))
}

func TestLibrariesTouchNothingGlobal(t *testing.T) {
	t.Parallel()
	report(t, code.CheckBans(sources(t, everywhere), code.Bans()))
}

func TestNoFileNamesAMachine(t *testing.T) {
	t.Parallel()
	for _, p := range paths(t) {
		text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(p)))
		if err != nil {
			t.Fatal(err)
		}
		report(t, code.CheckWords(p, string(text)))
	}
}
