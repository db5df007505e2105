package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/quiet"
)

// checkTimeout bounds all checks of one readiness request together.
const checkTimeout = 2 * time.Second

// Check is a dependency that a role cannot work without.
type Check struct {
	// Name is what the answer calls the dependency.
	Name string
	// Probe returns nil when it can be reached. It honours its context.
	Probe func(context.Context) error
}

// dead is a dependency that cannot be reached.
type dead struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// health answers /healthz and /readyz, and passes everything else on. It sits
// outside the router, so that probes are in no metric, trace or log.
type health struct {
	next     http.Handler
	checks   []Check
	draining atomic.Bool
}

// ServeHTTP implements [http.Handler].
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		writeJSON(w, http.StatusOK, map[string]string{"status": "up"})
	case "/readyz":
		h.ready(w, r)
	default:
		h.next.ServeHTTP(w, r)
	}
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "stopping"})
		return
	}
	if found := h.probe(r.Context()); len(found) > 0 {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "dead": found})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// probe runs the checks side by side and returns those that failed, in order.
func (h *health) probe(ctx context.Context) []dead {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	errs := make([]error, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() { errs[i] = c.Probe(quiet.Context(ctx)) })
	}
	wg.Wait()
	var found []dead
	for i, err := range errs {
		if err != nil {
			found = append(found, dead{h.checks[i].Name, err.Error()})
		}
	}
	return found
}

// HTTPCheck returns a check that asks an HTTP service's /healthz.
func HTTPCheck(name, base string, client *http.Client) Check {
	return Check{Name: name, Probe: func(ctx context.Context) error {
		return Probe(ctx, client, base+"/healthz")
	}}
}

// Probe asks url and returns nil when the answer is 200.
func Probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("make a probe of %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", url, response.StatusCode, body)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone needs no answer
}
