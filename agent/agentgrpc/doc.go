// Package agentgrpc measures gRPC servers and clients.
//
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(agentgrpc.UnaryServerInterceptor(a)),
//		grpc.ChainStreamInterceptor(agentgrpc.StreamServerInterceptor(a)))
//	conn, err := grpc.NewClient(target,
//		grpc.WithChainUnaryInterceptor(agentgrpc.UnaryClientInterceptor(a)),
//		grpc.WithChainStreamInterceptor(agentgrpc.StreamClientInterceptor(a)))
//
// A server call gets what agentgin gives an HTTP request: a span named by its
// method, an observation in rpc_server_duration_seconds, a split of its time by
// component, a search for N+1 queries, and one log line. Put the interceptors
// first, so that they see what the others do. A call that another interceptor
// refuses before them, and one to a method that the server does not have, are
// answered by gRPC without their being asked.
//
// A client call gets a span, an observation in rpc_client_duration_seconds, and
// is charged to the component "http" of the request that makes it: it is a
// request to another service, whatever its format. The trace goes along in the
// metadata, in the formats that the agent is configured for.
//
// A stream lasts until it ends. At the server its handler's time is its own
// where no component is called, waiting for the client included. At the client
// only the time in the stream's methods is charged, because in between the
// caller does something else. A client stream ends with the last message, an
// error, or the end of its context, of which gRPC asks callers to reach one.
//
// Everything here is safe for concurrent use. No goroutine is started, but for
// the one in which a context ends a client stream that nobody reads. Errors are
// returned as they are, and panics are raised again after they are recorded.
// With a nil agent the interceptors only pass on.
package agentgrpc

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/cacheu/plumbline/agent/catalog"
)

// maxMethods caps the methods that are told apart; further ones are counted as
// "other".
const maxMethods = 500

// Option changes what an interceptor does.
type Option func(*options)

type options struct {
	skip func(fullMethod string) bool
	log  bool
}

func newOptions(opts []Option) options {
	o := options{log: true}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// WithSkip leaves calls unmeasured for which f returns true: health checks, for
// example. The method is in gRPC's form, "/grpc.health.v1.Health/Check". f must
// be cheap.
func WithSkip(f func(fullMethod string) bool) Option { return func(o *options) { o.skip = f } }

// WithAccessLog switches the line for each server call on or off. Defaults to
// on.
func WithAccessLog(on bool) Option { return func(o *options) { o.log = on } }

func (o options) skips(method string) bool { return o.skip != nil && o.skip(method) }

// codeOf returns the status code that the peer sees for an error.
func codeOf(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return status.FromContextError(err).Code() // as gRPC answers errors without a status
}

// describe returns the attributes of a method.
func describe(method string) []attribute.KeyValue {
	service, name, _ := strings.Cut(method, "/")
	return []attribute.KeyValue{
		attribute.String(catalog.AttrRPCSystem, "grpc"),
		attribute.String(catalog.AttrRPCService, service),
		attribute.String(catalog.AttrRPCMethod, name),
	}
}

// carrier is metadata as propagators see it.
type carrier metadata.MD

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
