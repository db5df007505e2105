package agentgrpc_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgrpc"
)

// Methods of the service under test, as clients call them. It is written by
// hand, so that the tests need no generated code.
const (
	say  = "/test.Echo/Say"
	chat = "/test.Echo/Chat"
	list = "/test.Echo/List"
	sum  = "/test.Echo/Sum"
)

// service is what a test's methods do. Nil methods answer "unimplemented".
type service struct {
	say    func(ctx context.Context, text string) (string, error)
	stream func(stream grpc.ServerStream) error
}

func (s *service) desc() *grpc.ServiceDesc {
	handle := func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := &wrapperspb.StringValue{}
		if err := decode(in); err != nil {
			return nil, err
		}
		call := func(ctx context.Context, req any) (any, error) {
			out, err := s.say(ctx, req.(*wrapperspb.StringValue).GetValue())
			return wrapperspb.String(out), err
		}
		if intercept == nil {
			return call(ctx, in)
		}
		return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: say}, call)
	}
	stream := func(_ any, stream grpc.ServerStream) error { return s.stream(stream) }
	return &grpc.ServiceDesc{
		ServiceName: "test.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: handle}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Chat", Handler: stream, ServerStreams: true, ClientStreams: true},
			{StreamName: "List", Handler: stream, ServerStreams: true},
			{StreamName: "Sum", Handler: stream, ClientStreams: true},
		},
	}
}

// serve runs a server on loopback, measured with one agent, and returns a
// client's connection to it, measured with another. Either may be nil.
func serve(t *testing.T, s *service, at, from *agent.Agent, opts ...agentgrpc.Option) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(recoverUnary, agentgrpc.UnaryServerInterceptor(at, opts...)),
		grpc.ChainStreamInterceptor(recoverStream, agentgrpc.StreamServerInterceptor(at, opts...)),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.Unimplemented, "no such service") }),
	)
	server.RegisterService(s.desc(), s)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(agentgrpc.UnaryClientInterceptor(from)),
		grpc.WithChainStreamInterceptor(agentgrpc.StreamClientInterceptor(from)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop() // returns after the last handler has
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// recoverUnary stands for a service's own handler of panics, outside of the
// agent's interceptor: a panic that was not raised again would not reach it.
func recoverUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (reply any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = status.Errorf(codes.Internal, "recovered: %v", p)
		}
	}()
	return handler(ctx, req)
}

func recoverStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = status.Errorf(codes.Internal, "recovered: %v", p)
		}
	}()
	return handler(srv, stream)
}

func invoke(ctx context.Context, conn *grpc.ClientConn, method, text string) (string, error) {
	var out wrapperspb.StringValue
	err := conn.Invoke(ctx, method, wrapperspb.String(text), &out)
	return out.GetValue(), err
}

func openStream(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string) grpc.ClientStream {
	t.Helper()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: method != sum, ClientStreams: method != list}, method)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}
