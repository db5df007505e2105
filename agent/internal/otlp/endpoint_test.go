package otlp_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/otlp"
)

const timeout = 10 * time.Second

func post(t *testing.T, c *otlp.Client, url, body string) (status int, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// newTLSServer starts a server that shows its certificate and, where clients
// is given, wants one that clients has signed. It counts what it serves.
func newTLSServer(t *testing.T, own tls.Certificate, clients *certtest.Authority) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	served := new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		served.Add(1)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
	if clients != nil {
		server.TLS.ClientCAs, server.TLS.ClientAuth = clients.Pool, tls.RequireAndVerifyClientCert
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what the test is about
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, served
}

func TestTLS(t *testing.T) {
	t.Parallel()
	valid, expired := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	authority, stranger := certtest.New(t), certtest.New(t)
	server, late := authority.Issue("server", valid), authority.Issue("late server", expired)
	client, lateClient := authority.Issue("client", valid), authority.Issue("late client", expired)
	foreign := stranger.Issue("foreign client", valid)
	tests := map[string]struct {
		server  tls.Certificate
		clients *certtest.Authority
		e       otlp.Endpoint
		// want is part of the error, and empty where the request succeeds. What
		// a server says when it refuses a client may be lost with the
		// connection: there, any error will do.
		want string
	}{
		"a server of the given authority is trusted": {
			server: server.TLS, e: otlp.Endpoint{CAFile: authority.File},
		},
		"a server of another authority is refused": {
			server: server.TLS, e: otlp.Endpoint{CAFile: stranger.File}, want: "unknown authority",
		},
		"without an authority file the system's authorities count": {
			server: server.TLS, want: "unknown authority",
		},
		"a server whose certificate has expired is refused": {
			server: late.TLS, e: otlp.Endpoint{CAFile: authority.File}, want: "expired",
		},
		"a client certificate is shown to the server that asks for one": {
			server: server.TLS, clients: authority,
			e: otlp.Endpoint{CAFile: authority.File, CertFile: client.CertFile, KeyFile: client.KeyFile},
		},
		"a server that asks for a client certificate gets none by default": {
			server: server.TLS, clients: authority,
			e: otlp.Endpoint{CAFile: authority.File}, want: ":",
		},
		"a client certificate that has expired is refused by the server": {
			server: server.TLS, clients: authority,
			e:    otlp.Endpoint{CAFile: authority.File, CertFile: lateClient.CertFile, KeyFile: lateClient.KeyFile},
			want: ":",
		},
		"a client certificate of another authority is refused by the server": {
			server: server.TLS, clients: authority,
			e:    otlp.Endpoint{CAFile: authority.File, CertFile: foreign.CertFile, KeyFile: foreign.KeyFile},
			want: ":",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, served := newTLSServer(t, test.server, test.clients)
			test.e.Timeout = timeout
			c, err := otlp.NewClient(test.e)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			status, err := post(t, c, s.URL, "spans")
			if test.want == "" {
				if err != nil || status != http.StatusOK || served.Load() != 1 {
					t.Errorf("status %d, error %v, %d requests served; want 200, none and 1", status, err, served.Load())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || served.Load() != 0 {
				t.Errorf("error %v, %d requests served; want one with %q, and 0", err, served.Load(), test.want)
			}
		})
	}
}

func TestNewClientNamesTheFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	pair := certtest.New(t).Issue("client", time.Now().Add(time.Hour))
	notPEM := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(notPEM, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		e    otlp.Endpoint
		want string
	}{
		"an authority file that is not there":      {otlp.Endpoint{CAFile: "/nowhere/ca.pem"}, "/nowhere/ca.pem"},
		"an authority file without a certificate":  {otlp.Endpoint{CAFile: notPEM}, notPEM},
		"a certificate without a key":              {otlp.Endpoint{CertFile: pair.CertFile}, "key file"},
		"a key without a certificate":              {otlp.Endpoint{KeyFile: pair.KeyFile}, "certificate file"},
		"a certificate file that is not there":     {otlp.Endpoint{CertFile: "/nowhere/c.pem", KeyFile: pair.KeyFile}, "/nowhere/c.pem"},
		"a certificate file without a certificate": {otlp.Endpoint{CertFile: notPEM, KeyFile: pair.KeyFile}, notPEM},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := otlp.NewClient(test.e)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v shows what the file holds", err)
			}
		})
	}
}

func TestBytesSentCountsBodies(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	c, err := otlp.NewClient(otlp.Endpoint{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, size := range []int{1000, 0, 234_567} {
		if status, err := post(t, c, server.URL, strings.Repeat("x", size)); err != nil || status != http.StatusOK {
			t.Fatalf("status %d, error %v", status, err)
		}
	}
	if got := c.BytesSent(); got != 235_567 {
		t.Errorf("%d bytes are counted, want 235567", got)
	}
	server.Close()
	c.Close()
	if _, err := post(t, c, server.URL, strings.Repeat("x", 1000)); err == nil {
		t.Error("a closed server answered")
	}
	if got := c.BytesSent(); got != 235_567 {
		t.Errorf("%d bytes are counted after a refused connection, want 235567 as before", got)
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	for _, code := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, code))
		defer server.Close()
		c, err := otlp.NewClient(otlp.Endpoint{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if status, err := post(t, c, server.URL, "spans"); err != nil || status != code {
			t.Errorf("status %d, error %v; want the redirect %d itself", status, err, code)
		}
	}
	if n := followed.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestTimeoutBoundsARequest(t *testing.T) {
	t.Parallel()
	tests := map[string]func(http.ResponseWriter){
		"a server that never answers":            func(http.ResponseWriter) {},
		"a server that never ends its answer":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, "o"); w.(http.Flusher).Flush() },
		"a server that says to wait for nothing": func(w http.ResponseWriter) { w.WriteHeader(http.StatusProcessing) },
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			released := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				begin(w)
				<-released
			}))
			defer server.Close()
			defer close(released)
			c, err := otlp.NewClient(otlp.Endpoint{Timeout: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			begun := time.Now()
			_, err = post(t, c, server.URL, "spans")
			if took := time.Since(begun); took > leaktest.Patience {
				t.Errorf("the request took %s", took)
			}
			var timedOut interface{ Timeout() bool }
			if !errors.As(err, &timedOut) || !timedOut.Timeout() {
				t.Errorf("error %v, want a time-out", err)
			}
		})
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close() // after the check: it would close the connection for the client
	leaktest.Run(t, func() {
		c, err := otlp.NewClient(otlp.Endpoint{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := post(t, c, server.URL, "spans"); err != nil {
			t.Error(err)
		}
		c.Close()
	})
}

func TestRedactHidesSecrets(t *testing.T) {
	t.Parallel()
	const hidden = "(URL not shown: it may hold a secret)"
	tests := map[string]struct{ raw, want string }{
		"a plain address is shown":             {"http://localhost:4318/v1/traces", "http://localhost:4318/v1/traces"},
		"user and password are not":            {"https://me:hunter2@otlp.example/v1/logs", "https://otlp.example/v1/logs"},
		"a user alone is not":                  {"https://hunter2@otlp.example", "https://otlp.example"},
		"a query is not":                       {"https://otlp.example/v1?api_key=hunter2", "https://otlp.example/v1"},
		"an empty query is not":                {"https://otlp.example/v1?", "https://otlp.example/v1"},
		"a fragment is not":                    {"https://otlp.example/v1#hunter2", "https://otlp.example/v1"},
		"a missing scheme does not help":       {"me:hunter2@otlp.example:4318", hidden},
		"a missing scheme with a query":        {"otlp.example/v1?key=hunter2", hidden},
		"a missing colon":                      {"https//me:hunter2@otlp.example", hidden},
		"a missing scheme without secrets":     {"localhost:4318", "localhost:4318"},
		"a scheme without slashes":             {"http:me:hunter2@otlp.example", hidden},
		"what cannot be parsed":                {"http://me:hunter2@otlp.example:port", hidden},
		"a control character":                  {"http://otlp.example/\nhunter2", hidden},
		"a user that is no user":               {"http://me:hun ter2@otlp.example", hidden},
		"only slashes and a user":              {"//me:hunter2@otlp.example/v1", "//otlp.example/v1"},
		"nothing":                              {"", ""},
		"a password with an at sign is hidden": {"https://me:hunter2@x@otlp.example/v1", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := otlp.Redact(test.raw)
			if strings.Contains(got, "hun") {
				t.Errorf("Redact(%q) = %q shows the secret", test.raw, got)
			}
			if test.want != "" && got != test.want {
				t.Errorf("Redact(%q) = %q, want %q", test.raw, got, test.want)
			}
		})
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("https://", "host/path")
	f.Add("", "host:4318")
	f.Add("http:", "host")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, "hunter2") || strings.Contains(before, "/") && !strings.HasSuffix(before, "//") {
			t.Skip("a path is not hidden")
		}
		if got := otlp.Redact(before + "me:hunter2@" + after); strings.Contains(got, "hunter2") {
			t.Errorf("Redact shows the secret: %q", got)
		}
	})
}
