package agentgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// observed renders the series of a histogram as "method code count".
func observed(rec *agenttest.Recorder, m catalog.Histogram) string {
	var all []string
	for _, series := range rec.Metric(m) {
		l := agenttest.Labels(series)
		all = append(all, fmt.Sprint(l[string(catalog.RPCMethod)], " ", l[string(catalog.RPCStatus)], " ", series.GetHistogram().GetSampleCount()))
	}
	return strings.Join(all, ", ")
}

func calls(rec *agenttest.Recorder, m catalog.Counter, c catalog.Component) (n float64) {
	for _, series := range rec.Metric(m) {
		if agenttest.Labels(series)[string(catalog.ComponentLabel)] == string(c) {
			n += series.GetCounter().GetValue()
		}
	}
	return n
}

func only(t *testing.T, rec *agenttest.Recorder) sdktrace.ReadOnlySpan {
	t.Helper()
	spans := rec.Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	return spans[0]
}

func query(ctx context.Context, a *agent.Agent, signature string, rows int64) {
	_, call := a.StartCall(ctx, agent.CallInfo{Component: catalog.DB, Name: "SELECT", Query: signature})
	call.SetRows(rows)
	call.End(nil)
}

func TestACallIsOneTraceOnBothSides(t *testing.T) {
	t.Parallel()
	server, client := agenttest.New(t), agenttest.New(t)
	conn := serve(t, &service{say: func(ctx context.Context, text string) (string, error) {
		query(ctx, server.Agent(), "select 1", 1)
		return "hello " + text, nil
	}}, server.Agent(), client.Agent())
	ctx := metadata.AppendToOutgoingContext(t.Context(), "tenant", "seven")
	if got, err := invoke(ctx, conn, say, "Ada"); err != nil || got != "hello Ada" {
		t.Fatalf("%q, %v", got, err)
	}
	if md, _ := metadata.FromOutgoingContext(ctx); md.Len() != 1 {
		t.Errorf("the caller's metadata became %v", md)
	}
	spans, out := server.Spans(), only(t, client)
	if len(spans) != 2 {
		t.Fatalf("%d spans at the server, want the query's and the call's", len(spans))
	}
	in := spans[1]
	if in.Parent().SpanID() != out.SpanContext().SpanID() || in.SpanContext().TraceID() != out.SpanContext().TraceID() {
		t.Errorf("the server's span is under %v, the client's is %v", in.Parent(), out.SpanContext())
	}
	if in.SpanKind() != trace.SpanKindServer || out.SpanKind() != trace.SpanKindClient {
		t.Errorf("kinds %v and %v", in.SpanKind(), out.SpanKind())
	}
	for _, span := range []sdktrace.ReadOnlySpan{in, out} {
		for key, want := range map[string]string{
			catalog.AttrRPCSystem: "grpc", catalog.AttrRPCService: "test.Echo", catalog.AttrRPCMethod: "Say", catalog.AttrRPCStatusCode: "0",
		} {
			if got := agenttest.Attribute(span, key); got != want {
				t.Errorf("%s: %s = %q, want %q", span.SpanKind(), key, got, want)
			}
		}
		if span.Name() != "test.Echo/Say" {
			t.Errorf("span %q", span.Name())
		}
	}
	if got := agenttest.Attribute(out, catalog.AttrServerAddress); got != "127.0.0.1" {
		t.Errorf("the client called %q", got)
	}
	if got := observed(server, catalog.RPCServerDuration); got != "test.Echo/Say 0 1" {
		t.Errorf("server: %q", got)
	}
	if got := observed(client, catalog.RPCClientDuration); got != "test.Echo/Say 0 1" {
		t.Errorf("client: %q", got)
	}
	if db, self := calls(server, catalog.RPCServerComponentCalls, catalog.DB), calls(server, catalog.RPCServerComponentCalls, catalog.Self); db != 1 || self != 1 {
		t.Errorf("%v calls of db and %v of self, want 1 of each", db, self)
	}
	if active := server.Metric(catalog.RPCServerActive); len(active) != 1 || active[0].GetGauge().GetValue() != 0 {
		t.Errorf("active %v, want 0", active)
	}
	lines := server.Lines()
	if len(lines) != 1 || !strings.Contains(lines[0], " method=test.Echo/Say status=OK ") || !strings.Contains(lines[0], out.SpanContext().TraceID().String()) {
		t.Errorf("log %q", lines)
	}
}

func TestStatusCodes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		say    func(context.Context, string) (string, error)
		code   codes.Code
		server string // the error type at the server; empty where it did not fail
		log    string
	}{
		"what is not found is the client's fault": {
			say:  func(context.Context, string) (string, error) { return "", status.Error(codes.NotFound, "no such user") },
			code: codes.NotFound, log: `status=NotFound `,
		},
		"unavailable is the server's": {
			say:  func(context.Context, string) (string, error) { return "", status.Error(codes.Unavailable, "later") },
			code: codes.Unavailable, server: "Unavailable", log: `err="rpc error: code = Unavailable desc = later"`,
		},
		"an error without a status is unknown": {
			say:  func(context.Context, string) (string, error) { return "", errors.New("boom") },
			code: codes.Unknown, server: "Unknown", log: `err=boom`,
		},
		"a context that has ended is a status too": {
			say: func(context.Context, string) (string, error) {
				return "", fmt.Errorf("query: %w", context.DeadlineExceeded)
			},
			code: codes.DeadlineExceeded, server: "DeadlineExceeded", log: `status=DeadlineExceeded`,
		},
		"a panic is internal and raised again": {
			say:  func(context.Context, string) (string, error) { panic("boom") },
			code: codes.Internal, server: "panic", log: `panic=boom`,
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := agenttest.New(t), agenttest.New(t)
			conn := serve(t, &service{say: c.say}, server.Agent(), client.Agent())
			_, err := invoke(t.Context(), conn, say, "x")
			if status.Code(err) != c.code {
				t.Errorf("the client sees %v", err)
			}
			if c.server == "panic" && !strings.Contains(err.Error(), "recovered: boom") {
				t.Errorf("the panic did not pass the interceptor: %v", err)
			}
			in, out := only(t, server), only(t, client)
			if got := agenttest.Attribute(in, catalog.AttrErrorType); got != c.server || (in.Status().Code == otelcodes.Error) != (c.server != "") {
				t.Errorf("server: error type %q, status %v", got, in.Status())
			}
			if got := agenttest.Attribute(out, catalog.AttrErrorType); got != c.code.String() || out.Status().Description != "gRPC status "+c.code.String() {
				t.Errorf("client: error type %q, status %v", got, out.Status())
			}
			want := fmt.Sprintf("test.Echo/Say %d 1", c.code)
			if got := observed(server, catalog.RPCServerDuration); got != want {
				t.Errorf("server: %q, want %q", got, want)
			}
			if got := observed(client, catalog.RPCClientDuration); got != want {
				t.Errorf("client: %q, want %q", got, want)
			}
			if lines := strings.Join(server.Lines(), "\n"); !strings.Contains(lines, c.log) || strings.Contains(lines, "level=error") != (c.server != "") {
				t.Errorf("log %s", lines)
			}
		})
	}
}

func TestATimeOutOfTheClientIsItsOwn(t *testing.T) {
	t.Parallel()
	client := agenttest.New(t)
	conn := serve(t, &service{say: func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}}, nil, client.Agent())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := invoke(ctx, conn, say, "x"); status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
	if got := observed(client, catalog.RPCClientDuration); got != "test.Echo/Say 4 1" {
		t.Errorf("client: %q", got)
	}
}

func TestACallIsChargedToTheRequestThatMakesIt(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	inner := &service{say: func(context.Context, string) (string, error) { return "inner", nil }}
	backend := serve(t, inner, nil, rec.Agent())
	conn := serve(t, &service{say: func(ctx context.Context, _ string) (string, error) { return invoke(ctx, backend, say, "x") }}, rec.Agent(), nil)
	if got, err := invoke(t.Context(), conn, say, "x"); err != nil || got != "inner" {
		t.Fatalf("%q, %v", got, err)
	}
	if n := calls(rec, catalog.RPCServerComponentCalls, catalog.HTTP); n != 1 {
		t.Errorf("%v calls of http, want 1", n)
	}
}

func TestNPlusOneIsFoundInACall(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	conn := serve(t, &service{say: func(ctx context.Context, _ string) (string, error) {
		query(ctx, rec.Agent(), "select id from posts", 20)
		for range 20 {
			query(ctx, rec.Agent(), "select name from authors where id = ?", 1)
		}
		return "", nil
	}}, rec.Agent(), nil)
	if _, err := invoke(t.Context(), conn, say, "x"); err != nil {
		t.Fatal(err)
	}
	found := rec.Metric(catalog.DBClientNPlusOne)
	if len(found) != 1 || agenttest.Labels(found[0])[string(catalog.HTTPRoute)] != "test.Echo/Say" {
		t.Errorf("findings %v, want one of test.Echo/Say", found)
	}
}

// TestInventedMethodsAreOneLabelValue calls services that do not exist, with a
// handler for unknown services and in a health service that does.
func TestInventedMethodsAreOneLabelValue(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	conn := serve(t, &service{}, rec.Agent(), nil)
	for i := range 3 {
		if _, err := invoke(t.Context(), conn, fmt.Sprintf("/made.up%d/Do", i), "x"); status.Code(err) != codes.Unimplemented {
			t.Fatal(err)
		}
	}
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := observed(rec, catalog.RPCServerDuration); got != "grpc.health.v1.Health/Check 0 1, unknown 12 3" {
		t.Errorf("server: %q", got)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	conn := serve(t, &service{say: func(context.Context, string) (string, error) { return "", nil }}, rec.Agent(), nil,
		agentgrpc.WithAccessLog(false), agentgrpc.WithSkip(func(method string) bool { return strings.HasPrefix(method, "/grpc.health.") }))
	health := grpc_health_v1.NewHealthClient(conn)
	if _, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := health.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := invoke(t.Context(), conn, say, "x"); err != nil {
		t.Fatal(err)
	}
	if got := observed(rec, catalog.RPCServerDuration); got != "test.Echo/Say 0 1" {
		t.Errorf("server: %q", got)
	}
	if lines := rec.Lines(); len(lines) != 0 {
		t.Errorf("log %q", lines)
	}
}

func TestTheTraceGoesAlongInTheConfiguredFormat(t *testing.T) {
	t.Parallel()
	b3 := func(c *agent.Config) { c.Propagators = []string{"b3multi"} }
	server, client := agenttest.New(t, b3), agenttest.New(t, b3)
	var md metadata.MD
	conn := serve(t, &service{say: func(ctx context.Context, _ string) (string, error) {
		md, _ = metadata.FromIncomingContext(ctx)
		return "", nil
	}}, server.Agent(), client.Agent())
	if _, err := invoke(t.Context(), conn, say, "x"); err != nil {
		t.Fatal(err)
	}
	id := only(t, client).SpanContext().TraceID()
	if got := md.Get("x-b3-traceid"); len(got) != 1 || got[0] != id.String() || md.Get("traceparent") != nil {
		t.Errorf("metadata %v, want the trace %s in B3's format alone", md, id)
	}
	if got := only(t, server).SpanContext().TraceID(); got != id {
		t.Errorf("trace %s at the server, %s at the client", got, id)
	}
}

func TestANilAgentOnlyPassesOn(t *testing.T) {
	t.Parallel()
	conn := serve(t, &service{
		say: func(_ context.Context, text string) (string, error) { return text, nil }, stream: echo,
	}, nil, nil)
	if got, err := invoke(t.Context(), conn, say, "x"); err != nil || got != "x" {
		t.Errorf("%q, %v", got, err)
	}
	if got := talk(t.Context(), t, conn, 3); got != "0 1 2" {
		t.Errorf("%q", got)
	}
}
