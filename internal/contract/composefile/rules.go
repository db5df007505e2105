package composefile

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Rule is one house rule of the lab.
type Rule struct {
	// Name is the rule as a sentence.
	Name string
	// Check returns a line for every breach, naming the service.
	Check func(*Stack) []string
}

// Rules returns every house rule.
func Rules() []Rule {
	return []Rule{
		{"published ports are on 127.0.0.1", loopbackPorts},
		{"images are pinned, by versions.env alone", pinnedImages},
		{"long-running services have a healthcheck that can fail", healthchecks},
		{"dependencies are waited for", dependencies},
		{"memory is limited", perService(memoryLimit)},
		{"root file systems are read-only", perService(readOnly)},
		{"capabilities are dropped and privileges cannot grow", perService(privileges)},
		{"users are not root", perService(nonRoot)},
		{"anonymous visitors of Grafana are viewers", anonymousViewers},
		{"passwords come from files", passwords},
		{"nothing is shared with the host but files of this repository", hostSharing},
		{"volumes have names", namedVolumes},
	}
}

// perService runs a check on each service.
func perService(check func(types.ServiceConfig) []string) func(*Stack) []string {
	return func(s *Stack) []string {
		var problems []string
		for _, name := range s.Project.ServiceNames() {
			for _, p := range check(s.Project.Services[name]) {
				problems = append(problems, name+" "+p)
			}
		}
		return problems
	}
}

func loopbackPorts(s *Stack) []string {
	published := map[string]string{}
	problems := perService(func(svc types.ServiceConfig) []string {
		var out []string
		if svc.NetworkMode != "" {
			out = append(out, "has network_mode "+svc.NetworkMode)
		}
		for _, p := range svc.Ports {
			if p.HostIP != "127.0.0.1" {
				out = append(out, fmt.Sprintf("publishes %d on %q", p.Target, p.HostIP))
			}
			if n, err := strconv.Atoi(p.Published); err != nil || n < 1 {
				out = append(out, fmt.Sprintf("publishes %d on port %q, want one number", p.Target, p.Published))
			}
			if other, taken := published[p.Published]; taken {
				out = append(out, fmt.Sprintf("publishes on port %s as %s does", p.Published, other))
			}
			published[p.Published] = svc.Name
		}
		return out
	})(s)
	return problems
}

// pinned is an image name with its tag taken from one required variable.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:\$\{([A-Z_]+):\?[^}]+\}$`)

// fullVersion wants major, minor and, except for images that have only two
// parts (PostgreSQL), the patch.
var fullVersion = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z][a-z0-9.]*)?$`)

func pinnedImages(s *Stack) []string {
	var problems []string
	used := map[string]bool{}
	for _, name := range s.Project.ServiceNames() {
		if build := s.Project.Services[name].Build; build != nil {
			for arg, value := range build.Args {
				if _, ok := s.Versions[arg]; !ok || value == nil || *value != s.Versions[arg] {
					problems = append(problems, fmt.Sprintf("%s builds with %s, which is not from versions.env", name, arg))
				}
				used[arg] = true
			}
			continue
		}
		m := pinned.FindStringSubmatch(s.Images[name])
		if m == nil {
			problems = append(problems, fmt.Sprintf("%s has the image %q, want name:${VARIABLE:?hint}", name, s.Images[name]))
			continue
		}
		used[m[1]] = true
		if _, ok := s.Versions[m[1]]; !ok {
			problems = append(problems, fmt.Sprintf("%s takes its version from %s, which versions.env does not set", name, m[1]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		if !used[name] {
			problems = append(problems, "versions.env sets "+name+", which nothing uses")
		}
		if !fullVersion.MatchString(s.Versions[name]) {
			problems = append(problems, fmt.Sprintf("versions.env sets %s to %q, want a full version", name, s.Versions[name]))
		}
	}
	return problems
}

func memoryLimit(svc types.ServiceConfig) []string {
	if svc.MemLimit <= 0 {
		return []string{"has no mem_limit"}
	}
	return nil
}

func readOnly(svc types.ServiceConfig) []string {
	if !svc.ReadOnly {
		return []string{"is not read_only"}
	}
	return nil
}

func privileges(svc types.ServiceConfig) []string {
	var out []string
	if !slices.Equal(svc.CapDrop, []string{"ALL"}) {
		out = append(out, fmt.Sprintf("drops the capabilities %q, want ALL", svc.CapDrop))
	}
	if len(svc.CapAdd) > 0 {
		out = append(out, fmt.Sprintf("adds the capabilities %q", svc.CapAdd))
	}
	if svc.Privileged {
		out = append(out, "is privileged")
	}
	if !slices.Contains(svc.SecurityOpt, "no-new-privileges:true") {
		out = append(out, "lacks security_opt no-new-privileges:true")
	}
	return out
}

func nonRoot(svc types.ServiceConfig) []string {
	uid, _, _ := strings.Cut(svc.User, ":")
	if n, err := strconv.Atoi(uid); err != nil || n < 1 {
		return []string{fmt.Sprintf("has the user %q, want a numeric one that is not 0", svc.User)}
	}
	return nil
}
