package agentgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// echo sends back every message until the client has no more.
func echo(stream grpc.ServerStream) error {
	for {
		var m wrapperspb.StringValue
		if err := stream.RecvMsg(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(&m); err != nil {
			return err
		}
	}
}

// talk sends n messages from one goroutine while it receives on another.
func talk(ctx context.Context, t *testing.T, conn *grpc.ClientConn, n int) string {
	t.Helper()
	stream := openStream(ctx, t, conn, chat)
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range n {
			if err := stream.SendMsg(wrapperspb.String(strconv.Itoa(i))); err != nil {
				t.Error(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Error(err)
		}
	})
	defer sending.Wait()
	var all []string
	for {
		var m wrapperspb.StringValue
		err := stream.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Error(err)
			return ""
		}
		all = append(all, m.GetValue())
	}
}

func TestAStreamIsOneCall(t *testing.T) {
	t.Parallel()
	server, client := agenttest.New(t), agenttest.New(t)
	conn := serve(t, &service{stream: func(stream grpc.ServerStream) error {
		query(stream.Context(), server.Agent(), "select 1", 1)
		return echo(stream)
	}}, server.Agent(), client.Agent())
	if got := talk(t.Context(), t, conn, 3); got != "0 1 2" {
		t.Errorf("%q", got)
	}
	out := only(t, client)
	leaktest.Eventually(t, "the server's span ends", func() bool { return len(server.Spans()) == 2 })
	if in := server.Spans()[1]; in.Parent().SpanID() != out.SpanContext().SpanID() || in.Name() != "test.Echo/Chat" {
		t.Errorf("span %q under %v, want it under %v", in.Name(), in.Parent(), out.SpanContext())
	}
	if got := observed(server, catalog.RPCServerDuration); got != "test.Echo/Chat 0 1" {
		t.Errorf("server: %q", got)
	}
	if got := observed(client, catalog.RPCClientDuration); got != "test.Echo/Chat 0 1" {
		t.Errorf("client: %q", got)
	}
	if n := calls(server, catalog.RPCServerComponentCalls, catalog.DB); n != 1 {
		t.Errorf("%v calls of db, want 1: the stream's context lacks the call", n)
	}
}

// TestHowAClientStreamEnds has one way to end for each case; the client books
// the call once, with the right status.
func TestHowAClientStreamEnds(t *testing.T) {
	t.Parallel()
	wait := func(stream grpc.ServerStream) error {
		if err := stream.SendMsg(wrapperspb.String("first")); err != nil {
			return err
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	receive := func(stream grpc.ClientStream) error {
		var m wrapperspb.StringValue
		return stream.RecvMsg(&m)
	}
	tests := map[string]struct {
		method string
		serve  func(grpc.ServerStream) error
		use    func(t *testing.T, stream grpc.ClientStream, cancel func())
		want   codes.Code
	}{
		"the server has sent all": {
			method: list, want: codes.OK,
			serve: func(stream grpc.ServerStream) error { return stream.SendMsg(wrapperspb.String("x")) },
			use: func(t *testing.T, stream grpc.ClientStream, _ func()) {
				if err := errors.Join(stream.SendMsg(wrapperspb.String("q")), stream.CloseSend(), receive(stream)); err != nil {
					t.Error(err)
				}
				if err := receive(stream); !errors.Is(err, io.EOF) {
					t.Error(err)
				}
			},
		},
		"the server answers what the client has sent": {
			method: sum, want: codes.OK,
			serve: func(stream grpc.ServerStream) error { return stream.SendMsg(wrapperspb.String("3")) },
			use: func(t *testing.T, stream grpc.ClientStream, _ func()) {
				if err := errors.Join(stream.CloseSend(), receive(stream)); err != nil {
					t.Error(err)
				}
			},
		},
		"the server fails": {
			method: chat, want: codes.DataLoss,
			serve: func(grpc.ServerStream) error { return status.Error(codes.DataLoss, "lost") },
			use: func(t *testing.T, stream grpc.ClientStream, _ func()) {
				if err := receive(stream); status.Code(err) != codes.DataLoss {
					t.Error(err)
				}
			},
		},
		"the server panics": {
			method: chat, want: codes.Internal,
			serve: func(grpc.ServerStream) error { panic("boom") },
			use: func(t *testing.T, stream grpc.ClientStream, _ func()) {
				if err := receive(stream); !strings.Contains(fmt.Sprint(err), "recovered: boom") {
					t.Error(err)
				}
			},
		},
		"the client cancels and reads on": {
			method: chat, want: codes.Canceled, serve: wait,
			use: func(t *testing.T, stream grpc.ClientStream, cancel func()) {
				if err := receive(stream); err != nil {
					t.Error(err)
				}
				cancel()
				if err := receive(stream); status.Code(err) != codes.Canceled {
					t.Error(err)
				}
			},
		},
		"the client cancels and does not look again": {
			method: chat, want: codes.Canceled, serve: wait,
			use: func(t *testing.T, stream grpc.ClientStream, cancel func()) {
				if _, err := stream.Header(); err != nil {
					t.Error(err)
				}
				cancel()
			},
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := agenttest.New(t), agenttest.New(t)
			conn := serve(t, &service{stream: c.serve}, server.Agent(), client.Agent())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.use(t, openStream(ctx, t, conn, c.method), cancel)
			want := fmt.Sprintf("%s %d 1", strings.TrimPrefix(c.method, "/"), c.want)
			leaktest.Eventually(t, "the client books the call: "+want, func() bool { return observed(client, catalog.RPCClientDuration) == want })
			leaktest.Eventually(t, "the server books the call", func() bool { return len(server.Spans()) == 1 })
			if got := agenttest.Attribute(only(t, client), catalog.AttrRPCStatusCode); got != strconv.Itoa(int(c.want)) {
				t.Errorf("the client's span has status %s, want %d", got, c.want)
			}
		})
	}
}

// TestTimeBetweenMessagesIsTheCallersOwn compares with the clock and holds on
// any machine: a request cannot have waited for a stream while it did something
// else.
func TestTimeBetweenMessagesIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	conn := serve(t, &service{stream: echo}, nil, rec.Agent())
	start := time.Now()
	ctx, operation := rec.Agent().StartOperation(t.Context(), agent.OperationInfo{Name: "work"})
	stream := openStream(ctx, t, conn, chat)
	var work time.Duration
	for range 5 {
		var m wrapperspb.StringValue
		if err := errors.Join(stream.SendMsg(wrapperspb.String("x")), stream.RecvMsg(&m)); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		<-time.After(10 * time.Millisecond)
		work += time.Since(at)
	}
	operation.End(agent.Outcome{})
	rest := time.Since(start) - work
	_ = stream.CloseSend()
	spans := rec.Spans()
	seconds, err := strconv.ParseFloat(agenttest.Attribute(spans[0], catalog.AttrComponentPrefix+string(catalog.HTTP)), 64)
	if err != nil || seconds <= 0 || seconds > rest.Seconds() {
		t.Errorf("%v s in http (%v), but all but the other work took %v", seconds, err, rest)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	t.Parallel()
	server, client := agenttest.New(t), agenttest.New(t)
	leaktest.Run(t, func() {
		t.Run("calls", func(t *testing.T) {
			conn := serve(t, &service{
				say: func(_ context.Context, text string) (string, error) { return text, nil }, stream: echo,
			}, server.Agent(), client.Agent())
			if _, err := invoke(t.Context(), conn, say, "x"); err != nil {
				t.Fatal(err)
			}
			talk(t.Context(), t, conn, 5)
			openStream(t.Context(), t, conn, chat) // and forgets about it: its context ends with the test
		})
	})
}
