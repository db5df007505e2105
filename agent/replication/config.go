package replication

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
)

// Defaults of [Config].
const (
	// DefaultInterval is how often each server is asked.
	DefaultInterval = time.Second
	// DefaultTimeout bounds the asking of one server.
	DefaultTimeout = 2 * time.Second
	// DefaultForget is how long a replica that is gone is still reported.
	DefaultForget = time.Hour
	// MaxReplicas is the most replicas that are reported.
	MaxReplicas = 100
)

// Config configures a [Collector]. Nodes is required, everything else has a
// default.
type Config struct {
	// Nodes are the servers that are asked. One is enough if it is always the
	// primary: its replicas are then known by what it says of them. With the
	// replicas as nodes, their own word counts, and after a failover the new
	// primary is found among them.
	Nodes []Node
	// Interval is the time between two questions to the same server, and the
	// bound of the error of the lag in seconds. Defaults to 1 second.
	Interval time.Duration
	// Timeout bounds one question. A server that does not answer in time is
	// not asked again before the question has ended. Defaults to 2 seconds.
	Timeout time.Duration
	// Forget is for how long a replica that is no node of its own is reported
	// as disconnected before it is forgotten. Defaults to 1 hour.
	Forget time.Duration
	// Heartbeat is the name of a table, with or without a schema, that the
	// collector makes on the primary and counts up in once per interval. Then
	// seconds of replicas that are nodes are measured by what a query sees
	// there, and not by the position in the log. The role needs the right to
	// create and update it. Empty writes nothing; that is the default.
	Heartbeat string

	// Registerer takes the metrics. Nil registers nowhere: see
	// [Collector.Collect].
	Registerer prometheus.Registerer
	// Logger takes a line when a server stops or starts to answer, and when
	// the primary changes. Nil logs nothing.
	Logger kitlog.Logger
	// Now is the clock, for tests. Nil is [time.Now].
	Now func() time.Time
}

// Node is one PostgreSQL server.
type Node struct {
	// Name is the label under which the server is reported while it is a
	// replica. It should be the application_name under which the replica
	// connects to the primary, which is its cluster_name by default; a replica
	// with a slot is recognized by that as well.
	Name string
	// DB asks the server. Its role should be a member of pg_monitor.
	DB Querier
}

// WithDefaults returns a copy with every zero field set to its default.
func (c Config) WithDefaults() Config {
	c.Interval = cmp.Or(c.Interval, DefaultInterval)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.Forget = cmp.Or(c.Forget, DefaultForget)
	if c.Logger == nil {
		c.Logger = kitlog.NewNopLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports every field that is out of bounds, one line each. It
// expects defaults to be set.
func (c Config) Validate() error {
	problems := []error{validateNodes(c.Nodes)}
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"Interval", c.Interval, 10 * time.Millisecond},
		{"Timeout", c.Timeout, 10 * time.Millisecond},
		{"Forget", c.Forget, 0},
	} {
		if d.value < d.least {
			problems = append(problems, fmt.Errorf("%s is %v: want at least %v", d.name, d.value, d.least))
		}
	}
	if c.Heartbeat != "" {
		if _, err := quoteTable(c.Heartbeat); err != nil {
			problems = append(problems, fmt.Errorf("Heartbeat: %w", err))
		}
	}
	return errors.Join(problems...)
}

func validateNodes(nodes []Node) error {
	var problems []error
	if len(nodes) == 0 {
		problems = append(problems, errors.New("Nodes is empty: want at least the primary"))
	}
	seen := map[string]bool{}
	for i, n := range nodes {
		switch {
		case n.Name == "":
			problems = append(problems, fmt.Errorf("Nodes[%d].Name is empty", i))
		case seen[n.Name]:
			problems = append(problems, fmt.Errorf("Nodes[%d].Name is %q, as another one's", i, n.Name))
		}
		seen[n.Name] = true
		if n.DB == nil {
			problems = append(problems, fmt.Errorf("Nodes[%d].DB is nil: want SQL(db) or Pgx(pool)", i))
		}
	}
	return errors.Join(problems...)
}

// quoteTable quotes a table's name, with or without a schema.
func quoteTable(name string) (string, error) {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if part == "" || len(part) > 63 || len(parts) > 2 || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("%q is no name of a table, want table or schema.table", name)
		}
		parts[i] = `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
	}
	return strings.Join(parts, "."), nil
}
