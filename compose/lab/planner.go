package lab

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
)

// planner turns a configuration into the specs of all components.
type planner struct {
	config  Config
	ports   Ports
	paths   paths
	secrets secrets
	account *account // for PostgreSQL; nil is the lab's own user
	tools   tools

	// consoleFailed is why the page of the console could not be built; empty
	// while it could.
	consoleFailed string
}

// tools are the programs that the lab uses but does not build. Empty means
// that the machine has none.
type tools struct {
	redis       string // redis-server
	grafana     string // grafana
	grafanaHome string // the directory with Grafana's web pages, where known
	npm         string // npm, which builds the console's page
}

// findTools looks for optional programs.
func findTools(c Config) tools {
	var t tools
	if path, err := exec.LookPath("redis-server"); err == nil {
		t.redis = path
	}
	if path, err := exec.LookPath("npm"); err == nil {
		t.npm = path
	}
	t.grafana, t.grafanaHome = findGrafana(c.GrafanaHome)
	return t
}

// Components lists the name of every component of the native lab, in the order
// in which tables show them.
func Components() []string {
	return []string{
		"postgres", "replica1", "replica2", "redis",
		"prometheus", "alertmanager", "jaeger", "loki", "pyroscope", "grafana", "console",
		"migrate", "api", "email", "worker", "gateway", "load", "links",
	}
}

// stores are the components that telemetry goes to. The services start after
// them and stop before them, so that nothing they say is lost.
func stores() []string {
	return []string{"prometheus", "alertmanager", "jaeger", "loki", "pyroscope", "grafana"}
}

// Servers lists the servers that the native lab builds by itself.
func Servers() []string {
	return []string{"prometheus", "alertmanager", "jaeger", "loki", "pyroscope"}
}

// specs returns the wanted components, and a note for each that this machine
// cannot run and that the lab can do without.
func (p *planner) specs() (wanted []spec, notes []string) {
	all := []spec{
		p.postgres(), p.replica("replica1", p.ports.Replica1), p.replica("replica2", p.ports.Replica2), p.redis(),
		p.prometheus(), p.alertmanager(), p.jaeger(), p.loki(), p.pyroscope(),
	}
	if p.tools.grafana != "" {
		all = append(all, p.grafana())
	} else if len(p.config.Only) == 0 || slices.Contains(p.config.Only, "grafana") {
		notes = append(notes, grafanaAbsent)
	}
	if planned, note := p.wantsConsole(); planned {
		all = append(all, p.console())
	} else if note != "" {
		notes = append(notes, note)
	}
	all = append(all, p.migrate(), p.api(), p.email(), p.worker(), p.gateway(), p.load(), p.links())
	wanted = pick(all, p.config.Only)
	return wanted, notes
}

// portsOf keeps the ports of planned components.
func portsOf(all []Port, specs []spec) []Port {
	planned := names(specs)
	return slices.DeleteFunc(slices.Clone(all), func(p Port) bool { return !planned[p.Component] })
}

// env is the whole environment of a component: what every program needs, and
// extra. The caller's own environment (an OTEL_* of the developer's) stays out.
func (p *planner) env(extra ...string) []string {
	base := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + p.paths.tmp(), "TMPDIR=" + p.paths.tmp(), "LANG=C.UTF-8",
	}
	return append(base, extra...)
}

// server is what the natively built servers have in common.
func (p *planner) server(name string, args, env []string) spec {
	return spec{
		Name: name,
		Args: append([]string{serverBinary(p.config.Cache, name)}, args...),
		Env: p.env(append([]string{
			"LISTEN_HOST=" + loopback,
			"DATA_DIR=" + p.paths.data(name),
		}, env...)...),
		Dir: p.paths.data(name),
	}
}

// configFile is a file below compose/config.
func (p *planner) configFile(elements ...string) string {
	return filepath.Join(append([]string{p.config.Root, "compose", "config"}, elements...)...)
}

// databaseURL is how services reach a PostgreSQL server at a port.
func (p *planner) databaseURL(port int) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(databaseRole, p.secrets.Postgres),
		Host:     local(port),
		Path:     "/" + databaseName,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// httpURL is the address of an HTTP server of the lab.
func httpURL(port int, path string) string {
	return "http://" + local(port) + path
}

// variable renders one port for an environment.
func variable(name string, port int) string {
	return fmt.Sprintf("%s=%d", name, port)
}
