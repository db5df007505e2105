package grafana

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// DefaultTimeout is how long one request may take.
	DefaultTimeout = 30 * time.Second
	// maxAnswer is what is read of an answer, in bytes. A Grafana with thousands
	// of rules stays far below.
	maxAnswer = 64 << 20
)

// Config says which Grafana, and who asks.
type Config struct {
	// URL is the address of Grafana, with the path that it is served under, if
	// any. Required.
	URL string
	// Token is a service account's. Required.
	Token string
	// Client sends the requests. Defaults to one with a time-out of
	// DefaultTimeout.
	Client *http.Client
}

// Client asks one Grafana. Make it with New.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New returns a client. It fails for a URL that is none and without a token,
// with both reasons; it asks nothing yet.
func New(c Config) (*Client, error) {
	var errs []error
	base, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		errs = append(errs, errors.New("the address of Grafana is missing"))
	case err != nil:
		errs = append(errs, fmt.Errorf("the address of Grafana: %w", err))
	case base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"):
		errs = append(errs, fmt.Errorf("the address of Grafana %q is no http or https address", c.URL))
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		errs = append(errs, errors.New("the address of Grafana must hold neither a user nor a query"))
	}
	switch {
	case c.Token == "":
		errs = append(errs, errors.New("the token is missing: make one for a service account, under Administration, Users and access"))
	case strings.TrimSpace(c.Token) != c.Token || strings.ContainsAny(c.Token, "\r\n"):
		errs = append(errs, errors.New("the token has blanks or line feeds around it"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if c.Client == nil {
		c.Client = defaultHTTP()
	}
	return &Client{base: base, token: c.Token, http: c.Client}, nil
}

func defaultHTTP() *http.Client { return &http.Client{Timeout: DefaultTimeout} }

// call is one request.
type call struct {
	method string
	// path are the segments below the base, each escaped by itself.
	path   []string
	query  url.Values
	header http.Header
	body   any
}

func get(path ...string) call { return call{method: http.MethodGet, path: path} }

// do sends the request and decodes the answer into out, unless that is nil. An
// answer other than 2xx is an *Error.
func (c *Client) do(ctx context.Context, r call, out any) error {
	request, err := c.request(ctx, r)
	if err != nil {
		return err
	}
	where := r.method + " " + request.URL.Path
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask Grafana: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("ask Grafana: %s: read the answer: %w", where, err)
	}
	if response.StatusCode/100 != 2 {
		return newError(where, response.StatusCode, content)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		// A login page or a proxy's greeting is HTML with a status of 200.
		return fmt.Errorf("ask Grafana: %s: the answer is not Grafana's (is there something in front of it that wants a login?): %w", where, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, r call) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		content, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(content)
	}
	segments := make([]string, len(r.path))
	for i, s := range r.path {
		segments[i] = url.PathEscape(s)
	}
	u := c.base.JoinPath(segments...)
	u.RawQuery = r.query.Encode()
	request, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	for name, values := range r.header {
		request.Header[name] = values
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}
