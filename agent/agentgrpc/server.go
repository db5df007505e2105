package agentgrpc

import (
	"context"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/opmetrics"
)

// server is what both server interceptors of an agent share.
type server struct {
	agent *agent.Agent
	set   *opmetrics.Set
}

var _ agent.Capped = (*server)(nil)

// Cap implements [agent.Capped].
func (s *server) Cap() (label catalog.Label, values, most int) {
	return catalog.RPCMethod, s.set.Len(), maxMethods
}

type serverKit struct{}

func newServer(a *agent.Agent) *server {
	return a.Kit(serverKit{}, func(a *agent.Agent) any {
		// An error means that the service registered another metric of such a
		// name; that one is then not exported, which is better than no server.
		set, _ := opmetrics.New(a.Registerer(), opmetrics.Kind{
			Duration: catalog.RPCServerDuration, Active: catalog.RPCServerActive,
			Seconds: catalog.RPCServerComponentSeconds, Calls: catalog.RPCServerComponentCalls, Limit: maxMethods,
		})
		return &server{a, set}
	}).(*server)
}

// UnaryServerInterceptor returns an interceptor for calls of one message each
// way.
func UnaryServerInterceptor(a *agent.Agent, opts ...Option) grpc.UnaryServerInterceptor {
	o := newOptions(opts)
	if a == nil {
		return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			return handler(ctx, req)
		}
	}
	s := newServer(a)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (reply any, err error) {
		if o.skips(info.FullMethod) {
			return handler(ctx, req)
		}
		ctx, call := s.start(ctx, info.FullMethod)
		defer func() { call.finish(recover(), err, o) }()
		return handler(ctx, req)
	}
}

// StreamServerInterceptor returns an interceptor for streams.
func StreamServerInterceptor(a *agent.Agent, opts ...Option) grpc.StreamServerInterceptor {
	o := newOptions(opts)
	if a == nil {
		return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			return handler(srv, stream)
		}
	}
	s := newServer(a)
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		if o.skips(info.FullMethod) {
			return handler(srv, stream)
		}
		method := info.FullMethod
		if srv == nil {
			method = "" // a handler for unknown services: the client has made up the name
		}
		ctx, call := s.start(stream.Context(), method)
		defer func() { call.finish(recover(), err, o) }()
		return handler(srv, serverStream{stream, ctx})
	}
}

// serverStream is a stream whose context carries the call.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements [grpc.ServerStream].
func (s serverStream) Context() context.Context { return s.ctx }

// serverCall is a call that is being served.
type serverCall struct {
	server    *server
	operation *agent.Operation
	name      *opmetrics.Name
}

func (s *server) start(ctx context.Context, method string) (context.Context, serverCall) {
	name := s.set.Name(strings.TrimPrefix(method, "/"))
	name.Active.Inc()
	info := agent.OperationInfo{Name: name.Text, Attributes: describe(name.Text)}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		info.Caller = carrier(md)
	}
	ctx, operation := s.agent.StartOperation(ctx, info)
	return ctx, serverCall{s, operation, name}
}

// finish ends a call; it runs deferred, because a panic is an end too.
func (c serverCall) finish(panicked any, err error, o options) {
	code := codeOf(err)
	if panicked != nil {
		code = codes.Internal // the call ends without an answer, or with one of a handler of panics
	}
	c.name.Active.Dec()
	outcome := agent.Outcome{
		Series: c.server.set.Series(c.name, strconv.Itoa(int(code))), Err: err, Panic: panicked,
		Attributes: []attribute.KeyValue{attribute.Int(catalog.AttrRPCStatusCode, int(code))},
	}
	if serverFault(code) {
		outcome.ErrorType = code.String()
	}
	if o.log {
		outcome.Message = "grpc call"
		outcome.Pairs = []string{catalog.LogMethod, c.name.Text, catalog.LogStatus, code.String()}
	}
	c.operation.End(outcome)
	if panicked != nil {
		panic(panicked)
	}
}

// serverFault reports whether a code says that the server failed and not the
// client, by the OpenTelemetry conventions.
func serverFault(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	}
	return false
}
