package consolecheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Declaration is supported.json. A part of it is true (any value), a list (one
// of these values), an object (these keys), or an object whose key is "*" (any
// key, or every element of a list).
type Declaration struct {
	// Dashboard, Link, Panel and Field are what every dashboard, link, panel and
	// field of a panel may say.
	Dashboard, Link, Panel, Field any
	// Variables are by type, Targets by type of data source, Transformations by id.
	Variables, Targets, Transformations map[string]any
	// Matchers are what overrides may choose fields by.
	Matchers []string
	Panels   map[string]Kind
}

// Kind is what one type of panel may say beyond what all may.
type Kind struct {
	Options any
	Custom  map[string]any
}

// Parse reads a declaration.
func Parse(content []byte) (*Declaration, error) {
	var d Declaration
	if err := json.Unmarshal(content, &d); err != nil {
		return nil, fmt.Errorf("read the console's declaration: %w", err)
	}
	return &d, nil
}

// check walks a value along its declaration. It returns a line for everything
// that is not declared, and notes each declared part that occurs in used, which
// may be nil.
func check(declared, value any, path string, used map[string]bool) []string {
	if used != nil {
		used[path] = true
	}
	switch d := declared.(type) {
	case bool:
		return nil
	case []any:
		// Null is how the generator writes that nothing is chosen.
		if value == nil || slices.Contains(d, value) {
			return nil
		}
		return []string{fmt.Sprintf("%s is %v, the console knows %v", path, value, d)}
	case map[string]any:
		if each, any := d["*"]; any {
			return checkEach(each, value, path, used)
		}
		object, ok := value.(map[string]any)
		if !ok {
			if value == nil {
				return nil
			}
			return []string{fmt.Sprintf("%s is %v, the console wants an object", path, value)}
		}
		var problems []string
		for _, key := range slices.Sorted(maps.Keys(object)) {
			part, ok := d[key]
			if !ok {
				problems = append(problems, fmt.Sprintf("%s.%s is not known to the console", path, key))
				continue
			}
			problems = append(problems, check(part, object[key], path+"."+key, used)...)
		}
		return problems
	}
	return []string{fmt.Sprintf("%s is declared as %v, which is no declaration", path, declared)}
}

func checkEach(declared, value any, path string, used map[string]bool) []string {
	var problems []string
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			problems = append(problems, check(declared, one, path+".*", used)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			problems = append(problems, check(declared, v[key], path+".*", used)...)
		}
	}
	return problems
}

// leaves lists every part of a declaration by its path.
func leaves(declared any, path string) []string {
	object, ok := declared.(map[string]any)
	if !ok || len(object) == 0 {
		return []string{path}
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		all = append(all, leaves(object[key], path+"."+key)...)
	}
	return all
}
