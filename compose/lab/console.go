package lab

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// ConsoleMode says whether the lab console is part of the native lab.
type ConsoleMode string

// The modes. Auto is: where there is no Grafana and npm can build the page.
const (
	ConsoleAuto ConsoleMode = ""
	ConsoleOn   ConsoleMode = "on"
	ConsoleOff  ConsoleMode = "off"
)

// consoleMode reads the variable CONSOLE.
func consoleMode(value string) (ConsoleMode, error) {
	switch strings.ToLower(value) {
	case "":
		return ConsoleAuto, nil
	case "1", "true", "on", "yes":
		return ConsoleOn, nil
	case "0", "false", "off", "no":
		return ConsoleOff, nil
	}
	return ConsoleAuto, fmt.Errorf("CONSOLE is %q, want 1 or 0, or nothing", value)
}

// consoleAbsent is the one line about a machine that cannot build the console.
const consoleAbsent = "the console is absent: install Node.js (20.19 or later) with npm, which builds it once, " +
	"then run `make down` and `make up`; everything else works without it"

// wantsConsole decides whether the console is planned, and says why not where
// that may surprise.
func (p *planner) wantsConsole() (planned bool, note string) {
	asked := slices.Contains(p.config.Only, "console") || p.config.Console == ConsoleOn
	switch {
	case p.config.Console == ConsoleOff:
		return false, ""
	case !asked && (p.tools.grafana != "" || len(p.config.Only) > 0):
		return false, ""
	case p.consoleFailed != "":
		return false, "the console is absent: " + p.consoleFailed
	case p.tools.npm == "":
		return false, consoleAbsent
	}
	return true, ""
}

// console serves the page to browsers on this machine. It needs nothing: a
// store that is not there is an answer that it gives.
func (p *planner) console() spec {
	return spec{
		Name: "console",
		Args: []string{p.paths.console()},
		Env: p.env(
			"CONSOLE_ADDR="+local(p.ports.Console),
			"CONSOLE_PAGE="+filepath.Join(p.config.Cache, "console", "page-"+p.pageKey()),
			"CONSOLE_DASHBOARDS="+filepath.Join(p.config.Root, "dashboards", "generated"),
			"PROMETHEUS_URL="+httpURL(p.ports.Prometheus, ""), "LOKI_URL="+httpURL(p.ports.Loki, ""),
			"JAEGER_URL="+httpURL(p.ports.Jaeger, ""), "PYROSCOPE_URL="+httpURL(p.ports.Pyroscope, ""),
			"GOMEMLIMIT=64MiB",
		),
		Dir:     p.paths.data("console"),
		After:   stores(),
		Address: httpURL(p.ports.Console, ""),
		Probe:   probe{Kind: probeHTTP, Target: httpURL(p.ports.Console, "/healthz")},
	}
}

// pageKey is the key of the page's sources. Sources that cannot be read make
// the build fail, which says so.
func (p *planner) pageKey() string {
	key, err := pageKey(p.config.Root)
	if err != nil {
		return "unknown"
	}
	return key
}

// buildConsole builds the console's server and its page where the console is
// planned. A page that cannot be built, for want of the network say, leaves the
// console out of a lab that did not ask for it by name.
func (p *planner) buildConsole(ctx context.Context, specs []spec, out io.Writer) error {
	if !names(specs)["console"] {
		return nil
	}
	job := goJob{
		title: "building console", dir: p.config.Root, args: []string{"build", "-o", p.paths.console(), "./compose/cmd/console"}, nice: gapFiller,
	}
	if err := job.run(ctx, out); err != nil {
		return fmt.Errorf("build console: %w", err)
	}
	if _, err := BuildPage(ctx, p.config, out); err != nil {
		if ctx.Err() != nil || p.config.Console == ConsoleOn {
			return err
		}
		fmt.Fprintln(out, err)
		first, _, _ := strings.Cut(err.Error(), "\n")
		p.consoleFailed = first + "; everything else works without it"
	}
	return nil
}
