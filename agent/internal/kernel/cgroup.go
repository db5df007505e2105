package kernel

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// membership is one line of /proc/self/cgroup. The unified hierarchy has the
// empty controller.
type membership struct {
	controllers []string
	path        string
}

// memberships parses /proc/self/cgroup: a number, controllers and a path,
// separated by colons. Lines that are not so are left out.
func memberships(text string) []membership {
	var all []membership
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		if _, err := strconv.Atoi(parts[0]); err != nil {
			continue
		}
		all = append(all, membership{strings.Split(parts[1], ","), parts[2]})
	}
	return all
}

// mount is one mount of a hierarchy of control groups.
type mount struct {
	controllers []string // of version 1; the empty one for version 2
	root        string   // the group that is the mount's top
	point       string
}

// cgroupMounts parses /proc/self/mountinfo. The optional fields end with a
// lonely dash, after which come the type, the source and the options of the
// file system, among which version 1 names the controllers.
func cgroupMounts(text string) []mount {
	var all []mount
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		dash := slices.Index(words, "-")
		if dash < 6 || len(words) < dash+4 {
			continue
		}
		m := mount{root: unescape(words[3]), point: unescape(words[4])}
		switch words[dash+1] {
		case "cgroup2":
			m.controllers = []string{""}
		case "cgroup":
			m.controllers = strings.Split(words[dash+3], ",")
		default:
			continue
		}
		if strings.HasPrefix(m.root, "/") && strings.HasPrefix(m.point, "/") {
			all = append(all, m)
		}
	}
	return all
}

// unescape replaces what mountinfo writes as \040: spaces, tabs, line feeds
// and backslashes, as three octal digits each.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// within returns the part of a group's path below the root of a mount. A group
// that the mount does not show, because it lies beside the root or above it,
// has none.
func within(group, root string) (string, bool) {
	if strings.Contains(group+"/", "/../") {
		return "", false // outside of the process's own namespace
	}
	group, root = path.Clean(group), path.Clean(root)
	if root == "/" || group == root {
		return path.Clean("/" + strings.TrimPrefix(group, root)), true
	}
	if below, ok := strings.CutPrefix(group, root+"/"); ok {
		return "/" + below, true
	}
	return "", false
}
