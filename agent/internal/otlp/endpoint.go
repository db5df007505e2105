// Package otlp holds what the OTLP exporters of traces and logs share: where
// to send, with which headers and certificates, and how many bytes went out.
//
// The agent's configuration is complete when it arrives here: the only
// environment variables that are read are the proxy's (HTTPS_PROXY and so on),
// by net/http's own rules.
package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Endpoint is one OTLP/HTTP destination.
type Endpoint struct {
	// URL is the full address, path included, and is used as it is.
	URL string
	// Headers are sent with every request. Their values are secrets: they are
	// never logged.
	Headers map[string]string
	// CAFile, CertFile and KeyFile name PEM files: the authorities that may
	// have signed the server's certificate (empty: the system's), and the
	// client's own certificate and key (empty: none).
	CAFile, CertFile, KeyFile string
	// Timeout bounds one request.
	Timeout time.Duration
	// Gzip compresses request bodies.
	Gzip bool
}

// ExportTimeout bounds the export of one batch, retries included: long enough
// for one request to take its full time-out. A nil endpoint has the default.
func ExportTimeout(e *Endpoint) time.Duration {
	const shortest = 30 * time.Second
	if e == nil {
		return shortest
	}
	return max(shortest, e.Timeout)
}

// Client is an HTTP client that counts the bytes it sends. It shares no
// connection with anybody else's client.
type Client struct {
	*http.Client
	transport *http.Transport
	sent      atomic.Uint64
}

// NewClient returns a client for the endpoint. Its errors name the file that
// cannot be used.
func NewClient(e Endpoint) (*Client, error) {
	tlsConfig, err := e.tlsConfig()
	if err != nil {
		return nil, err
	}
	c := &Client{}
	c.transport = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: e.Timeout,
	}
	c.Client = &http.Client{Transport: c, Timeout: e.Timeout, CheckRedirect: refuseRedirect}
	return c, nil
}

// refuseRedirect keeps credentials from following a redirect to another host.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// RoundTrip implements [http.RoundTripper].
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.Clone(r.Context())
		r.Body = &countingBody{ReadCloser: r.Body, sent: &c.sent}
	}
	return c.transport.RoundTrip(r)
}

// BytesSent returns the bytes of request bodies sent so far, retries included.
func (c *Client) BytesSent() uint64 { return c.sent.Load() }

// Close drops idle connections, so that no goroutine of the client remains.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

type countingBody struct {
	io.ReadCloser
	sent *atomic.Uint64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sent.Add(uint64(n))
	return n, err
}

func (e Endpoint) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CAFile != "" {
		pem, err := os.ReadFile(e.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authorities: %s holds no PEM certificate", e.CAFile)
		}
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		return nil, errors.New("a client certificate needs both a certificate file and a key file")
	}
	if e.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read client certificate %s with key %s: %w", e.CertFile, e.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Redact returns the URL without user information, query and fragment, for log
// lines and errors. What is no URL with a host is only shown where it cannot
// hold any of these: "user:password@host" without a scheme parses as a URL of
// the scheme "user".
func Redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" && strings.ContainsAny(raw, "@?#") {
		return "(URL not shown: it may hold a secret)"
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = nil, "", "", "", false
	return u.String()
}
