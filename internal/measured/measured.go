// Package measured keeps what benchmarks have found: a file of results that
// later runs add to, and the machine that they are of. It imports the standard
// library only; commands that measure use it, and nothing that is shipped.
package measured

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Machine is where and when results were had.
type Machine struct {
	Date string `json:"date"`
	Go   string `json:"go"`
	CPU  string `json:"cpu"`
	// Cores is the number of processors that the machine has.
	Cores int `json:"cores"`
	// Memory is what it has, in bytes; 0 where that is not known.
	Memory int64 `json:"memory_bytes,omitempty"`
}

// ThisMachine describes the machine that the program runs on, today.
func ThisMachine() Machine {
	m := Machine{Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(), CPU: processor(), Cores: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.Memory = Bytes(string(text), "MemTotal")
	}
	return m
}

// processor returns the name of the processor, as Linux has it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// Bytes finds an amount of memory in the text of a file of /proc, which has it
// in KiB, and returns it in bytes; 0 where there is none of that key.
func Bytes(text, key string) int64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// Load reads earlier results from a JSON file. A file that is not there holds
// none, which is no error.
func Load[T any](file string) (T, error) {
	var results T
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return results, nil
	}
	if err != nil {
		return results, fmt.Errorf("read earlier results: %w", err)
	}
	if err := json.Unmarshal(content, &results); err != nil {
		return results, fmt.Errorf("read earlier results from %s: %w; delete the file to begin anew", file, err)
	}
	return results, nil
}

// Save writes results as JSON.
func Save[T any](file string, results T) error {
	content, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// Median returns the middle of the values; 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
