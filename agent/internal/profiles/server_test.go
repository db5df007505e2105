package profiles_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// upload is one profile that arrived.
type upload struct {
	path, name     string
	user, password string
	header         http.Header
	size           uint64
	strings        []string // the profile's string table
}

// server is a Pyroscope that keeps what it is sent.
type server struct {
	*httptest.Server
	tb   testing.TB
	hung chan struct{} // closed at the end: those that hang may go

	mu      sync.Mutex
	answer  http.HandlerFunc // nil accepts
	uploads []upload
}

func newServer(tb testing.TB) *server {
	tb.Helper()
	s := &server{tb: tb, hung: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	tb.Cleanup(func() {
		close(s.hung)
		s.Close()
	})
	return s
}

// secure makes it serve TLS from now on, under another address.
func (s *server) secure(c *tls.Config) {
	s.tb.Helper()
	s.Close()
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what the test is about
	s.StartTLS()
}

func (s *server) behave(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, r)
		return
	}
	u := upload{path: r.URL.Path, name: r.URL.Query().Get("name"), header: r.Header}
	u.user, u.password, _ = r.BasicAuth()
	file, _, err := r.FormFile("profile")
	if err != nil {
		s.tb.Errorf("upload without a profile: %v", err)
		return
	}
	data, err := io.ReadAll(file)
	u.size = uint64(len(data))
	if err == nil {
		u.strings, err = stringTable(data)
	}
	if err != nil {
		s.tb.Errorf("upload: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads = append(s.uploads, u)
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

func (s *server) profileBytes() (sum uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		sum += u.size
	}
	return sum
}

// has reports whether a profile with samples of the given type arrived.
func (s *server) has(kind string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.uploads, func(u upload) bool { return slices.Contains(u.strings, kind) })
}

// cpuProfileOf reports whether one CPU profile names a function and the values
// of its labels.
func (s *server) cpuProfileOf(function string, values ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.uploads, func(u upload) bool {
		return slices.Contains(u.strings, "cpu") &&
			slices.ContainsFunc(u.strings, func(text string) bool { return strings.HasSuffix(text, function) }) &&
			!slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(u.strings, v) })
	})
}

// stringTable reads the strings of a profile in the pprof format: names of
// sample types, functions and labels.
func stringTable(zipped []byte) ([]string, error) {
	const field = 6 // string_table of message Profile
	reader, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	var table []string
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, errors.Join(errors.New("not a profile"), protowire.ParseError(n))
		}
		data = data[n:]
		if number == field && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(data)
			table = append(table, string(text))
		}
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return nil, errors.Join(errors.New("not a profile"), protowire.ParseError(n))
		}
		data = data[n:]
	}
	return table, nil
}
