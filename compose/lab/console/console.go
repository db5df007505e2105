package console

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"time"
)

// Defaults of [Config].
const (
	// DefaultMaxQueries keeps two processors busy and leaves the stores' own
	// limits alone.
	DefaultMaxQueries   = 8
	DefaultQueryTimeout = 30 * time.Second
)

// Config says what to serve. Page, Dashboards and Stores are required.
type Config struct {
	// Page is the folder of the built page, which has an index.html.
	Page string
	// Dashboards is the folder with the dashboards' JSON. It is read on every
	// request, so that a dashboard that is generated anew shows at once.
	Dashboards string
	// Stores are the base URLs by name: prometheus, loki, jaeger and pyroscope.
	// One without an address answers that it is not part of this lab.
	Stores map[string]string
	// MaxQueries is how many queries run at a time. Defaults to 8.
	MaxQueries int
	// QueryTimeout bounds one query. Defaults to 30 s.
	QueryTimeout time.Duration
	// Transport asks the stores. Defaults to one without a proxy, as all of
	// them are on this machine.
	Transport http.RoundTripper
}

// WithDefaults returns c with every optional zero value filled in.
func (c Config) WithDefaults() Config {
	if c.MaxQueries == 0 {
		c.MaxQueries = DefaultMaxQueries
	}
	if c.QueryTimeout == 0 {
		c.QueryTimeout = DefaultQueryTimeout
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			MaxIdleConnsPerHost: c.MaxQueries, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: c.QueryTimeout,
		}
	}
	return c
}

// Validate reports every problem of a configuration with defaults at once.
func (c Config) Validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !filepath.IsAbs(c.Page) {
		add("Page is %q, want the absolute path of the built page", c.Page)
	}
	if !filepath.IsAbs(c.Dashboards) {
		add("Dashboards is %q, want the absolute path of the dashboards' folder", c.Dashboards)
	}
	for name, address := range c.Stores {
		if !slices.Contains(StoreNames(), name) {
			add("Stores names %q, want some of %q", name, StoreNames())
		}
		if u, err := url.Parse(address); err != nil || address != "" && (u.Scheme != "http" || u.Host == "") {
			add("Stores has %q for %s, want http://host:port", address, name)
		}
	}
	if c.MaxQueries < 1 {
		add("MaxQueries is %d, want at least 1", c.MaxQueries)
	}
	if c.QueryTimeout <= 0 {
		add("QueryTimeout is %v, want more than 0", c.QueryTimeout)
	}
	return errors.Join(problems...)
}

// StoreNames lists the stores that the console can ask.
func StoreNames() []string { return []string{"prometheus", "loki", "jaeger", "pyroscope"} }

// New returns the console. It fails for a configuration that is out of bounds;
// folders are looked at when they are asked for.
func New(c Config) (http.Handler, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("console configuration:\n%w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", page(c.Page))
	mux.HandleFunc("GET /healthz", healthy(c.Page))
	mux.HandleFunc("GET /api/config", showConfig(c.Stores))
	mux.HandleFunc("GET /api/dashboards", listDashboards(c.Dashboards))
	mux.HandleFunc("GET /api/dashboards/{uid}", showDashboard(c.Dashboards))
	mux.Handle("/api/stores/{store}/{path...}", newProxy(c))
	return guard(mux), nil
}

// guard refuses what does not come from the console's own page or from a
// program on this machine, and adds the headers that every answer carries.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Styles are made by the page while it runs; the chart library measures
		// text in blobs and draws icons from data.
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; "+
			"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "+
			"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if !loopbackName(r.Host) {
			http.Error(w, "this console answers to localhost and 127.0.0.1 only", http.StatusMisdirectedRequest)
			return
		}
		if !sameSite(r) {
			http.Error(w, "this console answers its own page only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackName reports whether a Host header names this machine. A name that
// somebody else's DNS resolves to 127.0.0.1 does not.
func loopbackName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// sameSite reports whether a request is made by the console's own page, by a
// person who types or follows an address, or by a program that is no browser.
func sameSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		origin := r.Header.Get("Origin")
		return origin == "" || origin == "http://"+r.Host
	}
	// A link on another site may open the page, and nothing else.
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}
