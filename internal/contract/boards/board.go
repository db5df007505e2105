package boards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cacheu/plumbline/internal/contract/repo"
)

// Types of data sources.
const (
	Prometheus = "prometheus"
	Loki       = "loki"
	Jaeger     = "jaeger"
	Pyroscope  = "grafana-pyroscope-datasource"
)

// Board is a dashboard as Grafana reads it: what the checks look at.
type Board struct {
	UID, Title string
	Editable   bool
	Panels     []Panel
	Templating struct{ List []Variable }
}

// Variable is a choice at the top of a dashboard.
type Variable struct {
	Name, Type, Label, Query string
	AllValue                 string
	IncludeAll, Multi        bool
	Refresh                  int
	Datasource               Source
	// Current is what is chosen when the dashboard is opened.
	Current struct{ Value any }
}

// Source refers to a data source.
type Source struct{ Type, UID string }

// Panel is a panel, or a row of which the check has nothing to say.
type Panel struct {
	Type, Title, Description string
	TimeShift                string
	Datasource               Source
	Targets                  []Target
	FieldConfig              struct {
		Defaults struct {
			Unit     string
			NoValue  string
			Mappings []any
		}
	}
}

// Target is one query of a panel, of any data source.
type Target struct {
	RefID, Expr                  string
	Instant, Exemplar            bool
	Datasource                   Source
	QueryType                    string
	Service, Tags, MinDuration   string
	ProfileTypeID, LabelSelector string
}

// Parse reads a dashboard.
func Parse(content []byte) (Board, error) {
	var b Board
	if err := json.Unmarshal(content, &b); err != nil {
		return b, fmt.Errorf("read dashboard: %w", err)
	}
	b.Panels = slices.DeleteFunc(b.Panels, func(p Panel) bool { return p.Type == "row" })
	return b, nil
}

// Generated reads every committed dashboard, by file name.
func Generated() ([]Board, error) {
	root, err := repo.Root()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "dashboards", "generated", "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no dashboard is generated: %w", err)
	}
	var all []Board
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		b, err := Parse(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(f), err)
		}
		all = append(all, b)
	}
	return all, nil
}
