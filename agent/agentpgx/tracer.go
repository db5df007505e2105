// Package agentpgx measures PostgreSQL through pgx v5.
//
//	config, err := pgxpool.ParseConfig(dsn)
//	config.ConnConfig.Tracer = agentpgx.NewTracer(a)
//	pool, err := pgxpool.NewWithConfig(ctx, config)
//	err = agentpgx.ObservePool(a, "primary", pool)
//
// Each query, batch and copy gets a client span with the query's signature
// (never its values), an observation in db_client_operation_duration_seconds,
// and is charged to the component "db" of the request that made it. Waiting for
// a connection of the pool is charged as well.
//
// Everything here is safe for concurrent use and starts no goroutine.
package agentpgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/dbcall"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

const system = "postgresql"

// Tracer is a pgx tracer for queries, batches, copies and the pool.
type Tracer struct {
	recorder *dbcall.Recorder
}

var (
	_ pgx.QueryTracer       = (*Tracer)(nil)
	_ pgx.BatchTracer       = (*Tracer)(nil)
	_ pgx.CopyFromTracer    = (*Tracer)(nil)
	_ pgxpool.AcquireTracer = (*Tracer)(nil)
)

// NewTracer returns a tracer for pgx.ConnConfig.Tracer. With a nil agent it
// measures nothing.
func NewTracer(a *agent.Agent) *Tracer {
	return &Tracer{dbcall.New(a, dbcall.Target{Component: catalog.DB, System: system})}
}

type (
	queryKey   struct{}
	batchKey   struct{}
	copyKey    struct{}
	acquireKey struct{}
)

// TraceQueryStart implements [pgx.QueryTracer].
func (t *Tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return t.start(ctx, queryKey{}, conn, dbcall.Query{Signature: t.recorder.Signature(data.SQL)})
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (t *Tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	end(ctx, queryKey{}, data.Err, data.CommandTag.RowsAffected())
}

// TraceBatchStart implements [pgx.BatchTracer]. A batch is one operation,
// because it is one round trip.
func (t *Tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	q := dbcall.Query{
		Signature: sqlsig.Signature{Text: "BATCH", Operation: "BATCH", Summary: "BATCH"}, Batch: data.Batch.Len(),
	}
	if queued := data.Batch.QueuedQueries; len(queued) > 0 {
		first := t.recorder.Signature(queued[0].SQL)
		q.Text, q.Summary = "BATCH "+first.Text, "BATCH "+first.Summary
	}
	return t.start(ctx, batchKey{}, conn, q)
}

// TraceBatchQuery implements [pgx.BatchTracer]; the batch is measured whole.
func (*Tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (t *Tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	end(ctx, batchKey{}, data.Err, -1)
}

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (t *Tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	summary := "COPY " + data.TableName.Sanitize()
	return t.start(ctx, copyKey{}, conn, dbcall.Query{
		Signature: sqlsig.Signature{Text: summary, Operation: "COPY", Summary: summary},
	})
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (t *Tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	end(ctx, copyKey{}, data.Err, data.CommandTag.RowsAffected())
}

// TraceAcquireStart implements [pgxpool.AcquireTracer].
func (t *Tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if t.recorder == nil {
		return ctx
	}
	return context.WithValue(ctx, acquireKey{}, t.recorder.Wait(ctx))
}

// TraceAcquireEnd implements [pgxpool.AcquireTracer].
func (t *Tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if done, ok := ctx.Value(acquireKey{}).(func()); ok {
		done()
	}
}

func (t *Tracer) start(ctx context.Context, key any, conn *pgx.Conn, q dbcall.Query) context.Context {
	if t.recorder == nil {
		return ctx
	}
	if q.Summary == "" { // an empty query, as a ping is one
		q.Summary, q.Operation = "PING", "PING"
	}
	if conn != nil {
		server := serverOf(conn)
		q.Namespace, q.Host, q.Port = server.database, server.host, server.port
	}
	ctx, call := t.recorder.Start(ctx, q)
	return context.WithValue(ctx, key, call)
}

// server is where a connection leads.
type server struct {
	database, host string
	port           uint16
}

const serverData = "plumbline.server"

// serverOf reads a connection's configuration once and keeps it with the
// connection, because pgx copies the whole configuration for each reader. A
// connection is used by one goroutine at a time, and so is its custom data.
func serverOf(conn *pgx.Conn) server {
	data := conn.PgConn().CustomData()
	if s, ok := data[serverData].(server); ok {
		return s
	}
	config := conn.Config()
	s := server{config.Database, config.Host, config.Port}
	data[serverData] = s
	return s
}

func end(ctx context.Context, key any, err error, rows int64) {
	if call, ok := ctx.Value(key).(dbcall.Call); ok {
		call.End(err, errorType(err), rows)
	}
}

// errorType is the SQL state where the server answered with one, else a class
// that tells a time-out from a lost connection.
func errorType(err error) string {
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &answer):
		return answer.Code
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "connection"
}
