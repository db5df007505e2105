package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/pipeline"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

func read(t *testing.T, elements ...string) string {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(append([]string{root}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func workflow(t *testing.T) string { return read(t, ".github", "workflows", "ci.yml") }

func TestTheMakefileIsRunByPeople(t *testing.T) {
	t.Parallel()
	for _, p := range pipeline.CheckMakefile(read(t, "Makefile")) {
		t.Error(p)
	}
	targets := pipeline.Targets(read(t, "Makefile"))
	for _, name := range []string{"up", "status", "logs", "down", "generate", "check", "check-generated", "test"} {
		if _, ok := targets[name]; !ok {
			t.Errorf("there is no target %s", name)
		}
	}
}

func TestTheWorkflowRunsWhatDevelopersRun(t *testing.T) {
	t.Parallel()
	problems, err := pipeline.CheckWorkflow(workflow(t), read(t, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if script := read(t, ".ci", "run"); !strings.HasSuffix(script, "\nexec make test\n") {
		t.Error(".ci/run does not end with make test")
	}
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{".ci/run", "compose/secrets.sh", "compose/config/postgres/start.sh"} {
		info, err := os.Stat(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o111 != 0o111 {
			t.Errorf("%s has mode %o, want it executable", path, info.Mode().Perm())
		}
	}
}

// expect wants a problem that says want.
func expect(t *testing.T, problems []string, want string) {
	t.Helper()
	if !strings.Contains(strings.Join(problems, "\n"), want) {
		t.Errorf("found %q, want one that says %q", problems, want)
	}
}

// replace changes text in one place, which must be there.
func replace(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the file no longer contains %q: the test must break something else", old)
	}
	return strings.Replace(text, old, with, 1)
}

func TestCheckMakefileCatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"a target that nobody runs":           {".PHONY: test-e2e", ".PHONY: lonely\nlonely:\n\ttrue\n\n.PHONY: test-e2e", "lonely has no description"},
		"a prerequisite that does not exist":  {"test-e2e: servers", "test-e2e: server", "test-e2e needs server, which does not exist"},
		"a target that a file can switch off": {".PHONY: test\n", "", "test is not phony"},
		"another default":                     {".DEFAULT_GOAL := help\n", "", "there is no line .DEFAULT_GOAL := help"},
		"a workspace":                         {"export GOWORK := off\n", "", "there is no line export GOWORK := off"},
		"old results":                         {"test -race $(uncached) ./...", "test -race ./...", "may repeat old results"},
		"another toolchain":                   {"export GOTOOLCHAIN := local\n", "", "there is no line export GOTOOLCHAIN := local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, pipeline.CheckMakefile(replace(t, read(t, "Makefile"), c.old, c.new)), c.want)
		})
	}
}

func TestCheckWorkflowCatches(t *testing.T) {
	t.Parallel()
	const sha = "@3d3c42e5aac5ba805825da76410c181273ba90b1"
	for name, c := range map[string]struct{ old, new, want string }{
		"an action at a tag":               {"actions/checkout" + sha + " # v7.0.1", "actions/checkout@v7", "is not an action at a commit"},
		"an action without its version":    {sha + " # v7.0.1", sha, "is not an action at a commit"},
		"a token that can write":           {"contents: read", "contents: write", "want contents: read"},
		"a job that asks for more":         {"    timeout-minutes: 90\n", "    timeout-minutes: 90\n    permissions:\n      contents: write\n", "test asks for permissions of its own"},
		"a job that can hang":              {"    timeout-minutes: 90\n", "", "test has no timeout-minutes"},
		"a command that is no make target": {"run: make check", "run: go test ./...", "want a make target"},
		"a target that does not exist":     {"run: make check", "run: make lint", "want a make target"},
		"a step that can fail unseen":      {"run: make check", "run: make check\n        continue-on-error: true", "can fail unseen"},
		"a step that is left out at times": {"run: make check", "run: make check\n        if: github.ref == 'x'", "can fail unseen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := pipeline.CheckWorkflow(replace(t, workflow(t), c.old, c.new), read(t, "Makefile"))
			if err != nil {
				t.Fatal(err)
			}
			expect(t, problems, c.want)
		})
	}
}
