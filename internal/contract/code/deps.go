package code

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
)

// reasonRow is a row of the table of dependencies: | `module` | reason |
var reasonRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\|$")

// CheckDependencies compares the direct requirements of a go.mod with the
// table of reasons in a Markdown text: each requirement needs a row with a
// reason, each row a requirement. It also refuses what would reach the modules
// of embedders: tool and replace directives.
func CheckDependencies(goMod, reasons string) ([]string, error) {
	mod, err := modfile.Parse("go.mod", []byte(goMod), nil)
	if err != nil {
		return nil, fmt.Errorf("parse go.mod: %w", err)
	}
	why := map[string]string{}
	for _, row := range reasonRow.FindAllStringSubmatch(reasons, -1) {
		why[row[1]] = strings.TrimSpace(row[2])
	}
	var problems []string
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		if len(why[r.Mod.Path]) < 20 {
			problems = append(problems, fmt.Sprintf("go.mod requires %s without a reason in the table", r.Mod.Path))
		}
		delete(why, r.Mod.Path)
	}
	for path := range why {
		problems = append(problems, fmt.Sprintf("the table has %s, which go.mod does not require directly", path))
	}
	for _, t := range mod.Tool {
		problems = append(problems, fmt.Sprintf("go.mod has the tool %s, whose versions embedders would inherit", t.Path))
	}
	for _, r := range mod.Replace {
		problems = append(problems, fmt.Sprintf("go.mod replaces %s, which embedders would not", r.Old.Path))
	}
	return problems, nil
}
