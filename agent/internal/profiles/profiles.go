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
	"net/url"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/pyroscope-go"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/otlp"
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
	// CAFile, CertFile and KeyFile are as in [otlp.Endpoint].
	CAFile, CertFile, KeyFile string
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
	ingest   *url.URL
	profiler *pyroscope.Profiler
	client   *otlp.Client
	base     context.Context // the parent of every upload
	cancel   context.CancelFunc
	fraction int // the mutex fraction before the start
	stopping atomic.Bool
	done     chan struct{} // closed when the session has ended

	mu    sync.Mutex
	stats batch.Stats
}

// Start begins to profile. It does not connect.
func Start(c Config) (*Session, error) {
	address, err := url.Parse(c.Address)
	if err != nil {
		return nil, fmt.Errorf("start profiler: the address is not a URL: %s", otlp.Redact(c.Address))
	}
	address.Path, address.RawPath = path.Join("/", address.Path, "ingest"), ""
	// A client of its own, which follows no redirect with the credentials.
	client, err := otlp.NewClient(otlp.Endpoint{
		CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, Timeout: 30 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	if !running.CompareAndSwap(false, true) {
		return nil, ErrRunning
	}
	s := &Session{
		config: c, ingest: address, client: client, done: make(chan struct{}),
		stats: batch.Stats{Up: true, Dropped: make(map[string]uint64)},
	}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.fraction = runtime.SetMutexProfileFraction(c.MutexFraction) // negative only reads
	if c.BlockRate >= 0 {
		runtime.SetBlockProfileRate(c.BlockRate)
	}
	s.profiler, err = pyroscope.Start(pyroscope.Config{
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
		s.release()
		return nil, fmt.Errorf("start profiler: %w", err)
	}
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
	r = r.WithContext(s.base)
	// pyroscope-go lets an environment variable change the address.
	query := r.URL.RawQuery
	u := *s.ingest
	r.URL, r.Host = &u, u.Host
	r.URL.RawQuery = query
	response, err := s.client.Do(r)
	problem := err
	var urlErr *url.Error
	switch {
	case errors.As(err, &urlErr):
		problem = urlErr.Err // without the address, which is long and may hold a secret
	case err == nil && response.StatusCode != http.StatusOK:
		problem = fmt.Errorf("profile upload: %s", response.Status)
	}
	s.settle(problem)
	return response, err
}

// settle books an upload. That it was cut short by the end of the session is
// no state of the backend.
func (s *Session) settle(err error) {
	ended := err != nil && s.base.Err() != nil
	s.mu.Lock()
	s.stats.Queued--
	changed := !ended && s.stats.Up != (err == nil)
	switch {
	case err == nil:
		s.stats.Sent++
		s.stats.Up = true
	case ended:
		s.stats.Dropped[catalog.ReasonShutdown]++
	default:
		s.stats.Dropped[catalog.ReasonExport]++
		s.stats.Up = false
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
func (s *Session) BytesSent() uint64 { return s.client.BytesSent() }

// stopGrace is how long Stop waits, past the end of its context, for uploads
// that were cancelled to come back.
const stopGrace = 100 * time.Millisecond

// Stop uploads the last profiles and ends the session. When ctx ends first,
// uploads in flight are cancelled and booked as dropped, and Stop returns the
// context's error. A profile that is being fetched by hand is waited for, by the
// rules of pyroscope-go; where ctx ends first, the session ends with it. Further
// calls wait for the end as well.
func (s *Session) Stop(ctx context.Context) error {
	first := s.stopping.CompareAndSwap(false, true)
	if first {
		go s.end()
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-s.done: // was done before, or at the same time
		return nil
	default:
	}
	if first {
		s.cancel()
	}
	select {
	case <-s.done:
	case <-time.After(stopGrace):
	}
	return fmt.Errorf("upload the last profiles: %w", ctx.Err())
}

// end runs once: a second stop of the underlying profiler would panic.
func (s *Session) end() {
	s.profiler.Flush(true)
	_ = s.profiler.Stop() // always nil; failed uploads are in the account
	s.release()
	close(s.done)
}

// release gives back what belongs to the process.
func (s *Session) release() {
	if s.config.MutexFraction >= 0 {
		runtime.SetMutexProfileFraction(s.fraction)
	}
	if s.config.BlockRate >= 0 {
		runtime.SetBlockProfileRate(0) // the rate before cannot be read
	}
	s.cancel()
	s.client.Close()
	running.Store(false)
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
