package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// procRoot is where the kernel shows its processes.
const procRoot = "/proc"

// identity names one process for ever: the kernel hands a pid out again, but
// not together with the same start time.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
}

// stat is what the lab reads of /proc/<pid>/stat.
type stat struct {
	parent int
	state  byte // 'Z' is dead and not yet waited for
	start  uint64
}

// parseStat reads one line of /proc/<pid>/stat. The command name, in
// parentheses, may hold spaces and parentheses of its own.
func parseStat(line []byte) (stat, error) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return stat{}, errors.New("parse stat: no command name")
	}
	fields := strings.Fields(string(line[end+1:]))
	const state, parent, start = 0, 1, 19 // fields 3, 4 and 22 of proc(5)
	if len(fields) <= start || len(fields[state]) != 1 {
		return stat{}, fmt.Errorf("parse stat: %d fields after the command name, want more than %d", len(fields), start)
	}
	ppid, err := strconv.Atoi(fields[parent])
	if err != nil {
		return stat{}, fmt.Errorf("parse stat: parent: %w", err)
	}
	ticks, err := strconv.ParseUint(fields[start], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("parse stat: start time: %w", err)
	}
	return stat{parent: ppid, state: fields[state][0], start: ticks}, nil
}

// readStat reads the stat of one process.
func readStat(pid int) (stat, error) {
	line, err := os.ReadFile(filepath.Join(procRoot, strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	return parseStat(line)
}

// identify returns the identity of a process that is there now.
func identify(pid int) (identity, error) {
	s, err := readStat(pid)
	if err != nil {
		return identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return identity{PID: pid, Start: s.start}, nil
}

// alive reports whether exactly this process still runs. A zombie does not.
func (id identity) alive() bool {
	if id.PID <= 0 {
		return false
	}
	s, err := readStat(id.PID)
	return err == nil && s.start == id.Start && s.state != 'Z' && s.state != 'X'
}

// signal sends sig to the process group that exactly this process leads, as
// every component does, and does nothing when the process is gone. The start
// time is compared right before, so that a pid in other hands is left alone.
func (id identity) signal(sig syscall.Signal) error {
	if !id.alive() {
		return nil
	}
	if err := syscall.Kill(-id.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to process %d (%s): %w", sig, id.PID, commandName(id.PID), err)
	}
	return nil
}

// processes returns the pids that /proc lists.
func processes() []int {
	entries, err := os.ReadDir(procRoot)
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childrenByParent maps each process to its children.
func childrenByParent() map[int][]int {
	children := map[int][]int{}
	for _, pid := range processes() {
		if s, err := readStat(pid); err == nil {
			children[s.parent] = append(children[s.parent], pid)
		}
	}
	return children
}
