package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cacheu/plumbline/sampleapp/internal/scrape"
)

// Target is one variant that runs somewhere. Only Name and Base are required.
type Target struct {
	// Name is that of the variant.
	Name, Does string
	// Base is the URL before the paths of requests.
	Base string
	// Metrics is the URL of the target's metrics. Empty measures nothing there.
	Metrics string
	// Control is the base URL under which a scenario's facts, event and reset
	// are. Empty has none.
	Control string
	// Close ends what was started for the target. Nil is nothing.
	Close func() error
}

// The paths of a scenario's control.
const (
	PathFacts = "/-/facts"
	PathEvent = "/-/event"
	PathReset = "/-/reset"
)

// FactCPU is the fact that every part tells: processor time in seconds.
const FactCPU = "cpu_seconds"

// probeTimeout is within which a target that is down is found out.
const probeTimeout = 2 * time.Second

// controlTimeout bounds facts, events and resets. Some facts are waited for: a
// queue that must become empty, after a worker was killed.
const controlTimeout = 100 * time.Second

// controlClient sends what is not load.
func controlClient() *http.Client {
	return &http.Client{Timeout: controlTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Probe reports an error unless something answers HTTP at the target, whatever
// it answers.
func (t Target) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Base, http.NoBody)
	if err != nil {
		return fmt.Errorf("the target %q is no URL: %w", t.Base, err)
	}
	response, err := controlClient().Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return fmt.Errorf("the target %s does not answer: %w", t.Base, err)
	}
	return response.Body.Close()
}

// control calls one of the paths of a scenario's control.
func (t Target) control(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.Control+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	response, err := controlClient().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of %s answers %d: %s", path, t.Name, response.StatusCode, body)
	}
	return body, nil
}

// reading is what a target said at one time.
type reading struct {
	metrics scrape.Snapshot
	facts   map[string]float64
}

// read asks the target for all that it tells.
func (t Target) read(ctx context.Context) (r reading, err error) {
	if t.Metrics != "" {
		if r.metrics, err = scrape.Read(ctx, controlClient(), t.Metrics); err != nil {
			return r, fmt.Errorf("variant %s: %w", t.Name, err)
		}
	}
	if t.Control != "" {
		body, err := t.control(ctx, http.MethodGet, PathFacts)
		if err != nil {
			return r, err
		}
		if err := json.Unmarshal(body, &r.facts); err != nil {
			return r, fmt.Errorf("read the facts of %s: %w", t.Name, err)
		}
	}
	return r, nil
}
