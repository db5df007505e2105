package composefile

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// oneShots returns the services that others wait for to complete: they end by
// themselves and have nothing to probe.
func oneShots(p *types.Project) map[string]bool {
	ends := map[string]bool{}
	for _, svc := range p.Services {
		for name, dep := range svc.DependsOn {
			if dep.Condition == types.ServiceConditionCompletedSuccessfully {
				ends[name] = true
			}
		}
	}
	return ends
}

// vain matches a probe that is green whatever the component does.
var vain = regexp.MustCompile(`\|\|\s*(true|:|exit 0)|;\s*(true|exit 0)|^\s*(true|exit 0|echo\b.*)\s*$`)

// probes lists, for each image, the programs that it is known to have and that
// can ask its server. Most of these images have no curl, two have no shell.
func probes() map[string][]string {
	return map[string][]string{
		"postgres":             {"pg_isready"},
		"redis":                {"redis-cli"},
		"prom/prometheus":      {"promtool"},
		"prom/alertmanager":    {"wget", "amtool"}, // busybox
		"jaegertracing/jaeger": {"wget"},           // Alpine's busybox
		"grafana/loki":         {"/usr/bin/loki"},
		"grafana/pyroscope":    {"/usr/bin/profilecli"},
		"grafana/grafana":      {"wget"}, // Alpine's busybox
		"plumbline/sampleapp":  {"/sampleapp"},
	}
}

func healthchecks(s *Stack) []string {
	ends := oneShots(s.Project)
	return perService(func(svc types.ServiceConfig) []string {
		if ends[svc.Name] {
			return nil
		}
		hc := svc.HealthCheck
		if hc == nil || hc.Disable || len(hc.Test) < 2 || hc.Test[0] == "NONE" {
			return []string{"has no healthcheck"}
		}
		var out []string
		command := strings.Join(hc.Test[1:], " ")
		if vain.MatchString(command) {
			out = append(out, fmt.Sprintf("has a healthcheck that cannot fail: %s", command))
		}
		if hc.Interval == nil || hc.Timeout == nil || hc.Retries == nil || hc.StartPeriod == nil {
			out = append(out, "leaves interval, timeout, retries or start_period of its healthcheck to the engine")
		}
		if !asksItself(svc, hc.Test) {
			out = append(out, fmt.Sprintf("probes with %q, which is not known to be in its image and to ask it", command))
		}
		return out
	})(s)
}

// asksItself reports whether a probe runs a program of the service's image and
// names an address of that very container.
func asksItself(svc types.ServiceConfig, test []string) bool {
	image, _, _ := strings.Cut(svc.Image, ":")
	command := strings.Join(test[1:], " ")
	known := slices.ContainsFunc(probes()[image], func(program string) bool {
		return test[1] == program || test[0] == "CMD-SHELL" && strings.Contains(command, program+" ")
	})
	return known && strings.Contains(command, "127.0.0.1")
}

func dependencies(s *Stack) []string {
	return perService(func(svc types.ServiceConfig) []string {
		var out []string
		for _, name := range svc.GetDependencies() {
			dep := svc.DependsOn[name]
			if dep.Condition != types.ServiceConditionHealthy && dep.Condition != types.ServiceConditionCompletedSuccessfully {
				out = append(out, fmt.Sprintf("depends on %s with the condition %q, which does not wait until it works", name, dep.Condition))
			}
		}
		return out
	})(s)
}

func anonymousViewers(s *Stack) []string {
	return perService(func(svc types.ServiceConfig) []string {
		if !strings.HasPrefix(svc.Image, "grafana/grafana:") {
			return nil
		}
		get := func(key string) string {
			if v := svc.Environment[key]; v != nil {
				return *v
			}
			return ""
		}
		var out []string
		if role := get("GF_AUTH_ANONYMOUS_ORG_ROLE"); role != "Viewer" {
			out = append(out, fmt.Sprintf("gives anonymous visitors the role %q, want Viewer", role))
		}
		if get("GF_SECURITY_ADMIN_PASSWORD__FILE") == "" {
			out = append(out, "takes no admin password from a file, so admin/admin works")
		}
		if user := get("GF_SECURITY_ADMIN_USER"); user == "" || user == "admin" {
			out = append(out, fmt.Sprintf("has the well-known admin user %q", user))
		}
		return out
	})(s)
}

// secretName matches the name of a variable that would hold a secret.
var secretName = regexp.MustCompile(`(?i)(password|passwd|secret|token|api_?key)`)

func passwords(s *Stack) []string {
	problems := perService(func(svc types.ServiceConfig) []string {
		var out []string
		for key, value := range svc.Environment {
			if value == nil || *value == "" {
				continue
			}
			if secretName.MatchString(key) && (!strings.HasSuffix(key, "_FILE") || !strings.HasPrefix(*value, "/run/secrets/")) {
				out = append(out, fmt.Sprintf("sets %s in the file, want %s_FILE with a path in /run/secrets", key, key))
			}
			if u, err := url.Parse(*value); err == nil && u.User != nil {
				if _, has := u.User.Password(); has {
					out = append(out, fmt.Sprintf("has a password in the address %s", key))
				}
			}
		}
		for _, arg := range append(slices.Clone([]string(svc.Command)), svc.Entrypoint...) {
			if strings.HasPrefix(arg, "--requirepass") || strings.HasPrefix(arg, "--masterauth") {
				out = append(out, "has a password in its command")
			}
		}
		slices.Sort(out)
		return out
	})(s)
	for name, secret := range s.Project.Secrets {
		if secret.File == "" || !strings.Contains(secret.File, "/.secrets/") {
			problems = append(problems, fmt.Sprintf("the secret %s comes from %q, want a file in .secrets", name, secret.File))
		}
	}
	return problems
}

func hostSharing(s *Stack) []string {
	return perService(func(svc types.ServiceConfig) []string {
		var out []string
		if svc.Pid != "" || svc.Ipc != "" || len(svc.Devices) > 0 {
			out = append(out, "shares a namespace or a device of the host")
		}
		for _, v := range svc.Volumes {
			if v.Type == types.VolumeTypeBind && !v.ReadOnly {
				out = append(out, fmt.Sprintf("may write to %s of the host", v.Source))
			}
			if v.Type == types.VolumeTypeBind && !strings.Contains(v.Source, "/config/") && !strings.Contains(v.Source, "/generated") {
				out = append(out, fmt.Sprintf("mounts %s, which is neither configuration nor generated", v.Source))
			}
		}
		return out
	})(s)
}
