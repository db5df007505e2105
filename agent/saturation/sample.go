package saturation

import (
	"math"
	"runtime"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/kernel"
)

// sample is everything that is read at one moment. Shares of time are
// differences of two.
type sample struct {
	at      time.Time
	kernel  kernel.State
	process time.Duration // processor time of this process; 0 where not known
	runtime runtimeSample
	usage   map[catalog.ResourceName]map[*observed]Usage
}

// reading is what is known of one resource.
type reading struct {
	utilization, saturation       float64
	hasUtilization, hasSaturation bool
}

// readings are what is known of all.
type readings map[catalog.ResourceName]reading

// utilized notes a utilization, of several the highest. What is no number is
// not known.
func (r readings) utilized(name catalog.ResourceName, ratio float64) {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return
	}
	one := r[name]
	one.utilization, one.hasUtilization = max(one.utilization, min(1, max(0, ratio))), true
	r[name] = one
}

// saturated notes a saturation, of several the highest.
func (r readings) saturated(name catalog.ResourceName, ratio float64) {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return
	}
	one := r[name]
	one.saturation, one.hasSaturation = max(one.saturation, ratio, 0), true
	r[name] = one
}

// measure takes a sample, unless there is one of just now, and compares it with
// the newest that is at least window older. Where there is none that old, the
// oldest has to do.
func (c *Collector) measure(window time.Duration) readings {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	last := &c.samples[len(c.samples)-1]
	base := &c.samples[0]
	for i := range c.samples {
		if last.at.Sub(c.samples[i].at) >= window {
			base = &c.samples[i]
		}
	}
	return compare(base, last)
}

// advance adds a sample and drops those that no window needs.
func (c *Collector) advance() {
	now := c.config.Now()
	if n := len(c.samples); n > 0 {
		since := now.Sub(c.samples[n-1].at)
		if since >= 0 && since < spacing {
			return
		}
		if since < 0 { // the clock was set back
			c.samples = c.samples[:0]
		}
	}
	c.samples = append(c.samples, c.sample(now))
	needed := max(c.config.Window, quick)
	drop := 0
	for drop+1 < len(c.samples) && now.Sub(c.samples[drop+1].at) >= needed {
		drop++
	}
	c.samples = append(c.samples[:0], c.samples[drop:]...)
}

func (c *Collector) sample(now time.Time) sample {
	s := sample{at: now, kernel: kernel.Read(c.config.Root), process: processTime(), runtime: c.runtime.read()}
	s.usage = make(map[catalog.ResourceName]map[*observed]Usage, len(c.observed))
	for name, all := range c.observed {
		s.usage[name] = make(map[*observed]Usage, len(all))
		for _, one := range all {
			if u, err := one.guarded(); err == nil {
				s.usage[name][one] = u
			}
		}
	}
	return s
}

// compare measures what happened between two samples, and what the newer says
// by itself. With the same sample twice only the latter is known.
func compare(old, last *sample) readings {
	r := readings{}
	r.memory(last)
	r.files(last)
	r.places(old, last)
	elapsed := last.at.Sub(old.at)
	r.collection(last)
	if elapsed <= 0 {
		return r
	}
	r.cpu(old, last, elapsed)
	r.pressure(old, last, elapsed)
	r.scheduling(old, last, elapsed)
	return r
}

// cpu compares the processor time of each group that has a quota with the
// quota, and that of the process with the cores it may use. The tightest of
// them is what binds: it has the highest ratio.
func (r readings) cpu(old, last *sample, elapsed time.Duration) {
	own := math.NaN()
	if last.process > 0 && last.process >= old.process {
		own = float64(last.process-old.process) / float64(elapsed)
	}
	cores := last.kernel.Cores
	if cores == 0 {
		cores = runtime.NumCPU()
	}
	r.utilized(catalog.ResourceCPU, own/float64(cores))
	before := make(map[string]kernel.CPU, len(old.kernel.CPU))
	for _, group := range old.kernel.CPU {
		before[group.Group] = group
	}
	for _, group := range last.kernel.CPU {
		was, ok := before[group.Group]
		if !ok {
			continue // it is new, or we are new in it
		}
		used := own
		if group.HasUsed && was.HasUsed && group.Used >= was.Used {
			used = float64(group.Used-was.Used) / float64(elapsed)
		}
		r.utilized(catalog.ResourceCPU, used/group.Cores)
		switch periods := float64(group.Periods) - float64(was.Periods); {
		case periods > 0:
			r.saturated(catalog.ResourceCPUQuota, (float64(group.Throttled)-float64(was.Throttled))/periods)
		case periods == 0: // nobody wanted to run
			r.saturated(catalog.ResourceCPUQuota, 0)
		}
	}
}

// pressure is the share of time in which some task waited.
func (r readings) pressure(old, last *sample, elapsed time.Duration) {
	for stalled, name := range map[kernel.Resource]catalog.ResourceName{
		kernel.StalledCPU: catalog.ResourceCPU, kernel.StalledMemory: catalog.ResourceMemory, kernel.StalledIO: catalog.ResourceIO,
	} {
		now, ok := last.kernel.Stalled[stalled]
		was, before := old.kernel.Stalled[stalled]
		if ok && before && now >= was {
			r.saturated(name, min(1, float64(now-was)/float64(elapsed)))
		}
	}
}

// memory compares with every limit that there is, and with the machine where
// there is none.
func (r readings) memory(last *sample) {
	limited := false
	for _, group := range last.kernel.Memory {
		r.utilized(catalog.ResourceMemory, float64(group.Used)/float64(group.Limit))
		limited = true
	}
	if limit := last.runtime.memoryLimit; limit > 0 {
		r.utilized(catalog.ResourceMemory, last.runtime.memory/limit)
		limited = true
	}
	if machine := last.kernel.MachineMemory; !limited && machine > 0 && last.kernel.Resident > 0 {
		r.utilized(catalog.ResourceMemory, float64(last.kernel.Resident)/float64(machine))
	}
}

func (r readings) files(last *sample) {
	if last.kernel.Files > 0 && last.kernel.MaxFiles > 0 {
		r.utilized(catalog.ResourceFiles, float64(last.kernel.Files)/float64(last.kernel.MaxFiles))
	}
}

// places are pools and workers: those in use, and those that wait for one.
func (r readings) places(old, last *sample) {
	elapsed := last.at.Sub(old.at)
	for name, all := range last.usage {
		for one, u := range all {
			if !(u.Limit > 0) {
				continue
			}
			waiting := u.Waiting
			if was, ok := old.usage[name][one]; ok && elapsed > 0 && was.Waited >= 0 && u.Waited >= was.Waited {
				waiting = max(waiting, float64(u.Waited-was.Waited)/float64(elapsed))
			}
			r.utilized(name, u.Used/u.Limit)
			if waiting >= 0 {
				r.saturated(name, waiting/u.Limit)
			}
		}
	}
}

// scheduling is the mean number of goroutines that could have run and had no
// processor, for each processor that Go uses.
func (r readings) scheduling(old, last *sample, elapsed time.Duration) {
	if last.runtime.procs > 0 && last.runtime.runnable >= old.runtime.runnable {
		r.saturated(catalog.ResourceScheduler, (last.runtime.runnable-old.runtime.runnable)/elapsed.Seconds()/last.runtime.procs)
	}
}

// collection is about garbage collection, which the runtime books when a cycle
// ends: the figures are of the time between the last two ends.
func (r readings) collection(last *sample) {
	if last.runtime.cycles {
		r.utilized(catalog.ResourceGC, last.runtime.gc)
		r.saturated(catalog.ResourceGC, last.runtime.assist)
	}
}
