package replication

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"
)

// Defaults of [SessionsConfig].
const (
	// DefaultTTL is how long a token lives.
	DefaultTTL = time.Minute
	// DefaultCookie is the name of the cookie.
	DefaultCookie = "plumbline_session"
	// DefaultHeader is the name of the header, of requests and answers.
	DefaultHeader = "Plumbline-Session"
)

// Off as the name of the cookie or the header leaves it out.
const Off = "off"

// SessionsConfig configures [Sessions]. Keys is required, everything else has a
// default.
type SessionsConfig struct {
	// Keys sign tokens: the first one signs, all are accepted. To change keys,
	// put the new one first, and remove the old one when its tokens have
	// expired. Every instance of a service needs the same.
	Keys []Key
	// Audience is the database that positions belong to: tokens of another one
	// that is served with the same keys are refused. Empty is an audience too.
	Audience string
	// TTL is how long a token lives after the write. It must be longer than the
	// router's MaxLag: then a replica that serves anybody has what an expired
	// token stands for. Defaults to 1 minute.
	TTL time.Duration
	// Cookie and Header are names, or [Off]. Browsers send the cookie back by
	// themselves; services pass the header on. Default to plumbline_session and
	// Plumbline-Session.
	Cookie, Header string
	// Insecure sends the cookie over plain HTTP too, as it must on a
	// developer's machine.
	Insecure bool
	// Now is the clock, for tests. Nil is [time.Now].
	Now func() time.Time
}

// WithDefaults returns a copy with every zero field set to its default.
func (c SessionsConfig) WithDefaults() SessionsConfig {
	c.TTL = cmp.Or(c.TTL, DefaultTTL)
	c.Cookie = cmp.Or(c.Cookie, DefaultCookie)
	c.Header = cmp.Or(c.Header, DefaultHeader)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// tokenName is what both a cookie and a header may be called.
var tokenName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Sessions carry the position of a session from one HTTP request to the next:
// out with the answer to a request that wrote, and in with the next one. It is
// safe for concurrent use.
type Sessions struct {
	config SessionsConfig
	signer signer
}

// NewSessions returns sessions. Errors are bad configuration, all of it at
// once; no secret is printed.
func NewSessions(c SessionsConfig) (*Sessions, error) {
	c = c.WithDefaults()
	signer, err := newSigner(c.Keys, c.Audience, c.TTL)
	problems := []error{err}
	for field, name := range map[string]string{"Cookie": c.Cookie, "Header": c.Header} {
		if !tokenName.MatchString(name) {
			problems = append(problems, fmt.Errorf("%s is %q: want letters, digits, _ and -", field, name))
		}
	}
	if c.Cookie == Off && c.Header == Off {
		problems = append(problems, errors.New("Cookie and Header are both off: want at least one"))
	}
	if c.TTL < time.Second {
		problems = append(problems, fmt.Errorf("TTL is %v: want at least 1 second", c.TTL))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	c.Keys = nil // the signer has its own copies
	return &Sessions{config: c, signer: signer}, nil
}

// Middleware gives every request the session that it comes with. With a nil
// *Sessions it returns the handler as it is.
//
// The answer carries the position of what the handler wrote to the database
// before it wrote to the client; later writes are seen by the request itself
// only.
func (s *Sessions) Middleware(next http.Handler) http.Handler {
	if s == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, x := s.Begin(r)
		next.ServeHTTP(&tokenWriter{ResponseWriter: w, exchange: x}, r)
		x.Finish(w.Header())
	})
}

// Begin returns the request with its session in the context, for middleware of
// other frameworks. They call [Exchange.Finish] before the answer's header is
// sent.
func (s *Sessions) Begin(r *http.Request) (*http.Request, *Exchange) {
	session := new(Session)
	x := &Exchange{sessions: s, session: session}
	for _, token := range s.tokens(r) {
		at, wrote, fault := s.signer.read(token, s.config.Now())
		if fault != tokenGood {
			session.distrust.Store(int32(fault))
			continue
		}
		session.noteAt(at, wrote)
	}
	x.came = session.wrote.Load()
	return r.WithContext(WithSession(r.Context(), session)), x
}

// tokens returns what a request comes with.
func (s *Sessions) tokens(r *http.Request) []string {
	var tokens []string
	if s.config.Header != Off {
		if t := r.Header.Get(s.config.Header); t != "" {
			tokens = append(tokens, t)
		}
	}
	if s.config.Cookie != Off {
		if c, err := r.Cookie(s.config.Cookie); err == nil && c.Value != "" {
			tokens = append(tokens, c.Value)
		}
	}
	return tokens
}

// Exchange is one request and its answer. It belongs to the goroutine that
// answers.
type Exchange struct {
	sessions *Sessions
	session  *Session
	came     int64 // when the session had written last as the request came
	finished bool
}

// Finish puts the session's token into the header of the answer, if the request
// wrote something, and removes a cookie that is not to be trusted. Further calls
// do nothing.
func (x *Exchange) Finish(h http.Header) {
	if x.finished {
		return
	}
	x.finished = true
	c := x.sessions.config
	cookie := http.Cookie{Name: c.Cookie, Path: "/", HttpOnly: true, Secure: !c.Insecure, SameSite: http.SameSiteLaxMode}
	switch wrote := x.session.wrote.Load(); {
	case wrote > x.came:
		token := x.sessions.signer.sign(x.session.Position(), time.Unix(0, wrote))
		cookie.Value, cookie.MaxAge = token, int(c.TTL.Seconds())
		if c.Header != Off {
			h.Set(c.Header, token)
		}
	case x.session.fault() != tokenGood:
		cookie.MaxAge = -1
	default:
		return
	}
	if c.Cookie != Off {
		h.Add("Set-Cookie", cookie.String())
	}
}

// tokenWriter finishes the exchange before the header is sent.
type tokenWriter struct {
	http.ResponseWriter
	exchange *Exchange
}

var (
	_ http.Flusher  = (*tokenWriter)(nil)
	_ http.Hijacker = (*tokenWriter)(nil)
	_ io.ReaderFrom = (*tokenWriter)(nil)
)

// WriteHeader implements [http.ResponseWriter]. An informational header is not
// the answer's.
func (w *tokenWriter) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.exchange.Finish(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *tokenWriter) Write(p []byte) (int, error) {
	w.exchange.Finish(w.Header())
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom], which sends files without copying them.
func (w *tokenWriter) ReadFrom(from io.Reader) (int64, error) {
	w.exchange.Finish(w.Header())
	return io.Copy(w.ResponseWriter, from)
}

// Flush implements [http.Flusher], where the server's writer does.
func (w *tokenWriter) Flush() {
	w.exchange.Finish(w.Header())
	_ = http.NewResponseController(w.ResponseWriter).Flush() // nothing to flush is no error here
}

// Hijack implements [http.Hijacker], where the server's writer does.
func (w *tokenWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap serves [http.ResponseController].
func (w *tokenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
