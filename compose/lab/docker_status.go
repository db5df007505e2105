package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// container is what `docker compose ps --format json` says of one container.
type container struct {
	Name       string
	Service    string
	State      string // running, exited, ...
	Health     string // healthy, unhealthy, starting, or nothing
	ExitCode   int
	Publishers []publisher
}

// publisher is one published port.
type publisher struct {
	URL           string
	TargetPort    int
	PublishedPort int
}

// parseContainers reads one object a line, as Compose prints today, or one
// array, as it did before 2.21.
func parseContainers(output []byte) ([]container, error) {
	output = bytes.TrimSpace(output)
	var list []container
	if bytes.HasPrefix(output, []byte("[")) {
		if err := json.Unmarshal(output, &list); err != nil {
			return nil, fmt.Errorf("read containers: %w", err)
		}
		return list, nil
	}
	for line := range bytes.Lines(output) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var one container
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("read containers: %w", err)
		}
		list = append(list, one)
	}
	return list, nil
}

// containers lists the lab's containers, ended ones too.
func (e engine) containers(ctx context.Context) ([]container, error) {
	output, err := e.output(ctx, e.compose("ps", "--all", "--format", "json")...)
	if err != nil {
		return nil, err
	}
	return parseContainers(output)
}

// What is said of a service whose container did not even come to run: another
// one, which it waits for, is the culprit.
const (
	noContainer  = "it has no container"
	neverStarted = "its container was never started"
)

// status turns the containers into a Status. A container that is gone from the
// list counts too: every service of compose.yaml is expected, or those that
// were chosen.
func (e engine) status(ctx context.Context) (Status, error) {
	status := Status{Mode: Docker, Components: []ComponentStatus{}}
	list, err := e.containers(ctx)
	if err != nil || len(list) == 0 {
		return status, err
	}
	p, err := e.project(ctx)
	if err != nil {
		return status, err
	}
	status.Running = true
	used, addresses := e.memory(ctx, list), e.addresses()
	for _, name := range p.wanted(e.config.Only) {
		at := slices.IndexFunc(list, func(c container) bool { return c.Service == name })
		c := ComponentStatus{Name: name, Condition: ConditionDown, Detail: noContainer}
		if at >= 0 {
			c = list[at].status()
			c.Address = list[at].address(addresses[name])
			c.ResidentBytes = used[list[at].Name]
		}
		status.ResidentBytes += c.ResidentBytes
		status.Components = append(status.Components, c)
	}
	return status, nil
}

// status judges one container by its healthcheck; a step that ends by itself
// has none and must have succeeded.
func (c container) status() ComponentStatus {
	s := ComponentStatus{Name: c.Service, Condition: ConditionDown, running: c.State == "running"}
	switch {
	case c.State == "exited" && c.ExitCode == 0 && c.Service == "migrate":
		s.Condition = ConditionDone
	case c.State == "created":
		s.Detail = neverStarted
	case c.State != "running":
		s.Detail = fmt.Sprintf("its container is %s, exit status %d", c.State, c.ExitCode)
	case c.Health == "starting":
		s.Condition, s.Detail = ConditionStarting, "not ready yet"
	case c.Health != "healthy" && c.Health != "":
		s.Detail = "its healthcheck says " + c.Health
	default:
		s.Condition = ConditionUp
	}
	return s
}

// addresses are those that the native lab gives, by component.
func (e engine) addresses() map[string]string {
	p := &planner{config: e.config, ports: e.config.Ports, paths: paths{e.config.Home}}
	p.config.Only, p.tools.grafana = nil, "grafana"
	specs, _ := p.specs()
	found := make(map[string]string, len(specs))
	for _, s := range specs {
		found[s.Name] = s.Address
	}
	return found
}

// address is where the component answers: the one that the native lab gives it,
// if the container publishes that port, else the first port that it publishes.
func (c container) address(known string) string {
	for _, p := range c.Publishers {
		if p.PublishedPort > 0 && strings.Contains(known+"/", fmt.Sprintf(":%d/", p.PublishedPort)) {
			return known
		}
	}
	for _, p := range c.Publishers {
		if p.PublishedPort > 0 {
			return p.URL + ":" + strconv.Itoa(p.PublishedPort)
		}
	}
	return ""
}

// memory asks how much each container uses. It is a courtesy of the table: an
// engine that does not say leaves the column empty.
func (e engine) memory(ctx context.Context, list []container) map[string]uint64 {
	args := []string{"stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}"}
	for _, c := range list {
		if c.State == "running" {
			args = append(args, c.Name)
		}
	}
	if !slices.ContainsFunc(list, func(c container) bool { return c.State == "running" }) {
		return nil // with no name, the engine would tell of every container
	}
	output, err := e.output(ctx, args...)
	if err != nil {
		return nil
	}
	return parseMemoryUsage(string(output))
}

// parseMemoryUsage reads lines like "name\t12.5MiB / 256MiB".
func parseMemoryUsage(output string) map[string]uint64 {
	used := map[string]uint64{}
	for line := range strings.Lines(output) {
		name, usage, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		amount, _, _ := strings.Cut(usage, "/")
		used[name] = parseSize(strings.TrimSpace(amount))
	}
	return used
}

// parseSize reads "12.5MiB"; what it cannot read is zero.
func parseSize(text string) uint64 {
	units := []struct {
		name  string
		bytes float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
	for _, unit := range units {
		if number, ok := strings.CutSuffix(text, unit.name); ok {
			value, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return 0
			}
			return uint64(value * unit.bytes)
		}
	}
	return 0
}
