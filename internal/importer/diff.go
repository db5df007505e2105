package importer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// diff returns the differences between two views, two lines for each place
// that differs: what is there, and what would be. A place that only one of them
// has is one line.
func diff(there, wanted map[string]any) []string {
	old, updated := map[string]string{}, map[string]string{}
	flatten(old, "", there)
	flatten(updated, "", wanted)
	places := slices.Collect(maps.Keys(old))
	for p := range updated {
		if _, ok := old[p]; !ok {
			places = append(places, p)
		}
	}
	slices.Sort(places)
	var lines []string
	for _, p := range places {
		before, had := old[p]
		after, has := updated[p]
		if had && has && before == after {
			continue
		}
		if had {
			lines = append(lines, fmt.Sprintf("- %s: %s", p, before))
		}
		if has {
			lines = append(lines, fmt.Sprintf("+ %s: %s", p, after))
		}
	}
	return lines
}

// flatten writes every value into to, by the path that leads there.
func flatten(to map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			flatten(to, strings.TrimPrefix(path+"."+k, "."), e)
		}
	case []any:
		names := elementNames(v)
		for i, e := range v {
			flatten(to, path+"["+names[i]+"]", e)
		}
	default:
		var text strings.Builder
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // queries are full of > and &
		if err := encoder.Encode(v); err != nil {
			text.WriteString(fmt.Sprint(v))
		}
		to[path] = strings.TrimSuffix(text.String(), "\n")
	}
}

// elementNames names the elements of a list by what tells them apart, so that
// one more in front does not make all others differ; by their position if
// nothing does.
func elementNames(list []any) []string {
	for _, key := range []string{"refId", "uid", "id", "name"} {
		names, seen := make([]string, len(list)), map[string]bool{}
		for i, e := range list {
			m, _ := e.(map[string]any)
			if value, ok := m[key]; ok && value != "" {
				names[i] = fmt.Sprint(value)
				seen[names[i]] = true
			}
		}
		if len(list) > 0 && len(seen) == len(list) {
			return names
		}
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = fmt.Sprint(i)
	}
	return names
}
