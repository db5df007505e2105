// Package faults makes a service misbehave on purpose, for drills: it is slow,
// fails, repeats queries, holds what others need, or uses up memory.
//
// What is on is in a file that the lab writes ([File]) and that the service
// looks at a few times a second. Without a file, which is how services run
// outside of the lab, nothing here does anything and costs a comparison with
// nil. What a file says and this package does not know is left alone: other
// parts of the lab bring that about.
//
// Everything is safe for concurrent use. [Source.Hold] and [Source.Burden] start
// no goroutine of their own but run until their context ends; they give back
// whatever they took.
//
// For maintainers:
//
//	faults.go   what is on, and the file
//	web.go      requests that are slow or fail
//	hold.go     connections of a pool that are held, jobs that take long
//	burden.go   memory and garbage
package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Names of the faults, as they stand in the file: name, or name=value.
const (
	Latency  = "latency"    // requests take so long more: latency=1.5s, latency=1.5s@2%
	Errors   = "errors"     // that share of requests fails: errors=10%
	Route    = "slow-route" // requests to one route take so long more: slow-route=1.5s@/api/invites
	NPlusOne = "n-plus-one" // posts are listed with a query for each author
	Pool     = "pool"       // that many connections are held, in turns: pool=100%
	Jobs     = "slow-jobs"  // each job takes so long more: slow-jobs=8s
	Memory   = "memory"     // that share of the memory limit is in use: memory=95%
	Leak     = "leak"       // memory grows to that share of the limit: leak=85%
	Garbage  = "garbage"    // garbage is made as fast as two processors can
)

// Active is what is on. The zero value is nothing.
type Active struct {
	// Delay is what requests take longer, DelayShare which share of them, 0 to
	// 1, and DelayRoute which route only; empty is every route.
	Delay      time.Duration
	DelayShare float64
	DelayRoute string
	// ErrorShare is the share of requests that fail, 0 to 1.
	ErrorShare float64
	// NPlusOne repeats a query for each row.
	NPlusOne bool
	// PoolShare is the share of the pool's connections that are held, 0 to 1.
	PoolShare float64
	// JobDelay is what jobs take longer.
	JobDelay time.Duration
	// MemoryShare and LeakShare are of the memory limit, 0 to 1.
	MemoryShare, LeakShare float64
	// Garbage makes garbage.
	Garbage bool
}

// Parse reads faults as they stand in the file. Names that it does not know are
// left alone; values that make no sense are an error.
func Parse(list []string) (Active, error) {
	var a Active
	var errs []error
	for _, one := range list {
		name, value, _ := strings.Cut(one, "=")
		var err error
		switch name {
		case Latency:
			a.Delay, a.DelayShare, err = delay(value)
		case Route:
			var text string
			text, a.DelayRoute, _ = strings.Cut(value, "@")
			a.Delay, a.DelayShare, err = delay(text)
			if a.DelayRoute == "" {
				err = errors.Join(err, errors.New("there is no route after @"))
			}
		case Errors:
			a.ErrorShare, err = share(value)
		case NPlusOne:
			a.NPlusOne = true
		case Pool:
			a.PoolShare, err = share(value)
		case Jobs:
			a.JobDelay, err = time.ParseDuration(value)
		case Memory:
			a.MemoryShare, err = share(value)
		case Leak:
			a.LeakShare, err = share(value)
		case Garbage:
			a.Garbage = true
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("fault %q: %w", one, err))
		}
	}
	return a, errors.Join(errs...)
}

// delay reads a duration, and the share of requests after @; all by default.
func delay(text string) (d time.Duration, of float64, err error) {
	length, part, found := strings.Cut(text, "@")
	of = 1
	if found {
		if of, err = share(part); err != nil {
			return 0, 0, err
		}
	}
	d, err = time.ParseDuration(length)
	return d, of, err
}

// share reads a percentage as a ratio.
func share(text string) (float64, error) {
	number, found := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(f > 0 && f <= 100) {
		return 0, fmt.Errorf("%q is no share: want more than 0%% and at most 100%%", text)
	}
	return f / 100, nil
}

// checkEvery is how long a file is not looked at again.
const checkEvery = 200 * time.Millisecond

// Source knows what is on. Nil knows nothing.
type Source struct {
	path string
	log  func(error)

	mu      sync.Mutex
	checked time.Time
	changed time.Time // of the file that was read last
	active  Active
	counts  map[string]uint64 // events by what they were counted for
}

// Open returns a source that looks at a file, which need not exist. An empty
// path gives nil. A file that cannot be read or understood switches everything
// off; log is told why, each time that the file changes.
func Open(path string, log func(error)) *Source {
	if path == "" {
		return nil
	}
	return &Source{path: path, log: log, counts: map[string]uint64{}}
}

// Active returns what is on. It looks at the file five times a second at most.
func (s *Source) Active() Active {
	if s == nil {
		return Active{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.checked) >= checkEvery {
		s.checked = now
		s.read()
	}
	return s.active
}

// read reads the file again if it has changed.
func (s *Source) read() {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		s.active, s.changed = Active{}, time.Time{}
		return
	}
	if err == nil && info.ModTime().Equal(s.changed) {
		return
	}
	var file struct {
		Active []string `json:"active"`
	}
	var content []byte
	if err == nil {
		s.changed = info.ModTime()
		content, err = os.ReadFile(s.path)
	}
	if err == nil {
		err = json.Unmarshal(content, &file)
	}
	var a Active
	if err == nil {
		a, err = Parse(file.Active)
	}
	if err != nil {
		a = Active{}
		s.log(fmt.Errorf("read the faults: %w", err))
	}
	s.active = a
}

// hits reports whether this event is one of the share, evenly spread: of every
// hundred, a share of 2 % hits exactly two.
func (s *Source) hits(what string, share float64) bool {
	if share <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.counts[what]
	s.counts[what] = n + 1
	return uint64(float64(n+1)*share) > uint64(float64(n)*share)
}
