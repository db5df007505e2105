package readme_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/internal/contract/readme"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

func TestTheProgramOfTheReadmeIsAnExample(t *testing.T) {
	t.Parallel()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := readme.FirstProgram(string(text))
	if err != nil {
		t.Fatalf("README.md: %v", err)
	}
	files, err := repo.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, f := range files {
		if strings.HasPrefix(f, "agent/") && strings.HasPrefix(path.Base(f), "example") && strings.HasSuffix(f, "_test.go") {
			source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f)))
			if err != nil {
				t.Fatal(err)
			}
			examples[f] = string(source)
		}
	}
	if err := readme.Check(program, examples); err != nil {
		t.Error(err)
	}
}

const program = `package main

import "fmt"

func main() {
	// Say it.
	fmt.Println("hello")

	fmt.Println("world")
}
`

const example = `package x_test

import (
	"fmt"
	"strings"
)

func Example() {
	fmt.Print(strings.ToUpper(""))
	// Say it.
	fmt.Println("hello")
	fmt.Println("world")
	// Output:
	// hello
	// world
}
`

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program, example string
		want             string // part of the error, or nothing
	}{
		"the program is part of an Example":   {program, example, ""},
		"an Example as it is":                 {example[strings.Index(example, "func Example"):], example, ""},
		"an Example without its output":       {strings.Replace(example[strings.Index(example, "func Example"):], "\t// world\n", "", 1), example, "none of 1 example files"},
		"an Example of another name":          {strings.Replace(example[strings.Index(example, "func Example"):], "Example()", "Example_other()", 1), example, "none of 1 example files"},
		"a fragment":                          {"fmt.Println()\n", example, "does not parse"},
		"a line differs":                      {program, strings.Replace(example, `"world"`, `"World"`, 1), "none of 1 example files"},
		"a line is between":                   {program, strings.Replace(example, "\tfmt.Println(\"world\")", "\tfmt.Println()\n\tfmt.Println(\"world\")", 1), "none of 1 example files"},
		"a comment differs":                   {program, strings.Replace(example, "// Say it.", "// Sing it.", 1), "none of 1 example files"},
		"it is no Example":                    {program, strings.Replace(example, "func Example", "func TestExample", 1), "none of 1 example files"},
		"an import is not of the Example":     {strings.Replace(program, `import "fmt"`, "import (\n\t\"fmt\"\n\t\"os\"\n)", 1), example, `not the imports ["\"os\""]`},
		"the program does not parse":          {"package main\nfunc main() {", example, "does not parse"},
		"the program has no main function":    {"package main\nfunc run() { f() }\n", example, "neither one with a main function"},
		"the main function has nothing in it": {"package main\nfunc main() {}\n", example, "neither one with a main function"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := readme.Check(c.program, map[string]string{"example_test.go": c.example})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Check = %v, want %q", err, c.want)
			}
		})
	}
}

func TestFirstProgram(t *testing.T) {
	t.Parallel()
	got, err := readme.FirstProgram("# x\n```sh\nmake up\n```\n```go\na\n```\n```go\nb\n```\n")
	if got != "a\n" || err != nil {
		t.Errorf("FirstProgram = %q, %v, want the first block of Go", got, err)
	}
	if got, err := readme.FirstProgram("# x\n```sh\nmake up\n```\n"); err == nil {
		t.Errorf("FirstProgram without Go = %q, want an error", got)
	}
}
