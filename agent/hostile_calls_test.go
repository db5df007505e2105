package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-logfmt/logfmt"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgrpc"
	"github.com/cacheu/plumbline/agent/agentjob"
)

// hostileCalls puts a string wherever a service may put one that it was given.
func hostileCalls(w *work, ctx context.Context, s string) map[string]func() {
	a := w.agent
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	return map[string]func(){
		"a request to a host": func() {
			r := &http.Request{Method: s, URL: &url.URL{Scheme: s, Host: s, Path: s}, Host: s, Header: http.Header{}}
			response, err := w.client.RoundTrip(r.WithContext(ctx))
			if err == nil {
				_ = response.Body.Close()
			}
		},
		"a query": func() {
			w.tracer.TraceQueryEnd(w.tracer.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: s}), nil, pgx.TraceQueryEndData{Err: errors.New(s)})
		},
		"a command":   func() { _ = w.redis(ctx, redis.NewCmd(ctx, s, s)) },
		"a gRPC call": func() { _ = w.rpc(ctx, s, nil, nil, nil, invoke) },
		"a gRPC method": func() {
			_, _ = agentgrpc.UnaryServerInterceptor(a)(ctx, nil, &grpc.UnaryServerInfo{FullMethod: s}, func(context.Context, any) (any, error) { return nil, errors.New(s) })
		},
		"a job": func() {
			_ = agentjob.Run(ctx, a, agentjob.Job{Queue: s, Kind: s, ID: s, Trace: map[string]string{"traceparent": s, "b3": s, s: s}},
				func(context.Context) error { return errors.New(s) })
		},
		"a job that panics": func() {
			defer func() { _ = recover() }()
			_ = agentjob.Run(ctx, a, agentjob.Job{Queue: s}, func(context.Context) error { panic(s) })
		},
		"a job that is put": func() {
			_ = agentjob.Enqueue(ctx, a, s, func(context.Context) error { return errors.New(s) })
		},
		"a log line":     func() { _ = a.Logger(ctx).Log("msg", s, "err", errors.New(s), s, s) },
		"a line of slog": func() { slog.New(a.SlogHandler()).With(s, s).WithGroup(s).ErrorContext(ctx, s, s, s) },
		"a call":         func() { _, c := a.StartCall(ctx, agent.CallInfo{Name: "x", Query: s}); c.End(errors.New(s)) },
		"a finding":      func() { finding(ctx, a, s) },
		"a route of ours": func() {
			q, _ := a.StartRequest((&http.Request{URL: &url.URL{}}).WithContext(ctx), s)
			q.End(agent.Response{})
		},
	}
}

// finding makes an N+1 problem whose queries are the string.
func finding(ctx context.Context, a *agent.Agent, s string) {
	ctx, o := a.StartOperation(ctx, agent.OperationInfo{Name: s})
	defer o.End(agent.Outcome{Message: s, Err: errors.New(s), ErrorType: s})
	for i, query := range append([]string{"list " + s}, strings.Split(strings.Repeat("one "+s+"\x01", 10), "\x01")...) {
		_, c := a.StartCall(ctx, agent.CallInfo{Name: "q", Query: query})
		if i == 0 {
			c.SetRows(20)
		} else {
			c.SetRows(1)
		}
		c.End(nil)
	}
}

// TestHostileCalls is TestHostileRequests for everything that is no request to
// an HTTP server: nothing panics, and what leaves the process can be read.
func TestHostileCalls(t *testing.T) {
	t.Parallel()
	r, out, registry := newReceiver(t), &console{}, prometheus.NewPedanticRegistry()
	c := agent.Config{Service: "shop", AdminAddr: agent.Off, Registry: registry}
	c.Traces.Endpoint, c.Traces.Gzip = r.URL+"/v1/traces", true
	c.Logs.Endpoint, c.Logs.Gzip, c.Logs.Console = r.URL+"/v1/logs", true, out
	c.Profiles.Disabled = true
	a := start(t, c)
	w := newWork(a)
	for name, s := range hostile {
		for where, call := range hostileCalls(w, t.Context(), s) {
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s in %s panics: %.200v", name, where, p)
					}
				}()
				call()
			}()
		}
	}
	flush(t, a)
	checkAccounts(t, registry)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.errs...); err != nil || len(r.spans) == 0 || len(r.lines) == 0 {
		t.Errorf("the backend has %d spans and %d lines and cannot decode: %v", len(r.spans), len(r.lines), err)
	}
	for _, line := range append(r.lines, out.lines()...) {
		decoder := logfmt.NewDecoder(strings.NewReader(line))
		records := 0
		for decoder.ScanRecord() {
			records++
			for decoder.ScanKeyval() {
			}
		}
		if decoder.Err() != nil || records != 1 || strings.ContainsFunc(line, unprintable) || len(line) >= 64<<10 {
			t.Errorf("%v, %d records, %d bytes: %.300q", decoder.Err(), records, len(line), line)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !utf8.ValidString(l.GetValue()) || len(l.GetValue()) > 1024 {
					t.Errorf("%s: the label %s has %d bytes: %.100q", f.GetName(), l.GetName(), len(l.GetValue()), l.GetValue())
				}
			}
		}
	}
}
