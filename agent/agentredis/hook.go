// Package agentredis measures Redis through go-redis v9.
//
//	client := redis.NewClient(options)
//	client.AddHook(agentredis.NewHook(a))
//
// Each command and each pipeline gets a client span named by its command (never
// its keys or values), an observation in db_client_operation_duration_seconds,
// and is charged to the component "cache" of the request that made it.
//
// The hook is safe for concurrent use and starts no goroutine.
package agentredis

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/dbcall"
	"github.com/cacheu/plumbline/agent/internal/opmetrics"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

type hook struct {
	recorder *dbcall.Recorder
}

// NewHook returns a hook for AddHook. With a nil agent it measures nothing.
func NewHook(a *agent.Agent) redis.Hook {
	return hook{dbcall.New(a, dbcall.Target{Component: catalog.Cache, System: "redis"})}
}

// DialHook implements [redis.Hook]; dialling shows in the command that waits
// for it.
func (hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements [redis.Hook].
func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	if h.recorder == nil {
		return next
	}
	return func(ctx context.Context, cmd redis.Cmder) error {
		ctx, call := h.recorder.Start(ctx, query(cmd.FullName(), 1))
		err := next(ctx, cmd)
		end(call, err)
		return err
	}
}

// ProcessPipelineHook implements [redis.Hook]. A pipeline is one operation,
// because it is one round trip.
func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	if h.recorder == nil {
		return next
	}
	return func(ctx context.Context, cmds []redis.Cmder) error {
		ctx, call := h.recorder.Start(ctx, query("pipeline", len(cmds)))
		err := next(ctx, cmds)
		end(call, err)
		return err
	}
}

func query(name string, batch int) dbcall.Query {
	name = strings.ToUpper(opmetrics.Clean(name)) // it becomes a label, and may be anything
	return dbcall.Query{Signature: sqlsig.Signature{Text: name, Operation: name, Summary: name}, Batch: batch}
}

// end books the call. That a key does not exist is an answer, not an error.
func end(call dbcall.Call, err error) {
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		call.End(nil, "", -1)
	case errors.Is(err, context.DeadlineExceeded):
		call.End(err, "timeout", -1)
	case errors.Is(err, context.Canceled):
		call.End(err, "canceled", -1)
	default:
		call.End(err, "redis", -1)
	}
}
