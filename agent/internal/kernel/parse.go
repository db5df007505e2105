package kernel

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// number parses a whole number that is nothing else, but for space around it.
// "max" and -1, by which the kernel means no limit, are not numbers.
func number(text string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return n, err == nil && n <= math.MaxInt64 // durations and differences of it stay numbers
}

// quota parses a quota and its period, in microseconds, as cpu.max has them,
// and returns the number of processors that is. Without a quota ("max", -1)
// there is none.
func quota(text string) (cores float64, ok bool) {
	words := strings.Fields(text)
	if len(words) != 2 {
		return 0, false
	}
	limit, ok := number(words[0])
	if !ok || limit == 0 {
		return 0, false
	}
	period, ok := number(words[1])
	if !ok || period == 0 {
		return 0, false
	}
	return float64(limit) / float64(period), true
}

// pressure parses pressure stall information and returns the time in which
// some task was waiting, since an origin of the kernel's.
func pressure(text string) (time.Duration, bool) {
	_, total, ok := strings.Cut(field(text, "some"), "total=")
	if !ok {
		return 0, false
	}
	us, ok := number(total)
	if !ok || us > math.MaxInt64/1000 {
		return 0, false
	}
	return time.Duration(us) * time.Microsecond, true
}

// kilobytes parses "1234 kB", as /proc has it, and returns bytes; 0 for
// anything else.
func kilobytes(text string) uint64 {
	value, ok := strings.CutSuffix(text, " kB")
	if !ok {
		return 0
	}
	n, ok := number(value)
	if !ok || n > math.MaxInt64/1024 {
		return 0
	}
	return n * 1024
}

// maxCores bounds a list of processors: more than any kernel is built for.
const maxCores = 1 << 16

// countList counts a list of processors such as "0-3,8"; 0 for anything else.
func countList(text string) int {
	total := 0
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, ok := number(first)
		if !ok || from >= maxCores {
			return 0
		}
		to := from
		if isRange {
			if to, ok = number(last); !ok || to < from || to >= maxCores {
				return 0
			}
		}
		total += int(to-from) + 1
	}
	return total
}

// softLimit returns the soft limit of a line of /proc/self/limits; 0 where it
// is "unlimited" or not there.
func softLimit(text, name string) uint64 {
	words := strings.Fields(field(text, name))
	if len(words) < 2 {
		return 0
	}
	n, _ := number(words[0])
	return n
}
