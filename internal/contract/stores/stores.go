// Package stores asks the lab's servers what they hold, through their own HTTP
// APIs. Tests use it to see what a person would see in Grafana.
//
// Clients are safe for concurrent use. Every call is bounded by its context and
// by [Timeout], because a query frontend that has lost its backend never
// answers.
package stores

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Timeout bounds one query, unless a client has another bound.
const Timeout = 15 * time.Second

// maxAnswer bounds what is read of one answer.
const maxAnswer = 64 << 20

var client = &http.Client{}

// get decodes the JSON answer of a GET into out.
func get(ctx context.Context, base, path string, query url.Values, out any) error {
	return getWithin(ctx, Timeout, base, path, query, out)
}

// getWithin is get with another bound.
func getWithin(ctx context.Context, limit time.Duration, base, path string, query url.Values, out any) error {
	address := base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return do(r, limit, out)
}

// post sends a JSON body and decodes the JSON answer into out.
func post(ctx context.Context, address string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return do(r, Timeout, out)
}

func do(r *http.Request, limit time.Duration, out any) error {
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", r.URL.Path, err)
	}
	if response.StatusCode != http.StatusOK {
		return &StatusError{Path: r.URL.Path, Status: response.StatusCode, Body: string(body[:min(len(body), 500)])}
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", r.URL.Path, err)
	}
	return nil
}

// StatusError is an answer other than 200.
type StatusError struct {
	Path   string
	Status int
	Body   string
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d: %s", e.Path, e.Status, e.Body)
}
