package agentgrpc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agenttest"
)

// BenchmarkUnaryServer is one call through the interceptor, without a network,
// bare and measured at two sampling ratios.
func BenchmarkUnaryServer(b *testing.B) {
	info := &grpc.UnaryServerInfo{FullMethod: say}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	for name, ratio := range map[string]float64{"bare": 0, "agent100": 1, "agent1": 0.01} {
		b.Run(name, func(b *testing.B) {
			intercept := agentgrpc.UnaryServerInterceptor(nil)
			if ratio > 0 {
				rec := agenttest.New(b, func(c *agent.Config) { c.Traces.SampleRatio = ratio })
				intercept = agentgrpc.UnaryServerInterceptor(rec.Agent())
			}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = intercept(b.Context(), nil, info, handler)
			}
		})
	}
}

// BenchmarkUnaryClient is one call through the interceptor, without a network.
func BenchmarkUnaryClient(b *testing.B) {
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	for name, ratio := range map[string]float64{"bare": 0, "agent100": 1} {
		b.Run(name, func(b *testing.B) {
			intercept := agentgrpc.UnaryClientInterceptor(nil)
			if ratio > 0 {
				rec := agenttest.New(b, func(c *agent.Config) { c.Traces.SampleRatio = ratio })
				intercept = agentgrpc.UnaryClientInterceptor(rec.Agent())
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = intercept(b.Context(), say, nil, nil, nil, invoke)
			}
		})
	}
}
