package agentgrpc_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agenttest"
)

// A server and a client, each measured, and the one trace that a call leaves.
func Example() {
	rec := agenttest.New(exampleTB{}) // a service starts an agent
	a := rec.Agent()

	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(agentgrpc.UnaryServerInterceptor(a)),
		grpc.ChainStreamInterceptor(agentgrpc.StreamServerInterceptor(a)))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // ends with Stop
	defer server.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(agentgrpc.UnaryClientInterceptor(a)),
		grpc.WithChainStreamInterceptor(agentgrpc.StreamClientInterceptor(a)))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		log.Fatal(err)
	}

	spans := rec.Spans()
	for _, span := range spans {
		fmt.Println(span.SpanKind(), span.Name())
	}
	fmt.Println("one trace:", spans[0].Parent().SpanID() == spans[1].SpanContext().SpanID())
	// Output:
	// server grpc.health.v1.Health/Check
	// client grpc.health.v1.Health/Check
	// one trace: true
}

// exampleTB stands in for the testing.T that an example does not have.
type exampleTB struct{}

func (exampleTB) Helper()                        {}
func (exampleTB) Cleanup(func())                 {}
func (exampleTB) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (exampleTB) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }
