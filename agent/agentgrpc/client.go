package agentgrpc

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
	"github.com/cacheu/plumbline/agent/internal/opmetrics"
)

// client is what both client interceptors of an agent share.
type client struct {
	agent  *agent.Agent
	series *metrics.Cache[clientKey, *metrics.Observer]
}

type clientKey struct {
	method string
	code   codes.Code
}

var _ agent.Capped = (*client)(nil)

// Cap implements [agent.Capped].
func (c *client) Cap() (label catalog.Label, values, most int) {
	return catalog.RPCMethod, c.series.Len(), maxMethods
}

type clientKit struct{}

func newClient(a *agent.Agent) *client {
	return a.Kit(clientKit{}, func(a *agent.Agent) any {
		// An error means that the service registered another metric of this
		// name. The histogram then works and is not exported.
		duration, _ := metrics.Histogram(a.Registerer(), catalog.RPCClientDuration)
		return &client{a, metrics.NewCache(maxMethods,
			func(k clientKey) clientKey { k.method = catalog.Overflow; return k },
			func(k clientKey) *metrics.Observer {
				return metrics.NewObserver(catalog.RPCClientDuration,
					duration.WithLabelValues(k.method, strconv.Itoa(int(k.code))))
			})}
	}).(*client)
}

// UnaryClientInterceptor returns an interceptor for calls of one message each
// way.
func UnaryClientInterceptor(a *agent.Agent, opts ...Option) grpc.UnaryClientInterceptor {
	o := newOptions(opts)
	if a == nil {
		return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, callOpts ...grpc.CallOption) error {
			return invoke(ctx, method, req, reply, conn, callOpts...)
		}
	}
	c := newClient(a)
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, callOpts ...grpc.CallOption) error {
		if o.skips(method) {
			return invoke(ctx, method, req, reply, conn, callOpts...)
		}
		ctx, call := c.start(ctx, method, conn)
		err := invoke(ctx, method, req, reply, conn, callOpts...)
		call.end(err)
		return err
	}
}

// StreamClientInterceptor returns an interceptor for streams.
func StreamClientInterceptor(a *agent.Agent, opts ...Option) grpc.StreamClientInterceptor {
	o := newOptions(opts)
	if a == nil {
		return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, callOpts ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(ctx, desc, conn, method, callOpts...)
		}
	}
	c := newClient(a)
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, callOpts ...grpc.CallOption) (grpc.ClientStream, error) {
		if o.skips(method) {
			return open(ctx, desc, conn, method, callOpts...)
		}
		ctx, call := c.start(ctx, method, conn)
		stream, err := open(ctx, desc, conn, method, callOpts...)
		if err != nil {
			call.end(err)
			return nil, err
		}
		return newClientStream(ctx, stream, call, desc.ServerStreams), nil
	}
}

// clientCall is a call that is being made.
type clientCall struct {
	client *client
	call   *agent.Call
	method string
}

func (c *client) start(ctx context.Context, method string, conn *grpc.ClientConn) (context.Context, clientCall) {
	method = opmetrics.Clean(strings.TrimPrefix(method, "/"))
	attributes := describe(method)
	if host := serverOf(conn); host != "" {
		attributes = append(attributes, attribute.String(catalog.AttrServerAddress, host))
	}
	ctx, call := c.agent.StartCall(ctx, agent.CallInfo{Component: catalog.HTTP, Name: method, Attributes: attributes})
	md, ok := metadata.FromOutgoingContext(ctx) // a copy: the caller's stays as it is
	if !ok {
		md = metadata.MD{}
	}
	c.agent.Propagator().Inject(ctx, carrier(md))
	return metadata.NewOutgoingContext(ctx, md), clientCall{c, call, method}
}

// serverOf returns the host of a connection's target, which may have the form
// of a URL: "dns:///host:port".
func serverOf(conn *grpc.ClientConn) string {
	if conn == nil {
		return ""
	}
	target := conn.Target()
	target = target[strings.LastIndexByte(target, '/')+1:]
	if host, _, err := net.SplitHostPort(target); err == nil {
		return host
	}
	return target
}

// end books the call. The text of the server's error stays out of the span: it
// is not this service's to publish.
func (c clientCall) end(err error) {
	code := codeOf(err)
	series := c.client.series.Get(clientKey{c.method, code})
	var failed error
	attributes := []attribute.KeyValue{attribute.Int(catalog.AttrRPCStatusCode, int(code))}
	if code != codes.OK {
		failed = refused(code)
		attributes = append(attributes, attribute.String(catalog.AttrErrorType, code.String()))
	}
	elapsed := c.call.End(failed, attributes...)
	var id trace.TraceID
	if series.Wants(elapsed.Duration, elapsed.Time) {
		id = c.call.Exemplar()
	}
	series.Observe(elapsed.Duration, id)
}

type refused codes.Code

// Error implements error.
func (r refused) Error() string { return "gRPC status " + codes.Code(r).String() }

// clientStream is a stream that is being used. One goroutine may send while
// another receives.
type clientStream struct {
	grpc.ClientStream
	call   clientCall
	many   bool // the server sends any number of messages, and then an end
	once   sync.Once
	detach func() bool // from the context
}

func newClientStream(ctx context.Context, stream grpc.ClientStream, call clientCall, many bool) *clientStream {
	s := &clientStream{ClientStream: stream, call: call, many: many}
	call.call.Pause()
	s.detach = context.AfterFunc(ctx, func() { s.finish(status.FromContextError(ctx.Err()).Err()) })
	return s
}

func (s *clientStream) finish(err error) { s.once.Do(func() { s.call.end(err) }) }

// end finishes the call from one of the stream's methods.
func (s *clientStream) end(err error) {
	s.finish(err)
	s.detach()
}

// Header implements [grpc.ClientStream].
func (s *clientStream) Header() (metadata.MD, error) {
	step := s.call.call.Resume()
	md, err := s.ClientStream.Header()
	step.End()
	if err != nil {
		s.end(err)
	}
	return md, err
}

// SendMsg implements [grpc.ClientStream]. io.EOF means that the stream has
// ended, and that receiving tells why.
func (s *clientStream) SendMsg(m any) error {
	step := s.call.call.Resume()
	err := s.ClientStream.SendMsg(m)
	step.End()
	if err != nil && err != io.EOF { //nolint:errorlint // gRPC returns exactly io.EOF
		s.end(err)
	}
	return err
}

// RecvMsg implements [grpc.ClientStream].
func (s *clientStream) RecvMsg(m any) error {
	step := s.call.call.Resume()
	err := s.ClientStream.RecvMsg(m)
	step.End()
	switch {
	case err == io.EOF: //nolint:errorlint // gRPC returns exactly io.EOF
		s.end(nil)
	case err != nil:
		s.end(err)
	case !s.many:
		s.end(nil) // the one message was the answer
	}
	return err
}

// CloseSend implements [grpc.ClientStream].
func (s *clientStream) CloseSend() error {
	step := s.call.call.Resume()
	err := s.ClientStream.CloseSend()
	step.End()
	if err != nil {
		s.end(err)
	}
	return err
}
