// Package provision reads Grafana's provisioning files as Grafana does and
// checks the data sources, the links between them and every name in them.
//
// Nothing here starts Grafana: the expansion of variables is Grafana's rule
// ("$$" is a dollar sign, everything else goes through the environment),
// restated. The functions are pure and safe for concurrent use.
package provision

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sources is the datasources file, expanded.
type Sources struct {
	Prune       bool     `yaml:"prune"`
	Datasources []Source `yaml:"datasources"`

	// Variables are the environment variables that the file asks for, sorted.
	Variables []string `yaml:"-"`
}

// Source is one data source.
type Source struct {
	Name      string   `yaml:"name"`
	UID       string   `yaml:"uid"`
	Type      string   `yaml:"type"`
	URL       string   `yaml:"url"`
	IsDefault bool     `yaml:"isDefault"`
	Editable  bool     `yaml:"editable"`
	JSONData  JSONData `yaml:"jsonData"`
}

// JSONData holds the settings of a data source that make links.
type JSONData struct {
	ExemplarTraceIDDestinations []Link     `yaml:"exemplarTraceIdDestinations"`
	DerivedFields               []Derived  `yaml:"derivedFields"`
	TracesToLogs                *ToLogs    `yaml:"tracesToLogsV2"`
	TracesToMetrics             *ToMetrics `yaml:"tracesToMetrics"`
	TracesToProfiles            *ToProfile `yaml:"tracesToProfiles"`
}

// Link leads from a label to a data source, or to an address.
type Link struct {
	Name          string `yaml:"name"`
	DatasourceUID string `yaml:"datasourceUid"`
	URL           string `yaml:"url"`
	Label         string `yaml:"urlDisplayLabel"`
}

// Derived is a link out of a log line.
type Derived struct {
	Link         `yaml:",inline"`
	MatcherType  string `yaml:"matcherType"`
	MatcherRegex string `yaml:"matcherRegex"`
}

// Tag maps a span attribute to a label.
type Tag struct {
	Key   string `yaml:"key"`
	Value string `yaml:"value"`
}

// ToLogs leads from a span to log lines.
type ToLogs struct {
	DatasourceUID string `yaml:"datasourceUid"`
	Start         string `yaml:"spanStartTimeShift"`
	End           string `yaml:"spanEndTimeShift"`
	Tags          []Tag  `yaml:"tags"`
	CustomQuery   bool   `yaml:"customQuery"`
	Query         string `yaml:"query"`
}

// ToMetrics leads from a span to metrics.
type ToMetrics struct {
	DatasourceUID string `yaml:"datasourceUid"`
	Start         string `yaml:"spanStartTimeShift"`
	End           string `yaml:"spanEndTimeShift"`
	Tags          []Tag  `yaml:"tags"`
	Queries       []struct {
		Name  string `yaml:"name"`
		Query string `yaml:"query"`
	} `yaml:"queries"`
}

// ToProfile leads from a span to its flame graph.
type ToProfile struct {
	DatasourceUID string `yaml:"datasourceUid"`
	Tags          []Tag  `yaml:"tags"`
	ProfileTypeID string `yaml:"profileTypeId"`
	CustomQuery   bool   `yaml:"customQuery"`
}

// ParseSources parses a datasources file with the variables of env. A variable
// that env does not have expands to nothing, as in Grafana, and is listed in
// Variables all the same.
func ParseSources(text string, env map[string]string) (*Sources, error) {
	expanded, variables, err := expand(text, env)
	if err != nil {
		return nil, err
	}
	s := &Sources{Variables: variables}
	if err := expanded.Decode(s); err != nil {
		return nil, fmt.Errorf("read data sources: %w", err)
	}
	return s, nil
}

// Providers is the dashboards file, expanded.
type Providers struct {
	Providers []struct {
		Name            string `yaml:"name"`
		Type            string `yaml:"type"`
		DisableDeletion bool   `yaml:"disableDeletion"`
		AllowUIUpdates  bool   `yaml:"allowUiUpdates"`
		Options         struct {
			Path string `yaml:"path"`
		} `yaml:"options"`
	} `yaml:"providers"`

	// Variables are the environment variables that the file asks for, sorted.
	Variables []string `yaml:"-"`
}

// ParseProviders parses a dashboards file like [ParseSources].
func ParseProviders(text string, env map[string]string) (*Providers, error) {
	expanded, variables, err := expand(text, env)
	if err != nil {
		return nil, err
	}
	p := &Providers{Variables: variables}
	if err := expanded.Decode(p); err != nil {
		return nil, fmt.Errorf("read dashboard providers: %w", err)
	}
	return p, nil
}

// expand parses YAML and expands every string value in it.
func expand(text string, env map[string]string) (*yaml.Node, []string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, nil, fmt.Errorf("parse YAML: %w", err)
	}
	var variables []string
	lookup := func(name string) string {
		variables = append(variables, name)
		return env[name]
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
			parts := strings.Split(n.Value, "$$")
			for i, part := range parts {
				parts[i] = os.Expand(part, lookup)
			}
			n.Value = strings.Join(parts, "$")
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(&root)
	slices.Sort(variables)
	return &root, slices.Compact(variables), nil
}
