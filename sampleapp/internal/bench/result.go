package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/stats"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

// format is the version of the result file. Files of another are refused.
const format = 1

// Result is what a run found. Times are in seconds unless a name says otherwise.
type Result struct {
	Format int    `json:"format"`
	RunID  string `json:"run_id"`
	// Scenario is the name of the scenario, empty for a target of somebody's own.
	Scenario string `json:"scenario,omitempty"`
	Title    string `json:"title"`
	// Command repeats the run.
	Command string    `json:"command"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Partial says why the run is not complete. Empty means that it is.
	Partial string  `json:"partial,omitempty"`
	Machine Machine `json:"machine"`
	Load    Load    `json:"load"`

	Variants    []Variant    `json:"variants"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
	Symptoms    []Symptom    `json:"symptoms,omitempty"`
	// Problems say why the numbers cannot be trusted.
	Problems []string `json:"problems,omitempty"`
}

// Machine is where the run took place.
type Machine struct {
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Revision string `json:"revision,omitempty"`
}

// Load is what was sent.
type Load struct {
	Route    string  `json:"route"`
	Arrivals string  `json:"arrivals"`
	Rate     float64 `json:"rate"`
	Seconds  float64 `json:"seconds_per_round"`
	Rounds   int     `json:"rounds"`
	Quick    bool    `json:"quick,omitempty"`
	// Steps are shares of Rate, one after the other. None is a steady load.
	Steps []float64 `json:"steps,omitempty"`
}

// Variant is what was measured of one variant, all rounds together.
type Variant struct {
	Name string `json:"name"`
	Does string `json:"does,omitempty"`
	// Counts are the requests by outcome.
	Counts map[loadgen.Outcome]int `json:"counts"`
	// ErrorRate is the share of requests that were not answered below 400.
	ErrorRate float64 `json:"error_rate"`
	LastError string  `json:"last_error,omitempty"`
	// Corrected and Raw are latencies of successes, Failures those of what
	// failed, from the planned time.
	Corrected stats.Summary `json:"corrected"`
	Raw       stats.Summary `json:"raw"`
	Failures  stats.Summary `json:"failures"`
	// Offered and Achieved are requests per second, SendErrorP99 is by how much
	// sends missed their planned times; the worst of all rounds.
	Offered      float64 `json:"offered"`
	Achieved     float64 `json:"achieved"`
	SendErrorP99 float64 `json:"send_error_p99"`
	// Server is what the target's own metrics say. Nil where it has none.
	Server *Server            `json:"server,omitempty"`
	Facts  map[string]float64 `json:"facts,omitempty"`
	// Steps are the same by step of the load. Nil for a steady one.
	Steps []Step `json:"steps,omitempty"`
	// Rounds hold the latencies, left out of published results.
	Rounds []Round `json:"rounds,omitempty"`
}

// Round is one stretch of measuring.
type Round struct {
	// Corrected are the latencies of successes in microseconds, in the order in
	// which they ended.
	Corrected []int64 `json:"corrected_us"`
	// P99 is that of this round.
	P99 float64 `json:"p99"`
}

// Server is what the target says about the requests of all rounds.
type Server struct {
	Requests float64 `json:"requests"`
	// Mean is the mean duration at the server.
	Mean float64 `json:"mean"`
	// QueriesPerRequest is the mean number of database queries.
	QueriesPerRequest float64 `json:"queries_per_request"`
	// Components are seconds per request by component.
	Components map[string]float64 `json:"components,omitempty"`
	// CPUPerRequest is processor time per request, Utilization the share of
	// all processors that the target used, 0 to 1.
	CPUPerRequest float64 `json:"cpu_per_request"`
	Utilization   float64 `json:"utilization"`
}

// Comparison is a variant against the first.
type Comparison struct {
	Of      string `json:"of"`
	Against string `json:"against"`
	stats.Comparison
}

// Symptom is what the scenario promised to show.
type Symptom struct {
	Means string `json:"means"`
	// Values and Bands are by variant.
	Values map[string]float64 `json:"values"`
	Bands  map[string]string  `json:"bands"`
	// Shown says that every value is in its band.
	Shown bool `json:"shown"`
}

// Variant returns the variant of a name, nil if there is none.
func (r *Result) Variant(name string) *Variant {
	for i := range r.Variants {
		if r.Variants[i].Name == name {
			return &r.Variants[i]
		}
	}
	return nil
}

// Samples returns the corrected latencies of the variant by round, in seconds.
func (v *Variant) Samples() [][]float64 {
	all := make([][]float64, len(v.Rounds))
	for i, r := range v.Rounds {
		for _, us := range r.Corrected {
			all[i] = append(all[i], float64(us)/1e6)
		}
	}
	return all
}

// Published returns the result without single latencies.
func (r Result) Published() Result {
	variants := make([]Variant, len(r.Variants))
	copy(variants, r.Variants)
	for i := range variants {
		rounds := make([]Round, len(variants[i].Rounds))
		for k, round := range variants[i].Rounds {
			rounds[k].P99 = round.P99
		}
		variants[i].Rounds = rounds
	}
	r.Variants = variants
	return r
}

// Read reads a result file.
func Read(path string) (*Result, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a result: %w", err)
	}
	var r Result
	if err := json.Unmarshal(content, &r); err != nil {
		return nil, fmt.Errorf("%s is no result of a benchmark: %w", path, err)
	}
	if r.Format != format {
		return nil, fmt.Errorf("%s has the format %d, this program reads %d", path, r.Format, format)
	}
	return &r, nil
}

// JSON returns the result as it is written.
func (r Result) JSON() ([]byte, error) {
	r.Format = format
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	return append(content, '\n'), nil
}

// writeFile writes a file as a whole or not at all: with a full disk the old
// file stays, and nothing that looks like a new one is left behind.
func writeFile(path string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
