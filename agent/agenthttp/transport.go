package agenthttp

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
	"github.com/cacheu/plumbline/agent/internal/opmetrics"
)

// maxServers caps the server_address label: a crawler calls any number of
// hosts, and each would be a series.
const maxServers = 500

// transport is the client side.
type transport struct {
	*client
	next http.RoundTripper
}

// client is what all transports of an agent share, so that its cap holds
// however many there are.
type client struct {
	agent  *agent.Agent
	series *metrics.Cache[clientKey, *metrics.Observer]
}

var _ agent.Capped = (*client)(nil)

// Cap implements [agent.Capped].
func (c *client) Cap() (label catalog.Label, values, most int) {
	return catalog.ServerAddress, c.series.Len(), maxServers
}

type clientKit struct{}

func newClient(a *agent.Agent) *client {
	return a.Kit(clientKit{}, func(a *agent.Agent) any {
		// An error means that the service registered another metric of this
		// name. The histogram then works and is not exported, which is better
		// than no HTTP client.
		duration, _ := metrics.Histogram(a.Registerer(), catalog.HTTPClientRequestDuration)
		return &client{agent: a, series: metrics.NewCache(maxServers,
			func(k clientKey) clientKey { k.server = catalog.Overflow; return k },
			func(k clientKey) *metrics.Observer {
				return metrics.NewObserver(catalog.HTTPClientRequestDuration, duration.WithLabelValues(k.server, k.method, k.status))
			})}
	}).(*client)
}

type clientKey struct{ server, method, status string }

// Transport returns a round tripper that measures requests and passes the
// trace on. A nil next means [http.DefaultTransport]; with a nil agent next is
// returned as it is.
//
// The span lasts until the body of the response is read to its end or closed,
// because until then the caller waits; the metric takes the time to the
// response headers.
func Transport(a *agent.Agent, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	if a == nil {
		return next
	}
	return &transport{newClient(a), next}
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	method := agent.HTTPMethod(r.Method)
	ctx, call := t.agent.StartCall(r.Context(), agent.CallInfo{
		Component: catalog.HTTP, Name: method,
		Attributes: []attribute.KeyValue{
			attribute.String(catalog.AttrHTTPRequestMethod, method),
			attribute.String(catalog.AttrServerAddress, opmetrics.Clean(r.URL.Hostname())),
			attribute.String(catalog.AttrURLPath, strings.ToValidUTF8(r.URL.Path, "\uFFFD")), // long ones are cut by the span
			attribute.String(catalog.AttrURLScheme, opmetrics.Clean(r.URL.Scheme)),
		},
	})
	r = r.Clone(ctx) // a round tripper must not change the request it is given
	t.agent.Propagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
	response, err := t.next.RoundTrip(r)
	if err != nil {
		t.observe(r, method, "error", call)
		call.End(err, attribute.String(catalog.AttrErrorType, "transport"))
		return response, err
	}
	t.observe(r, method, strconv.Itoa(response.StatusCode), call)
	status := attribute.Int(catalog.AttrHTTPStatusCode, response.StatusCode)
	if response.StatusCode == http.StatusSwitchingProtocols || response.Body == nil || response.Body == http.NoBody {
		call.End(statusError(response), status)
		return response, nil
	}
	response.Body = &body{ReadCloser: response.Body, end: func() { call.End(statusError(response), status) }}
	return response, nil
}

func (t *transport) observe(r *http.Request, method, status string, call *agent.Call) {
	series := t.series.Get(clientKey{opmetrics.Clean(r.URL.Host), method, status})
	at := call.Elapsed()
	var id trace.TraceID
	if series.Wants(at.Duration, at.Time) {
		id = call.Exemplar()
	}
	series.Observe(at.Duration, id)
}

// statusError makes the span of a refused request an error, which the
// OpenTelemetry conventions ask for from 400 on at the client.
func statusError(r *http.Response) error {
	if r.StatusCode < http.StatusBadRequest {
		return nil
	}
	return refused(r.StatusCode)
}

type refused int

// Error implements error.
func (s refused) Error() string { return "HTTP status " + strconv.Itoa(int(s)) }

// body ends the call when the last byte is read or the body is closed.
type body struct {
	io.ReadCloser
	once sync.Once
	end  func()
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(b.end)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.once.Do(b.end)
	return b.ReadCloser.Close()
}
