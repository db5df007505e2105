package replication_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/replication"
)

func secret(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

func sessions(t testing.TB, c replication.SessionsConfig) *replication.Sessions {
	t.Helper()
	if c.Keys == nil {
		c.Keys = []replication.Key{{ID: "k1", Secret: secret('a')}}
	}
	s, err := replication.NewSessions(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// token returns what an answer to a write up to a position carries.
func token(t testing.TB, s *replication.Sessions, at replication.LSN) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		replication.SessionFrom(r.Context()).Note(at)
	})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	return w.Header().Get(replication.DefaultHeader)
}

// TestTokens sends every kind of token: those that are not to be trusted read
// from the primary, are counted, and never are an error.
func TestTokens(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	own := sessions(t, replication.SessionsConfig{Now: clock, Keys: []replication.Key{{ID: "new", Secret: secret('n')}, {ID: "old", Secret: secret('o')}}})
	before := sessions(t, replication.SessionsConfig{Keys: []replication.Key{{ID: "old", Secret: secret('o')}}})
	stranger := sessions(t, replication.SessionsConfig{Keys: []replication.Key{{ID: "theirs", Secret: secret('t')}}})
	pretender := sessions(t, replication.SessionsConfig{Keys: []replication.Key{{ID: "new", Secret: secret('x')}}})
	neighbour := sessions(t, replication.SessionsConfig{Audience: "another database", Keys: []replication.Key{{ID: "new", Secret: secret('n')}}})

	good, written := token(t, own, 500), now
	old, foreign, forged, other := token(t, before, 500), token(t, stranger, 500), token(t, pretender, 500), token(t, neighbour, 500)
	for name, c := range map[string]struct {
		token  string
		at     time.Time
		target string
		reason string
	}{
		"good":                        {good, written, catalog.RouterReplica, catalog.RouterCaughtUp},
		"of the key before":           {old, written, catalog.RouterReplica, catalog.RouterCaughtUp},
		"none":                        {"", written, catalog.RouterReplica, catalog.RouterFresh},
		"just before its end":         {good, written.Add(59 * time.Second), catalog.RouterReplica, catalog.RouterCaughtUp},
		"expired":                     {good, written.Add(61 * time.Second), catalog.RouterPrimary, catalog.RouterExpired},
		"written in the future":       {good, written.Add(-61 * time.Second), catalog.RouterPrimary, catalog.RouterExpired},
		"of a key that nobody knows":  {foreign, written, catalog.RouterPrimary, catalog.RouterForeign},
		"of another database":         {other, written, catalog.RouterPrimary, catalog.RouterForeign},
		"of a key with the same name": {forged, written, catalog.RouterPrimary, catalog.RouterForged},
		"with another key's name":     {"old" + strings.TrimPrefix(good, "new"), written, catalog.RouterPrimary, catalog.RouterForged},
		"with a bit changed":          {flip(good), written, catalog.RouterPrimary, catalog.RouterForged},
		"cut off":                     {good[:len(good)-4], written, catalog.RouterPrimary, catalog.RouterForged},
		"too long":                    {good + strings.Repeat("A", 4000), written, catalog.RouterPrimary, catalog.RouterForged},
		"a dot":                       {".", written, catalog.RouterPrimary, catalog.RouterForged},
		"no token":                    {"'; drop table users --", written, catalog.RouterPrimary, catalog.RouterForged},
	} {
		for _, way := range []string{"header", "cookie"} {
			t.Run(name+" in a "+way, func(t *testing.T) {
				now = c.at
				f := newFleet(t, nil)
				asked := f.one.asked.Load() + 2
				eventually(t, "positions are known", func() bool { return f.one.asked.Load() > asked && f.two.asked.Load() > asked })
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				switch {
				case c.token == "":
				case way == "header":
					r.Header.Set(replication.DefaultHeader, c.token)
				default:
					r.Header.Set("Cookie", replication.DefaultCookie+"="+c.token)
					if _, err := r.Cookie(replication.DefaultCookie); err != nil {
						return // net/http does not take it for a cookie
					}
				}
				w := httptest.NewRecorder()
				own.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := f.Read(r.Context(), func(context.Context, string) error { return nil }); err != nil {
						t.Error(err)
					}
					w.WriteHeader(http.StatusOK)
				})).ServeHTTP(w, r)
				if w.Code != http.StatusOK || f.reads(t, c.target, c.reason) != 1 {
					t.Errorf("status %d, and no read of the %s because %s", w.Code, c.target, c.reason)
				}
				removed := strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0")
				if distrusted := c.target == catalog.RouterPrimary; removed != distrusted {
					t.Errorf("Set-Cookie %q, removed %v, want %v", w.Header().Get("Set-Cookie"), removed, distrusted)
				}
			})
		}
	}
}

// flip changes one bit of what is signed.
func flip(token string) string {
	b := []byte(token)
	b[len(b)-60] ^= 1
	return string(b)
}

func FuzzToken(f *testing.F) {
	s := sessions(f, replication.SessionsConfig{})
	good := token(f, s, 500)
	for _, seed := range []string{good, flip(good), "k1.", ".", "k1." + strings.Repeat("A", 70)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[http.CanonicalHeaderKey(replication.DefaultHeader)] = []string{text}
		r, _ = s.Begin(r)
		if at := replication.SessionFrom(r.Context()).Position(); at != 0 && text != good {
			t.Errorf("%q is taken for position %v", text, at)
		}
	})
}

// TestABrowserSeesWhatItWrote uses a real server and a cookie jar.
func TestABrowserSeesWhatItWrote(t *testing.T) {
	t.Parallel()
	f := newFleet(t, func(c *replication.RouterConfig[string]) { c.Wait = replication.NoWait })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		f.primary.at.Add(1000)
		_ = f.Write(r.Context(), func(context.Context, string) error { return nil })
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		_ = f.Read(r.Context(), func(_ context.Context, db string) error { _, err := io.WriteString(w, db); return err })
	})
	server := httptest.NewServer(sessions(t, replication.SessionsConfig{Insecure: true}).Middleware(mux))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	get := func(client *http.Client) string {
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := get(browser); got == "primary" {
		t.Error("a new browser reads from the primary")
	}
	response, err := browser.Post(server.URL, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if cookie := response.Header.Get("Set-Cookie"); !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || !strings.Contains(cookie, "Max-Age=60") {
		t.Errorf("Set-Cookie: %s", cookie)
	}
	if got := get(browser); got != "primary" {
		t.Errorf("after a write that no replica has, it reads from %s", got)
	}
	if got := get(&http.Client{}); got == "primary" {
		t.Error("somebody else reads from the primary, too")
	}
	f.two.at.Store(5000)
	eventually(t, "it reads from the replica that has it", func() bool { return get(browser) == "two" })
}

// TestTheTokenIsSentHoweverTheAnswerBegins goes through every way to begin one.
func TestTheTokenIsSentHoweverTheAnswerBegins(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"not at all":        func(http.ResponseWriter) {},
		"a status":          func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated) },
		"a body":            func(w http.ResponseWriter) { _, _ = io.WriteString(w, "done") },
		"a flush":           func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"a flush unwrapped": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"a copy":            func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("done")) },
		"early hints first": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(sessions(t, replication.SessionsConfig{}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				replication.SessionFrom(r.Context()).Note(77)
				answer(w)
			})))
			t.Cleanup(server.Close)
			response, err := http.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.Header.Get(replication.DefaultHeader) == "" || response.Header.Get("Set-Cookie") == "" {
				t.Errorf("the answer carries no token: %v", response.Header)
			}
		})
	}
}

func TestSessionsConfigReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := replication.NewSessions(replication.SessionsConfig{
		Keys: []replication.Key{{ID: "a b", Secret: []byte("hunter2")}, {ID: "a b"}}, Cookie: replication.Off, Header: replication.Off, TTL: 1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`Keys[0].ID is "a b"`, "Keys[0].Secret has 7 bytes", "as another one's", "both off", "TTL is 1ns"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the secret is printed: %v", err)
	}
	if _, err := replication.NewSessions(replication.SessionsConfig{}); err == nil || !strings.Contains(err.Error(), "Keys is empty") {
		t.Error(err)
	}
	next := http.NotFoundHandler()
	var none *replication.Sessions
	if got := none.Middleware(next); fmt.Sprintf("%p", got) != fmt.Sprintf("%p", next) {
		t.Error("nil sessions wrap the handler")
	}
}
