// Package kernel reads what Linux says about the limits of this process and
// how near to them it is: control groups of version 1 and 2, pressure stall
// information, and the few lines of /proc that go with them.
//
// Nothing here fails. A file that is missing, unreadable or not what the kernel
// writes is nothing known, and what depends on it is left out of the result: a
// host has no use for the error, and no number is better than a wrong one.
//
// The functions keep no state and are safe for concurrent use. [Read] opens
// about a dozen small files, which takes some tens of microseconds.
//
// For maintainers: kernel.go says what is read, cgroup.go finds where the
// groups of the process are, parse.go holds the parsers, which are pure.
package kernel

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// State is what the kernel says at one moment.
type State struct {
	// CPU are the groups that limit the processor time of this process, its
	// own first. Empty without a quota.
	CPU []CPU
	// Memory are the groups that limit its memory, its own first.
	Memory []Memory
	// Cores is the number of processors that the process may run on, 0 where
	// that is not known.
	Cores int
	// MachineMemory and Resident are the memory of the machine and that of
	// the process, in bytes, 0 where not known.
	MachineMemory, Resident uint64
	// Files and MaxFiles are the open file descriptors and the most that the
	// process may have, 0 where not known or without a limit.
	Files, MaxFiles uint64
	// Stalled is for how long tasks have waited for each resource, from an
	// origin that stays the same.
	Stalled map[Resource]time.Duration
}

// CPU is one group with a quota.
type CPU struct {
	// Group identifies the group: the folder that describes it.
	Group string
	// Cores is the quota, in processors.
	Cores float64
	// Used is the processor time that the group has used, if HasUsed.
	Used    time.Duration
	HasUsed bool
	// Periods is how often the quota was enforced while somebody wanted to
	// run, and Throttled how often it ran out in that.
	Periods, Throttled uint64
}

// Memory is one group with a limit, in bytes.
type Memory struct {
	// Limit is the most that the group may have.
	Limit uint64
	// Used is what it has, less the file cache that the kernel would give up
	// first: that is no reason to kill anybody.
	Used uint64
}

// Resource is what tasks can wait for.
type Resource string

// The resources with pressure stall information.
const (
	StalledCPU    Resource = "cpu"
	StalledMemory Resource = "memory"
	StalledIO     Resource = "io"
)

// Read reads the state through a file system whose root is the machine's:
// os.DirFS("/").
func Read(root fs.FS) State {
	f := files{root}
	where := f.find()
	s := State{Stalled: map[Resource]time.Duration{}}
	s.CPU = append(f.cpuV2(where.unified), f.cpuV1(where.cpu, where.accounting)...)
	s.Memory = append(f.memoryV2(where.unified), f.memoryV1(where.memory)...)
	status := f.text("proc/self/status")
	s.Cores = countList(field(status, "Cpus_allowed_list:"))
	s.Resident = kilobytes(field(status, "VmRSS:"))
	s.MachineMemory = kilobytes(field(f.text("proc/meminfo"), "MemTotal:"))
	s.Files = f.openFiles()
	s.MaxFiles = softLimit(f.text("proc/self/limits"), "Max open files")
	for _, r := range []Resource{StalledCPU, StalledMemory, StalledIO} {
		if d, ok := f.stalled(where.unified, r); ok {
			s.Stalled[r] = d
		}
	}
	return s
}

// files reads whole files, and nothing where it cannot.
type files struct{ root fs.FS }

func (f files) text(name string) string {
	content, err := fs.ReadFile(f.root, strings.TrimPrefix(name, "/"))
	if err != nil {
		return ""
	}
	return string(content)
}

// cpuV2 returns the levels that have a quota, from the own group upwards.
func (f files) cpuV2(dirs []string) []CPU {
	var levels []CPU
	for _, dir := range dirs {
		cores, ok := quota(f.text(path.Join(dir, "cpu.max")))
		if !ok {
			continue
		}
		level := CPU{Group: dir, Cores: cores}
		stat := f.text(path.Join(dir, "cpu.stat"))
		var used uint64
		used, level.HasUsed = number(field(stat, "usage_usec"))
		level.Used = time.Duration(used) * time.Microsecond
		level.Periods, _ = number(field(stat, "nr_periods"))
		level.Throttled, _ = number(field(stat, "nr_throttled"))
		levels = append(levels, level)
	}
	return levels
}

// cpuV1 does so for version 1, where quota and accounting are two controllers.
// They are most often mounted together; where they are not, the accounts of a
// group count only if the process is in the same one there.
func (f files) cpuV1(dirs, accounting []string) []CPU {
	var levels []CPU
	for i, dir := range dirs {
		cores, ok := quota(f.text(path.Join(dir, "cpu.cfs_quota_us")) + " " + f.text(path.Join(dir, "cpu.cfs_period_us")))
		if !ok {
			continue
		}
		level := CPU{Group: dir, Cores: cores}
		stat := f.text(path.Join(dir, "cpu.stat"))
		level.Periods, _ = number(field(stat, "nr_periods"))
		level.Throttled, _ = number(field(stat, "nr_throttled"))
		if len(accounting) == len(dirs) && sameGroup(dirs, accounting, i) {
			var used uint64
			used, level.HasUsed = number(f.text(path.Join(accounting[i], "cpuacct.usage")))
			level.Used = time.Duration(used)
		}
		levels = append(levels, level)
	}
	return levels
}

// sameGroup reports whether the i-th folders of two hierarchies are the same
// group: the same path below their mount points, which come last.
func sameGroup(a, b []string, i int) bool {
	return strings.TrimPrefix(a[i], a[len(a)-1]) == strings.TrimPrefix(b[i], b[len(b)-1])
}

func (f files) memoryV2(dirs []string) []Memory {
	return f.memory(dirs, "memory.max", "memory.current", "inactive_file")
}

func (f files) memoryV1(dirs []string) []Memory {
	return f.memory(dirs, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
}

// noLimit is where version 1 begins to mean no limit: the largest number of
// whole pages, which depends on the size of a page.
const noLimit = 1 << 62

func (f files) memory(dirs []string, limitFile, usedFile, cache string) []Memory {
	var levels []Memory
	for _, dir := range dirs {
		limit, ok := number(f.text(path.Join(dir, limitFile)))
		if !ok || limit == 0 || limit >= noLimit {
			continue
		}
		used, ok := number(f.text(path.Join(dir, usedFile)))
		if !ok {
			continue
		}
		unused, _ := number(field(f.text(path.Join(dir, "memory.stat")), cache))
		levels = append(levels, Memory{Limit: limit, Used: used - min(used, unused)})
	}
	return levels
}

// stalled reads the pressure on the own group, else on the machine.
func (f files) stalled(dirs []string, r Resource) (time.Duration, bool) {
	if len(dirs) > 0 {
		if d, ok := pressure(f.text(path.Join(dirs[0], string(r)+".pressure"))); ok {
			return d, true
		}
	}
	return pressure(f.text("proc/pressure/" + string(r)))
}

// openFiles counts the descriptors. Since Linux 6.2 the size of the folder is
// their number; before, the entries are counted, less the one that does it.
func (f files) openFiles() uint64 {
	const dir = "proc/self/fd"
	if info, err := fs.Stat(f.root, dir); err == nil && info.Size() > 0 {
		return uint64(info.Size())
	}
	entries, err := fs.ReadDir(f.root, dir)
	if err != nil || len(entries) == 0 {
		return 0
	}
	return uint64(len(entries) - 1)
}

// field returns the rest of the line that begins with the word, without the
// space around it.
func field(text, word string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, word); ok && rest != "" && strings.ContainsRune(" \t", rune(rest[0])) {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// groups are the folders of the process's groups in each hierarchy, the own
// first and the mount point last.
type groups struct{ unified, cpu, accounting, memory []string }

func (f files) find() groups {
	own, mounts := memberships(f.text("proc/self/cgroup")), cgroupMounts(f.text("proc/self/mountinfo"))
	return groups{
		unified:    upwards(own, mounts, ""),
		cpu:        upwards(own, mounts, "cpu"),
		accounting: upwards(own, mounts, "cpuacct"),
		memory:     upwards(own, mounts, "memory"),
	}
}

// upwards returns the folders of the group of a controller of version 1, or of
// the unified hierarchy where it is empty. Without a mount that shows the
// group there are none.
func upwards(own []membership, mounts []mount, controller string) []string {
	i := slices.IndexFunc(own, func(m membership) bool { return slices.Contains(m.controllers, controller) })
	if i < 0 {
		return nil
	}
	for _, m := range mounts {
		if !slices.Contains(m.controllers, controller) {
			continue
		}
		below, ok := within(own[i].path, m.root)
		if !ok {
			continue
		}
		var dirs []string
		for ; below != "/"; below = path.Dir(below) {
			dirs = append(dirs, path.Join(m.point, below))
		}
		return append(dirs, path.Clean(m.point))
	}
	return nil
}
