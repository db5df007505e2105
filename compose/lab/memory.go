package lab

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is the resident memory of one process in bytes, by kind.
type memory struct {
	anonymous uint64 // its own
	file      uint64 // pages of files: programs, libraries, mapped data
	shared    uint64 // shared memory
	cached    uint64 // the part of file that maps files of the lab's data
}

// resident is what the process itself takes. Pages of its own data files are
// page cache: the kernel takes them back as soon as anybody needs the memory,
// and a store that maps its files shows ever more of them until then. They are
// told apart, as `docker stats` does.
func (m memory) resident() uint64 { return m.anonymous + m.file + m.shared - min(m.cached, m.file) }

// join adds a process to those of its tree. What they map together is counted
// once, by the one that has most of it: PostgreSQL's processes all show the
// same program and the same buffers.
func (m memory) join(other memory) memory {
	return memory{
		anonymous: m.anonymous + other.anonymous,
		file:      max(m.file, other.file),
		shared:    max(m.shared, other.shared),
		cached:    max(m.cached, other.cached),
	}
}

// parseMemory reads /proc/<pid>/status, where the three kinds add up to VmRSS.
func parseMemory(status []byte) memory {
	var m memory
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "RssAnon":
			m.anonymous = kibibytes(value)
		case "RssFile":
			m.file = kibibytes(value)
		case "RssShmem":
			m.shared = kibibytes(value)
		}
	}
	return m
}

// parseMapped sums the resident pages of the files below dir that
// /proc/<pid>/smaps lists: a line for each mapping that ends in its path, and
// lines of its figures.
func parseMapped(smaps []byte, dir string) uint64 {
	var sum uint64
	below := false
	for line := range strings.Lines(string(smaps)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if !strings.HasSuffix(fields[0], ":") { // a range of addresses
			below = len(fields) > 5 && strings.HasPrefix(fields[5], dir+string(filepath.Separator))
			continue
		}
		if below && fields[0] == "Rss:" {
			sum += kibibytes(strings.Join(fields[1:], " "))
		}
	}
	return sum
}

// kibibytes reads "  123 kB" as bytes; what cannot be read is zero.
func kibibytes(value string) uint64 {
	number, _, _ := strings.Cut(strings.TrimSpace(value), " ")
	kb, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// worthMapping is how much of files a process must show before its mappings are
// read one by one, which costs the kernel some milliseconds.
const worthMapping = 16 << 20

// readMemory reads the memory of one process; zero where it has ended.
func readMemory(pid int, data string) memory {
	dir := filepath.Join(procRoot, strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return memory{}
	}
	m := parseMemory(status)
	if m.file < worthMapping {
		return m
	}
	if smaps, err := os.ReadFile(filepath.Join(dir, "smaps")); err == nil {
		m.cached = parseMapped(smaps, data)
	}
	return m
}

// treeMemory is the memory of a process and its descendants, where data is the
// directory of the lab's data.
func treeMemory(pid int, children map[int][]int, data string) memory {
	var sum memory
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		queue = append(queue, children[queue[0]]...)
		sum = sum.join(readMemory(queue[0], data))
	}
	return sum
}
