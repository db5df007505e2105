// Package dbcall measures database and cache operations for the adapters that
// speak to one: span, histogram and component time, with bounded labels.
package dbcall

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/metrics"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

// Caps of what a recorder remembers. Services have tens to hundreds of
// queries; one that builds its SQL from values has any number, and then the
// rest is measured together.
const (
	maxSignatures = 500
	maxTexts      = 2048
	maxText       = 4 << 10 // bytes; all texts together take 8 MiB at most
)

// Target is the database that a recorder's operations go to.
type Target struct {
	// Component is charged with the time: catalog.DB or catalog.Cache.
	Component catalog.Component
	// System is the db.system.name, for example "postgresql".
	System string
}

var _ agent.Capped = (*Recorder)(nil)

// Recorder measures operations. It is safe for concurrent use.
type Recorder struct {
	agent  *agent.Agent
	target Target
	series *metrics.Cache[key, *metrics.Observer]

	mu    sync.RWMutex
	texts map[string]sqlsig.Signature
}

type key struct{ operation, signature string }

type kitKey struct{ target Target }

// New returns the agent's recorder for a target, which all adapters to it
// share: so its caps hold however many tracers and pools there are. On a nil
// agent it returns nil, which records nothing.
func New(a *agent.Agent, t Target) *Recorder {
	if a == nil {
		return nil
	}
	return a.Kit(kitKey{t}, func(a *agent.Agent) any { return newRecorder(a, t) }).(*Recorder)
}

// Cap implements [agent.Capped].
func (r *Recorder) Cap() (label catalog.Label, values, most int) {
	return catalog.DBQuerySignature, r.series.Len(), maxSignatures
}

func newRecorder(a *agent.Agent, t Target) *Recorder {
	// An error means that the service registered another metric of this name;
	// the histogram then works and is not exported.
	duration, _ := metrics.Histogram(a.Registerer(), catalog.DBClientOperationDuration)
	return &Recorder{
		agent: a, target: t, texts: make(map[string]sqlsig.Signature),
		series: metrics.NewCache(maxSignatures,
			overflow,
			func(k key) *metrics.Observer {
				return metrics.NewObserver(catalog.DBClientOperationDuration,
					duration.WithLabelValues(t.System, k.operation, k.signature))
			}),
	}
}

// overflow is the key of what comes after maxSignatures. Its operation is one
// of the closed set of SQL; a cache's commands may be anything.
func overflow(k key) key {
	if !sqlsig.Known(k.operation) {
		k.operation = catalog.Overflow
	}
	k.signature = catalog.Overflow
	return k
}

// Signature returns the signature of a query, from memory where the same text
// was seen before.
func (r *Recorder) Signature(sql string) sqlsig.Signature {
	if r == nil {
		return sqlsig.Signature{}
	}
	r.mu.RLock()
	s, ok := r.texts[sql]
	r.mu.RUnlock()
	if ok {
		return s
	}
	s = sqlsig.Of(sql)
	if len(sql) <= maxText {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.texts) < maxTexts {
			r.texts[sql] = s
		}
	}
	return s
}

// Query is one operation.
type Query struct {
	// Operation, Signature and Summary as in sqlsig.Signature. Commands of a
	// cache have the command's name in all three.
	sqlsig.Signature
	// Namespace is the database, Host and Port the server; empty and 0 are
	// left out.
	Namespace, Host string
	Port            uint16
	// Batch is the number of statements, where there is more than one.
	Batch int
}

// Call is an operation that is under way.
type Call struct {
	call   *agent.Call
	series *metrics.Observer
	// Of an operation that is measured step by step: the time in which the
	// caller waited for it, so far.
	stepwise bool
	waited   time.Duration
}

// Start begins to measure an operation.
func (r *Recorder) Start(ctx context.Context, q Query) (context.Context, Call) {
	if r == nil {
		return ctx, Call{}
	}
	var room [8]attribute.KeyValue
	attrs := append(room[:0],
		attribute.String(catalog.AttrDBSystemName, r.target.System),
		attribute.String(catalog.AttrDBOperationName, q.Operation),
		attribute.String(catalog.AttrDBQueryText, q.Text),
	)
	if q.Namespace != "" {
		attrs = append(attrs, attribute.String(catalog.AttrDBNamespace, q.Namespace))
	}
	if q.Host != "" {
		attrs = append(attrs, attribute.String(catalog.AttrServerAddress, q.Host), attribute.Int(catalog.AttrServerPort, int(q.Port)))
	}
	if q.Batch > 1 {
		attrs = append(attrs, attribute.Int(catalog.AttrDBBatchSize, q.Batch))
	}
	info := agent.CallInfo{Component: r.target.Component, Name: q.Summary, Attributes: attrs}
	if r.target.Component == catalog.DB && !controls(q.Operation) {
		info.Query = q.Text
	}
	ctx, call := r.agent.StartCall(ctx, info)
	return ctx, Call{call: call, series: r.series.Get(key{q.Operation, q.Text})}
}

// controls reports whether an operation is about the session and not about
// data. A loop over rows that needs a transaction for each repeats those too,
// but what there is to say of it is said of its queries.
func controls(operation string) bool {
	switch operation {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET", "PING":
		return true
	}
	return false
}

// Wait charges the time until done is called to the component, without a span:
// for waiting until a connection is free.
func (r *Recorder) Wait(ctx context.Context) (done func()) {
	if r == nil {
		return func() {}
	}
	step := r.Step(ctx)
	return func() { step.End() }
}

// Step is [Recorder.Wait] without an allocation. Its end must follow.
func (r *Recorder) Step(ctx context.Context) agent.Step {
	if r == nil {
		return agent.Step{}
	}
	return r.agent.Charge(ctx, r.target.Component, false)
}

// Pause gives the word back to the caller between two parts of a result: from
// now on only the time between [Call.Resume] and [Call.Booked] is the operation's. See
// [agent.Call.Pause].
func (c *Call) Pause() {
	if c.call != nil {
		c.stepwise, c.waited = true, c.call.Pause()
	}
}

// Resume begins a step of a paused operation; give it to [Call.Booked].
func (c *Call) Resume() agent.Step { return c.call.Resume() }

// Booked ends a step. Steps of one operation must not overlap.
func (c *Call) Booked(s agent.Step) { c.waited += s.End() }

// failure stands for an error in a span: its class. The text of an error may
// quote the values of a query and must not leave the process.
type failure string

// Error implements error.
func (f failure) Error() string { return string(f) }

// End books the operation. errorType is the class of the error, such as an SQL
// state; rows is the number of rows returned or affected, or negative where it
// is not known. The duration that is observed is that in which the caller waited.
func (c Call) End(err error, errorType string, rows int64) {
	if c.call == nil {
		return
	}
	var room [2]attribute.KeyValue
	attrs := room[:0]
	if err != nil {
		attrs = append(attrs, attribute.String(catalog.AttrErrorType, errorType))
		err = failure(errorType)
	}
	if rows >= 0 {
		c.call.SetRows(rows)
		attrs = append(attrs, attribute.Int64(catalog.AttrDBRows, rows))
	}
	elapsed := c.call.End(err, attrs...)
	if c.stepwise {
		elapsed.Duration = c.waited
	}
	var id trace.TraceID
	if c.series.Wants(elapsed.Duration, elapsed.Time) {
		id = c.call.Exemplar()
	}
	c.series.Observe(elapsed.Duration, id)
}

// Port reads a port number, 0 where there is none.
func Port(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
