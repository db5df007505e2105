package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// toolTree makes a checkout with one tool, `hello`, that needs no download.
func toolTree(t *testing.T) Config {
	t.Helper()
	c := testConfig(t)
	c.Root = t.TempDir()
	files := map[string]string{
		"tools/hello/go.mod": "module example.test/hello\n\ngo 1.26.0\n",
		"tools/hello/go.sum": "",
		"tools/hello/main.go": "package main\n\nvar version = \"none\"\n\n" +
			"func main() { print(\"hello \" + version) }\n",
		buildsFile: recipeFile("1.0"),
	}
	for name, content := range files {
		putFile(t, filepath.Join(c.Root, name), content)
	}
	return c
}

func recipeFile(version string) string {
	return fmt.Sprintf(`{"builds": [{"name": "hello", "dir": "tools/hello", "package": ".",`+
		` "version": %q, "module": "example.test/hello", "tags": [], "version_vars": ["main.version"]}]}`, version)
}

func putFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServerIsBuiltOnceAndAgainForAnotherVersion(t *testing.T) {
	t.Parallel()
	c := toolTree(t)
	steps := []struct {
		what    string
		change  func()
		built   bool
		version string
	}{
		{"the first time", func() {}, true, "1.0"},
		{"the second time", func() {}, false, "1.0"},
		{"with another recipe", func() { putFile(t, filepath.Join(c.Root, buildsFile), recipeFile("2.0")) }, true, "2.0"},
		{"with another go.sum", func() { putFile(t, filepath.Join(c.Root, "tools/hello/go.sum"), "\n") }, true, "2.0"},
		{"after the program was deleted", func() { _ = os.Remove(serverBinary(c.Cache, "hello")) }, true, "2.0"},
	}
	for _, step := range steps {
		step.change()
		var out bytes.Buffer
		programs, err := Build(t.Context(), c, &out, "hello")
		if err != nil {
			t.Fatal(err)
		}
		if built := strings.Contains(out.String(), "building hello "+step.version+" (1 of 1)"); built != step.built {
			t.Errorf("%s: built %v, want %v; it says %q", step.what, built, step.built, out.String())
		}
		said, err := exec.Command(programs[0]).CombinedOutput()
		if err != nil || string(said) != "hello "+step.version {
			t.Errorf("%s: the program says %q, %v", step.what, said, err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(c.Cache, "bin"))
	if err != nil || len(entries) != 2 {
		t.Errorf("the cache holds %v, %v; want the program and its key", entries, err)
	}
}

func TestBuildThatFailsSaysWhyAndKeepsTheOldProgram(t *testing.T) {
	t.Parallel()
	c := toolTree(t)
	if _, err := Build(t.Context(), c, io.Discard, "hello"); err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(c.Root, "tools/hello/main.go"), "package main\n\nfunc main() { undefinedThing() }\n")
	putFile(t, filepath.Join(c.Root, "tools/hello/go.sum"), "\n")
	_, err := Build(t.Context(), c, io.Discard, "hello")
	if err == nil || !strings.Contains(err.Error(), "build hello: go build") || !strings.Contains(err.Error(), "undefined: undefinedThing") {
		t.Errorf("error %v", err)
	}
	if !isFile(serverBinary(c.Cache, "hello")) || isFile(serverBinary(c.Cache, "hello")+".new") {
		t.Error("the old program is gone, or half of a new one is left")
	}
	if _, err := Build(t.Context(), c, io.Discard, "nosuch"); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("an unknown program: %v", err)
	}
}

func TestBuildWaitsForAnotherAndCanBeInterrupted(t *testing.T) {
	t.Parallel()
	c := toolTree(t)
	if err := os.MkdirAll(filepath.Join(c.Cache, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, busy, err := lockDir(filepath.Join(c.Cache, "bin"))
	if err != nil || busy {
		t.Fatal(busy, err)
	}
	defer func() { _ = lock.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	_, err = Build(ctx, c, &out, "hello")
	if !errors.Is(err, context.DeadlineExceeded) || strings.Count(out.String(), "waiting for another build") != 1 {
		t.Errorf("error %v; it says %q", err, out.String())
	}
}

func TestRecipesOfTheServersThatTheLabRuns(t *testing.T) {
	t.Parallel()
	recipes, err := readRecipes(testConfig(t).Root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Servers() {
		at := slices.IndexFunc(recipes, func(r recipe) bool { return r.Name == name })
		if at < 0 {
			t.Errorf("%s does not say how %s is built", buildsFile, name)
			continue
		}
		args := strings.Join(recipes[at].arguments("out"), " ")
		if !strings.HasSuffix(args, recipes[at].Package) || !strings.Contains(args, "="+recipes[at].Version) {
			t.Errorf("%s is built by go %s", name, args)
		}
	}
}
