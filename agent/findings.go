package agent

import (
	"regexp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/callsite"
	"github.com/cacheu/plumbline/agent/internal/logs"
	"github.com/cacheu/plumbline/agent/internal/metrics"
	"github.com/cacheu/plumbline/agent/internal/nplusone"
	"github.com/cacheu/plumbline/agent/internal/probe"
)

// maxFindingSeries caps the routes and signatures of N+1 findings.
const maxFindingSeries = 200

// findings is the N+1 detection that all requests of an agent share.
type findings struct {
	threshold int // 0: detection is off
	sites     callsite.Finder
	series    *metrics.Cache[findingKey, prometheus.Counter]
}

type findingKey struct{ route, signature string }

func newFindings(r prometheus.Registerer, threshold int) (*findings, error) {
	counter, err := metrics.Counter(r, catalog.DBClientNPlusOne)
	if err != nil {
		return nil, err
	}
	return &findings{threshold: max(0, threshold), series: metrics.NewCache(maxFindingSeries,
		func(findingKey) findingKey { return findingKey{catalog.Overflow, catalog.Overflow} },
		func(k findingKey) prometheus.Counter { return counter.WithLabelValues(k.route, k.signature) }),
	}, nil
}

// queries watches the queries of one request. Goroutines of the request share
// it.
type queries struct {
	mu       sync.Mutex
	detector nplusone.Detector
}

func (q *queries) start(f *findings, signature string, at time.Duration) nplusone.Token {
	q.mu.Lock()
	repeated := q.detector.Repeated(signature)
	q.mu.Unlock()
	query := nplusone.Query{Signature: signature}
	if repeated { // outside the lock: walking the stack takes its time
		query.Site = f.sites.Find()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.detector.Start(query, at)
}

func (q *queries) end(t nplusone.Token, rows int, at time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.detector.End(t, rows, at)
}

// report counts, marks and logs what the request's queries add up to.
func (q *Request) report() bool {
	f := q.agent.findings
	if f.threshold == 0 {
		return false
	}
	q.queries.mu.Lock()
	found := q.queries.detector.Findings(f.threshold)
	runs, rows := q.queries.detector.Seen()
	q.queries.mu.Unlock()
	if runs == 0 {
		return false
	}
	seen := probe.Report{Queries: runs, Rows: rows, Threshold: f.threshold}
	for _, n := range found {
		// They become labels; signatures of this module's adapters are clean.
		n.Signature, n.Source = clean(n.Signature, 1024), clean(n.Source, 1024)
		site, fix := callsite.Describe(n.Site), batched(n.Signature)
		seen.Findings = append(seen.Findings, probe.Finding{
			Route: q.route, Signature: n.Signature, Source: n.Source, Site: site, Fix: fix, Count: n.Count, Total: n.Total,
		})
		f.series.Get(findingKey{q.route, n.Signature}).Inc()
		q.span.AddEvent(catalog.EventNPlusOne, trace.WithAttributes(
			attribute.String(catalog.AttrSignature, n.Signature),
			attribute.String(catalog.AttrSource, n.Source),
			attribute.Int(catalog.AttrCount, n.Count),
			attribute.Float64(catalog.AttrTotal, n.Total.Seconds()),
			attribute.String(catalog.AttrCallSite, site),
		))
		q.agent.logs.Put(q.agent.logs.NewLine(q.span.SpanContext(), logs.Warn).
			Str(catalog.LogMessage, "N+1 queries: one query ran for each row of another").
			Str(catalog.LogRoute, q.route).
			Str(catalog.LogSignature, n.Signature).
			Str(catalog.LogSource, n.Source).
			Int(catalog.LogCount, int64(n.Count)).
			Seconds(catalog.LogTotal, n.Total).
			Str(catalog.LogCallSite, site).
			Str(catalog.LogFix, fix))
	}
	probe.From(q.outer).Add(seen)
	return len(found) > 0
}

// equality finds the first column that is compared with one value.
var equality = regexp.MustCompile(`(?i)(\bwhere\s+(?:.*?\s)?)([\w."]+)\s*=\s*\?`)

// batched returns the form of a repeated query that asks once for all rows.
func batched(signature string) string {
	if fixed := equality.ReplaceAllString(signature, "${1}${2} = ANY(?)"); fixed != signature {
		return "ask once for all: " + fixed + " -- or JOIN it to the query before"
	}
	return "ask once for all rows: a JOIN, a list of values, or one batch"
}
