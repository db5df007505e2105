package composefile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/repo"
)

// copied matches a folder that the Dockerfile takes from the checkout.
var copied = regexp.MustCompile(`(?m)^COPY ([a-z]+) [a-z]+$`)

// outside lists the folders of packages that are in none of those that the
// Dockerfile copies and the engine is sent.
func outside(dockerfile, ignore string, folders []string) []string {
	var taken []string
	for _, m := range copied.FindAllStringSubmatch(dockerfile, -1) {
		if strings.Contains(ignore, "\n!"+m[1]+"\n") {
			taken = append(taken, m[1])
		}
	}
	return slices.DeleteFunc(slices.Clone(folders), func(folder string) bool {
		top, _, _ := strings.Cut(folder, "/")
		return slices.Contains(taken, top)
	})
}

func TestTheImageIsBuiltFromEverythingThatSampleappImports(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	read := func(elements ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{root}, elements...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if .Module}}{{.Module.Path}} {{.Dir}}{{end}}", ".")
	list.Dir = filepath.Join(root, "sampleapp")
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var folders []string
	for line := range strings.Lines(string(output)) {
		module, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if module != repo.Module && !strings.HasPrefix(module, repo.Module+"/") {
			continue
		}
		folder, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, filepath.ToSlash(folder))
	}
	if len(folders) < 10 {
		t.Fatalf("sampleapp is made of %q alone", folders)
	}
	dockerfile, ignore := read("sampleapp", "Dockerfile"), read(".dockerignore")
	if missing := outside(dockerfile, ignore, folders); len(missing) > 0 {
		t.Errorf("the image is built without %q", missing)
	}
	for name, c := range map[string]struct{ dockerfile, ignore string }{
		"a folder that is not copied": {strings.Replace(dockerfile, "COPY agent agent\n", "", 1), ignore},
		"a folder that is not sent":   {dockerfile, strings.Replace(ignore, "!agent\n", "", 1)},
	} {
		if missing := outside(c.dockerfile, c.ignore, folders); !slices.Contains(missing, "agent") {
			t.Errorf("%s is not missed: %q", name, missing)
		}
	}
}
