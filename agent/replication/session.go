package replication

import (
	"context"
	"sync/atomic"
	"time"
)

// unknownPosition is the position of a session that wrote and could not learn
// where: no replica ever comes so far, so it reads from the primary.
const unknownPosition = LSN(1<<64 - 1)

// Session is what must be known of one user to show them what they wrote. The
// zero value is a session without writes. It is safe for concurrent use, and
// its methods work on nil, which is a session that remembers nothing.
type Session struct {
	position atomic.Uint64 // LSN up to which it wrote
	wrote    atomic.Int64  // when, in nanoseconds since 1970; 0 never
	distrust atomic.Int32  // a tokenFault, of the token that it came with
}

// sessionKey is the context's key for the session.
type sessionKey struct{}

// WithSession returns a context whose reads and writes through a [Router] belong
// to the session.
func WithSession(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// SessionFrom returns the session of a context, or nil.
func SessionFrom(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// Position returns up to where the session has written; 0 if nowhere.
func (s *Session) Position() LSN {
	if s == nil {
		return 0
	}
	return LSN(s.position.Load())
}

// Note remembers that the session wrote up to a position. Earlier ones than
// what is known change nothing but the time. A [Router] does it by itself; it is
// for writes that go past the router, and takes what
// pg_current_wal_insert_lsn() returns after the commit.
func (s *Session) Note(at LSN) { s.noteAt(at, time.Now()) }

func (s *Session) noteAt(at LSN, now time.Time) {
	if s == nil {
		return
	}
	raise(&s.position, uint64(at))
	for {
		old := s.wrote.Load()
		if old >= now.UnixNano() || s.wrote.CompareAndSwap(old, now.UnixNano()) {
			return
		}
	}
}

// wroteWithin reports whether the session wrote so short a while ago.
func (s *Session) wroteWithin(d time.Duration, now time.Time) bool {
	if s == nil {
		return false
	}
	wrote := s.wrote.Load()
	return wrote != 0 && now.UnixNano()-wrote < int64(d)
}

// fault returns what was wrong with the token that the session came with.
func (s *Session) fault() tokenFault {
	if s == nil {
		return tokenGood
	}
	return tokenFault(s.distrust.Load())
}

// raise sets v to n unless it is larger already, and reports whether it did.
func raise(v *atomic.Uint64, n uint64) bool {
	for {
		old := v.Load()
		if old >= n {
			return false
		}
		if v.CompareAndSwap(old, n) {
			return true
		}
	}
}
