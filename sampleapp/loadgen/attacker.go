package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Defaults of [Config] and fixed limits.
const (
	// DefaultTimeout bounds one request.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxLate is how late a request may still be sent.
	DefaultMaxLate = time.Second
	maxAnswer      = 64 << 20 // more of an answer is not read
	maxIdle        = 4096     // connections that are kept
)

// Config configures an [Attacker]. The zero value works.
type Config struct {
	// Client sends the requests. Nil makes one with a time-out of 30 seconds,
	// no limit of connections, and no redirects followed: a redirect is an
	// answer too.
	Client *http.Client
	// Tracer makes a client span of each request. Nil makes none.
	Tracer trace.Tracer
	// Tags name the run to the target: they travel as baggage, and are
	// attributes of the spans. Keys are names of [catalog]; empty values are
	// left out.
	Tags map[string]string
	// MaxOpen bounds the open requests. 0 sets no bound, which alone is a true
	// open loop: there are always as many workers as are needed.
	MaxOpen int
	// SkipOver decides about a request that is due while MaxOpen are open: true
	// skips it, false sends it as soon as another has ended. Its corrected
	// latency counts the wait.
	SkipOver bool
	// MaxLate is how late a request may still be sent; later ones are skipped.
	// A process that was stopped for a while (a suspended machine) must not
	// make up for it in a burst. Not used where requests wait for MaxOpen.
	// Defaults to 1 second.
	MaxLate time.Duration
}

// Attacker sends requests.
type Attacker struct {
	Config
	propagator propagation.TextMapPropagator
	attributes []attribute.KeyValue
	baggage    baggage.Baggage
}

// New returns an attacker. It fails for tags that cannot be baggage.
func New(c Config) (*Attacker, error) {
	if c.Client == nil {
		c.Client = NewClient(DefaultTimeout)
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if c.MaxLate <= 0 {
		c.MaxLate = DefaultMaxLate
	}
	a := &Attacker{Config: c, propagator: propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{})}
	for key, value := range c.Tags {
		if value == "" {
			continue
		}
		member, err := baggage.NewMemberRaw(key, value)
		if err != nil {
			return nil, fmt.Errorf("tag %q of the load: %w", key, err)
		}
		if a.baggage, err = a.baggage.SetMember(member); err != nil {
			return nil, fmt.Errorf("tag %q of the load: %w", key, err)
		}
		a.attributes = append(a.attributes, attribute.String(key, value))
	}
	slices.SortFunc(a.attributes, func(x, y attribute.KeyValue) int { return strings.Compare(string(x.Key), string(y.Key)) })
	return a, nil
}

// NewClient returns an HTTP client for load: no limit of connections, none
// closed while they can be used again, no redirects followed.
func NewClient(timeout time.Duration) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = maxIdle, maxIdle, 0
	t.DisableCompression = true // what is decompressed here is measured here
	t.ForceAttemptHTTP2 = false
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// attack is one call of Attack.
type attack struct {
	*Attacker
	start   time.Time
	slots   chan struct{} // nil without a bound
	sending sync.WaitGroup
	mu      sync.Mutex // one observation at a time
	observe func(Result)
}

// Attack sends what source returns when pacer says, until the pacer or ctx
// ends. It then waits for open requests, which the client's time-out bounds,
// and returns. observe is called once for each planned request, by one
// goroutine at a time, in the order in which they ended; it must be quick.
func (a *Attacker) Attack(ctx context.Context, source Source, pacer Pacer, observe func(Result)) {
	r := &attack{Attacker: a, start: time.Now(), observe: observe}
	if a.MaxOpen > 0 {
		r.slots = make(chan struct{}, a.MaxOpen)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer r.sending.Wait()
	// A request that was sent is finished, also when ctx ends meanwhile.
	sendCtx := baggage.ContextWithBaggage(context.WithoutCancel(ctx), a.baggage)
	seq := 0
	for at := range pacer.Times() {
		if !r.wait(ctx, timer, at) {
			return
		}
		r.fire(ctx, sendCtx, seq, at, source())
		seq++
	}
}

// wait returns when a request is due, or false when ctx has ended.
func (r *attack) wait(ctx context.Context, timer *time.Timer, at time.Duration) bool {
	if early := at - time.Since(r.start); early > 0 {
		timer.Reset(early)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return ctx.Err() == nil
}

// fire sends one request on a goroutine of its own, or skips it.
func (r *attack) fire(ctx, sendCtx context.Context, seq int, at time.Duration, t Target) {
	result := Result{Seq: seq, Route: t.Route, Planned: at}
	waits := r.slots != nil && !r.SkipOver
	if !waits && time.Since(r.start)-at > r.MaxLate || !r.acquire(ctx, waits) {
		result.WasSkipped = true
		r.report(result)
		return
	}
	r.sending.Go(func() {
		if r.slots != nil {
			defer func() { <-r.slots }()
		}
		r.send(sendCtx, t, &result)
		r.report(result)
	})
}

// acquire takes a slot, and reports false where there is none to have.
func (r *attack) acquire(ctx context.Context, wait bool) bool {
	switch {
	case r.slots == nil:
		return true
	case wait:
		select {
		case r.slots <- struct{}{}:
			return true
		case <-ctx.Done():
			return false
		}
	default:
		select {
		case r.slots <- struct{}{}:
			return true
		default:
			return false
		}
	}
}

func (r *attack) report(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observe(result)
}

// send makes one request, reads its answer, and notes the times.
func (r *attack) send(ctx context.Context, t Target, result *Result) {
	method := t.Method
	if method == "" {
		method = http.MethodGet
	}
	ctx, span := r.Tracer.Start(ctx, method+" "+t.Route, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(r.attributes...))
	if span.SpanContext().IsSampled() {
		result.TraceID = span.SpanContext().TraceID().String()
	}
	request, err := newRequest(ctx, method, t)
	if err != nil {
		result.Sent = time.Since(r.start)
		result.Done, result.Err = result.Sent, err
	} else {
		r.propagator.Inject(ctx, propagation.HeaderCarrier(request.Header))
		result.Sent = time.Since(r.start)
		result.Status, result.Bytes, result.Err = do(cmp.Or(t.Client, r.Client), request)
		result.Done = time.Since(r.start)
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.Int(catalog.AttrHTTPStatusCode, result.Status))
		if result.Outcome() != OK {
			span.SetStatus(codes.Error, string(result.Outcome()))
		}
	}
	span.End()
}

func newRequest(ctx context.Context, method string, t Target) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if t.Body != "" {
		body = strings.NewReader(t.Body)
	}
	request, err := http.NewRequestWithContext(ctx, method, t.URL, body)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if t.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for key, values := range t.Header {
		request.Header[key] = values
	}
	return request, nil
}

// do sends the request and reads the whole answer.
func do(client *http.Client, request *http.Request) (status int, size int64, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, 0, err
	}
	size, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return response.StatusCode, size, fmt.Errorf("read the answer: %w", err)
	}
	return response.StatusCode, size, nil
}
