package lab

import (
	"slices"
	"strings"
	"testing"
)

// chain is a spec with needs and wishes only.
func chain(name string, needs, after []string) spec {
	return spec{Name: name, Needs: needs, After: after}
}

func specNames(specs []spec) []string {
	var list []string
	for _, s := range specs {
		list = append(list, s.Name)
	}
	return list
}

func TestOrderOfComponents(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		specs []spec
		want  []string
		bad   string
	}{
		"needs come first": {
			specs: []spec{chain("gateway", []string{"api"}, nil), chain("api", []string{"db"}, nil), chain("db", nil, nil)},
			want:  []string{"db", "api", "gateway"},
		},
		"what is free keeps its place": {
			specs: []spec{chain("b", nil, nil), chain("a", nil, nil), chain("c", nil, nil)},
			want:  []string{"b", "a", "c"},
		},
		"a wish counts where it is planned": {
			specs: []spec{chain("api", nil, []string{"loki"}), chain("loki", nil, nil)},
			want:  []string{"loki", "api"},
		},
		"a wish that is not planned is no matter": {
			specs: []spec{chain("api", nil, []string{"loki"})},
			want:  []string{"api"},
		},
		"a need that is not planned is refused": {
			specs: []spec{chain("api", []string{"db"}, nil)}, bad: "api needs db, which is not in the plan",
		},
		"a circle is refused": {
			specs: []spec{chain("db", nil, nil), chain("a", []string{"b"}, nil), chain("b", nil, []string{"a"})},
			bad:   "circle: a, b",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := order(c.specs)
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("error %v, want %q", err, c.bad)
				}
				return
			}
			if err != nil || !slices.Equal(specNames(got), c.want) {
				t.Errorf("order %v, %v; want %v", specNames(got), err, c.want)
			}
		})
	}
}

func TestPickedComponentsBringWhatTheyNeed(t *testing.T) {
	t.Parallel()
	all := []spec{
		chain("db", nil, nil), chain("loki", nil, nil), chain("migrate", []string{"db"}, nil),
		chain("api", []string{"migrate"}, []string{"loki"}), chain("gateway", []string{"api"}, nil),
	}
	cases := map[string]struct{ only, want []string }{
		"no wish keeps all":                  {nil, []string{"db", "loki", "migrate", "api", "gateway"}},
		"needs follow, wishes do not":        {[]string{"api"}, []string{"db", "migrate", "api"}},
		"the order given does not matter":    {[]string{"loki", "db"}, []string{"db", "loki"}},
		"a component without needs is alone": {[]string{"loki"}, []string{"loki"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := specNames(pick(all, c.only)); !slices.Equal(got, c.want) {
				t.Errorf("picked %v, want %v", got, c.want)
			}
		})
	}
}
