package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// project is what `docker compose config --format json` says of compose.yaml,
// with the caller's variables filled in.
type project struct {
	Name     string
	Services map[string]service
	Volumes  map[string]struct{ Name string }
}

// service is one service of a project.
type service struct {
	DependsOn map[string]json.RawMessage `json:"depends_on"`
	Ports     []struct{ Published string }
}

// project asks Compose what it would start.
func (e engine) project(ctx context.Context) (project, error) {
	var p project
	output, err := e.output(ctx, e.compose("config", "--format", "json")...)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(output, &p); err != nil {
		return p, fmt.Errorf("read the project: %w", err)
	}
	return p, nil
}

// wanted lists the services to start, with all that they depend on, in the
// order in which tables show them. No wish wants everything.
func (p project) wanted(only []string) []string {
	keep := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if keep[name] {
			return
		}
		keep[name] = true
		for dependency := range p.Services[name].DependsOn {
			add(dependency)
		}
	}
	for name := range p.Services {
		if len(only) == 0 || slices.Contains(only, name) {
			add(name)
		}
	}
	order := Components()
	place := func(name string) int {
		if at := slices.Index(order, name); at >= 0 {
			return at
		}
		return len(order)
	}
	names := make([]string, 0, len(keep))
	for name := range keep {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if place(a) != place(b) {
			return place(a) - place(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

// ports keeps the ports of the lab that the named services publish.
func (p project) ports(all []Port, services []string) []Port {
	published := map[string]bool{}
	for _, name := range services {
		for _, port := range p.Services[name].Ports {
			published[port.Published] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(port Port) bool {
		return !published[strconv.Itoa(port.Number)]
	})
}

// secrets is the folder that compose/secrets.sh fills.
func (e engine) secrets() string { return filepath.Join(e.config.Root, "compose", ".secrets") }

// preflight reports everything that stands in the way of starting the services
// that do not run yet, at once.
func (e engine) preflight(ctx context.Context, p project, status Status) error {
	var absent []string
	for _, name := range p.wanted(e.config.Only) {
		if !slices.ContainsFunc(status.Components, func(c ComponentStatus) bool { return c.Name == name && c.running }) {
			absent = append(absent, name)
		}
	}
	return errors.Join(conflicts(p.ports(e.config.Ports.List(), absent)), e.knowsPassword(ctx, p))
}

// knowsPassword refuses data whose password is lost: a fresh checkout would
// make a new one, and PostgreSQL would turn every service away.
func (e engine) knowsPassword(ctx context.Context, p project) error {
	_, err := os.Stat(filepath.Join(e.secrets(), "postgres_password"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	volume := p.Volumes["postgres"].Name
	output, err := e.output(ctx, "volume", "ls", "--quiet", "--filter", "name="+volume)
	if err != nil {
		return err
	}
	if slices.Contains(strings.Fields(string(output)), volume) {
		return fmt.Errorf("the volume %s holds a database whose password this checkout does not have: "+
			"delete the data with `make down LAB=docker PURGE=1`, or bring back %s from the checkout that made it", volume, e.secrets())
	}
	return nil
}
