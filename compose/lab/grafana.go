package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// grafanaAbsent is the one line about a machine without Grafana.
const grafanaAbsent = "grafana is absent: install it (https://grafana.com/grafana/download) so that `grafana` is on PATH, " +
	"or set GRAFANA_HOME to an unpacked one, or use LAB=docker; everything else works without it"

func (p *planner) grafana() spec {
	dashboards := filepath.Join(p.config.Root, "dashboards", "generated")
	env := []string{
		"GF_SERVER_HTTP_ADDR=" + loopback,
		variable("GF_SERVER_HTTP_PORT", p.ports.Grafana),
		"GF_PATHS_DATA=" + p.paths.data("grafana"),
		"GF_PATHS_LOGS=" + p.paths.tmp(),
		"GF_PATHS_PLUGINS=" + filepath.Join(p.paths.data("grafana"), "plugins"),
		"GF_PATHS_PROVISIONING=" + p.configFile("grafana", "provisioning"),
		"GF_LOG_MODE=console", "GF_LOG_LEVEL=warn",
		fmt.Sprintf("GF_SERVER_ROOT_URL=http://localhost:%d/", p.ports.Grafana),
		"GF_SECURITY_ADMIN_USER=plumbline", "GF_SECURITY_ADMIN_PASSWORD=" + p.secrets.Grafana,
		// As in compose.yaml: anonymous users look at everything, Explore
		// included, and change nothing.
		"GF_AUTH_ANONYMOUS_ENABLED=true", "GF_AUTH_ANONYMOUS_ORG_ROLE=Viewer",
		"GF_USERS_VIEWERS_CAN_EDIT=true", "GF_USERS_ALLOW_SIGN_UP=false",
		"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH=" + filepath.Join(dashboards, "plumbline-service-overview.json"),
		"GF_ANALYTICS_REPORTING_ENABLED=false", "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
		"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false", "GF_NEWS_NEWS_FEED_ENABLED=false",
		"GF_PLUGINS_PREINSTALL_DISABLED=true",
		// What compose/config/grafana/provisioning expands.
		"PLUMBLINE_DASHBOARDS_DIR=" + dashboards,
		"PLUMBLINE_PROMETHEUS_URL=" + httpURL(p.ports.Prometheus, ""),
		"PLUMBLINE_LOKI_URL=" + httpURL(p.ports.Loki, ""),
		"PLUMBLINE_JAEGER_URL=" + httpURL(p.ports.Jaeger, ""),
		"PLUMBLINE_PYROSCOPE_URL=" + httpURL(p.ports.Pyroscope, ""),
		fmt.Sprintf("PLUMBLINE_JAEGER_UI_URL=http://localhost:%d", p.ports.Jaeger),
	}
	args := []string{p.tools.grafana, "server"}
	if p.tools.grafanaHome != "" {
		args = append(args, "--homepath="+p.tools.grafanaHome)
	}
	return spec{
		Name: "grafana", Args: args, Env: p.env(env...), Dir: p.paths.data("grafana"),
		Address: httpURL(p.ports.Grafana, ""),
		Probe:   probe{Kind: probeHTTP, Target: httpURL(p.ports.Grafana, "/api/health")},
	}
}

// findGrafana looks for Grafana's program and for the directory that holds its
// web pages. home, where given, is that directory; else it is the one that the
// program lies in, or the place that distributions' packages use.
func findGrafana(home string) (program, homepath string) {
	if home != "" {
		program = filepath.Join(home, "bin", "grafana")
		if isFile(program) {
			return program, home
		}
		return "", ""
	}
	program, err := exec.LookPath("grafana")
	if err != nil {
		return "", ""
	}
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return "", ""
	}
	for _, candidate := range []string{filepath.Dir(filepath.Dir(real)), "/usr/share/grafana"} {
		if isFile(filepath.Join(candidate, "conf", "defaults.ini")) {
			return real, candidate
		}
	}
	return real, ""
}

// isFile reports whether path is an ordinary file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
