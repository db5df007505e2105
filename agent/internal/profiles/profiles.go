// Package profiles is the agent's continuous profiler: pyroscope-go, with its
// account kept and its sharp edges covered.
//
// A process has one CPU profiler, so it has one session of this package at a
// time; [Start] refuses a second. A profile fetched by hand from the agent's
// admin listener shares the running session and does not disturb it.
package profiles

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/pyroscope-go"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
)

// Config says where profiles go.
type Config struct {
	Service string
	// Tags are static labels of every profile; at most 30 by Pyroscope's rule.
	Tags map[string]string
	// Address is the base URL of Pyroscope.
	Address string
	// User and Password are for basic authentication, Tenant for the
	// X-Scope-OrgID header, Headers for anything else. None is ever logged.
	User, Password, Tenant string
	Headers                map[string]string
	// Interval is the length of one profile.
	Interval time.Duration
	// MutexFraction and BlockRate set the runtime's sampling of contention;
	// see runtime.SetMutexProfileFraction and runtime.SetBlockProfileRate.
	// Negative leaves the runtime's setting alone.
	MutexFraction, BlockRate int
	// OnState is told when uploads begin to fail and when they succeed again.
	OnState func(error)
}

// running guards the one CPU profiler of the process. It is process state by
// its nature, not configuration.
var running atomic.Bool

// ErrRunning is returned by [Start] while another session runs.
var ErrRunning = errors.New("another agent of this process profiles already; disable profiles on one of them")

// Session is a running profiler.
type Session struct {
	config   Config
	profiler *pyroscope.Profiler
	client   *http.Client
	base     context.Context // the parent of every upload
	cancel   context.CancelFunc
	bytes    atomic.Uint64
	stopped  sync.Once

	mu    sync.Mutex
	stats batch.Stats
}

// Start begins to profile. It does not connect.
func Start(c Config) (*Session, error) {
	if !running.CompareAndSwap(false, true) {
		return nil, ErrRunning
	}
	s := &Session{
		config: c,
		client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: 30 * time.Second},
		stats:  batch.Stats{Up: true, Dropped: make(map[string]uint64)},
	}
	s.base, s.cancel = context.WithCancel(context.Background())
	if c.MutexFraction >= 0 {
		runtime.SetMutexProfileFraction(c.MutexFraction)
	}
	if c.BlockRate >= 0 {
		runtime.SetBlockProfileRate(c.BlockRate)
	}
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName:   c.Service,
		Tags:              c.Tags,
		ServerAddress:     c.Address,
		BasicAuthUser:     c.User,
		BasicAuthPassword: c.Password,
		TenantID:          c.Tenant,
		HTTPHeaders:       c.Headers,
		UploadRate:        c.Interval,
		ProfileTypes:      types(),
		DisableGCRuns:     true, // a forced collection every interval would be ours to answer for
		Logger:            sessionLog{s},
		HTTPClient:        s,
	})
	if err != nil {
		running.Store(false)
		return nil, fmt.Errorf("start profiler: %w", err)
	}
	s.profiler = profiler
	return s, nil
}

func types() []pyroscope.ProfileType {
	return []pyroscope.ProfileType{
		pyroscope.ProfileCPU,
		pyroscope.ProfileAllocObjects, pyroscope.ProfileAllocSpace,
		pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace,
		pyroscope.ProfileGoroutines,
		pyroscope.ProfileMutexCount, pyroscope.ProfileMutexDuration,
		pyroscope.ProfileBlockCount, pyroscope.ProfileBlockDuration,
	}
}

// Do uploads one profile and books it. It is pyroscope-go's HTTP client.
func (s *Session) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.stats.Produced++
	s.stats.Queued++
	s.mu.Unlock()
	if r.ContentLength > 0 {
		s.bytes.Add(uint64(r.ContentLength))
	}
	response, err := s.client.Do(r.WithContext(s.base))
	problem := err
	if err == nil && response.StatusCode != http.StatusOK {
		problem = fmt.Errorf("profile upload: %s", response.Status)
	}
	s.settle(problem)
	return response, err
}

func (s *Session) settle(err error) {
	s.mu.Lock()
	s.stats.Queued--
	changed := s.stats.Up != (err == nil)
	s.stats.Up = err == nil
	if err == nil {
		s.stats.Sent++
	} else {
		s.stats.Dropped[catalog.ReasonExport]++
	}
	s.mu.Unlock()
	if changed && s.config.OnState != nil {
		s.config.OnState(err)
	}
}

// Stats returns the account: one item is one uploaded profile.
func (s *Session) Stats() batch.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Dropped = maps.Clone(stats.Dropped)
	return stats
}

// BytesSent returns the bytes of profiles sent so far.
func (s *Session) BytesSent() uint64 { return s.bytes.Load() }

// Stop uploads the last profiles and ends the session. When ctx ends first,
// uploads in flight are cancelled and booked as dropped. Further calls do
// nothing, because a second stop of the underlying profiler would panic.
func (s *Session) Stop(ctx context.Context) error {
	var err error
	s.stopped.Do(func() {
		release := context.AfterFunc(ctx, s.cancel)
		defer release()
		err = within(ctx, func() {
			s.profiler.Flush(true)
			_ = s.profiler.Stop() // always nil; failed uploads are in the account
			if s.config.MutexFraction > 0 {
				runtime.SetMutexProfileFraction(0)
			}
			if s.config.BlockRate > 0 {
				runtime.SetBlockProfileRate(0)
			}
			s.cancel()
			s.client.CloseIdleConnections()
			running.Store(false)
		})
	})
	return err
}

// within runs f and returns when it is done or ctx ends, whichever is first.
func within(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sessionLog hears what pyroscope-go tells only its logger: that its own queue
// was full and a profile was lost before any request was made.
type sessionLog struct{ s *Session }

func (sessionLog) Infof(string, ...any)  {}
func (sessionLog) Debugf(string, ...any) {}

// Errorf books profiles that were dropped before they were sent.
func (l sessionLog) Errorf(format string, _ ...any) {
	if !strings.Contains(format, "queue is full") {
		return // failed uploads are booked by Do
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.stats.Produced++
	l.s.stats.Dropped[catalog.ReasonQueueFull]++
}
