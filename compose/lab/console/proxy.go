package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxQuery bounds the body of one query.
const maxQuery = 256 << 10

// proxy asks the stores.
type proxy struct {
	stores  map[string]string
	routes  []Route
	turns   chan struct{} // one for each query that runs
	timeout time.Duration
	client  *http.Client
}

func newProxy(c Config) *proxy {
	return &proxy{
		stores: c.Stores, routes: Routes(), turns: make(chan struct{}, c.MaxQueries), timeout: c.QueryTimeout,
		client: &http.Client{
			Transport: c.Transport,
			// A store that redirects is asked for something it does not have.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ServeHTTP implements [http.Handler].
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	store, path := r.PathValue("store"), "/"+r.PathValue("path")
	ok, otherMethod := allowed(p.routes, store, r.Method, path)
	switch {
	case otherMethod && !ok:
		p.refuse(w, store, http.StatusMethodNotAllowed, fmt.Sprintf("%s is no way to read %s", r.Method, path))
		return
	case !ok:
		p.refuse(w, store, http.StatusForbidden, fmt.Sprintf("%s %s is not a query that the console makes", r.Method, path))
		return
	case p.stores[store] == "":
		p.refuse(w, store, http.StatusBadGateway, "it is not part of this lab")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.timeout)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		p.refuse(w, store, http.StatusServiceUnavailable, "too many queries were before this one")
		return
	}
	p.ask(ctx, w, r, store, path)
}

// ask passes one query on and its answer back.
func (p *proxy) ask(ctx context.Context, w http.ResponseWriter, r *http.Request, store, path string) {
	address := p.stores[store] + (&url.URL{Path: path}).EscapedPath()
	if r.URL.RawQuery != "" {
		address += "?" + r.URL.RawQuery
	}
	body := http.MaxBytesReader(w, r.Body, maxQuery)
	query, err := http.NewRequestWithContext(ctx, r.Method, address, body)
	if err != nil {
		p.refuse(w, store, http.StatusBadRequest, err.Error())
		return
	}
	query.ContentLength = r.ContentLength
	for _, name := range []string{"Content-Type", "Accept"} {
		if v := r.Header.Get(name); v != "" {
			query.Header.Set(name, v)
		}
	}
	answer, err := p.client.Do(query)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			p.refuse(w, store, http.StatusRequestEntityTooLarge, fmt.Sprintf("the query is longer than %d bytes", tooLarge.Limit))
			return
		}
		p.refuse(w, store, http.StatusBadGateway, reason(err, p.timeout))
		return
	}
	defer func() { _ = answer.Body.Close() }()
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(answer.StatusCode)
	// The status is sent: all that is left to do about an error is to stop, and
	// the page sees an answer that is cut short.
	_, _ = io.Copy(w, answer.Body)
}

// reason says why a store did not answer, without the address, which the page
// has no use for.
func reason(err error, limit time.Duration) string {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("it did not answer within %v", limit)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if text := err.Error(); strings.Contains(text, "connection refused") {
		return "it is not running"
	}
	return err.Error()
}

// refusal is the answer of the console itself instead of a store's.
type refusal struct {
	Store string `json:"store"`
	Error string `json:"error"`
}

func (p *proxy) refuse(w http.ResponseWriter, store string, status int, why string) {
	writeJSON(w, status, refusal{Store: store, Error: why})
}

// writeJSON answers with a value. Encoding fails only for a caller that has
// gone away.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
