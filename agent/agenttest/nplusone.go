package agenttest

import (
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/cacheu/plumbline/agent/internal/probe"
)

// NoNPlusOne serves a request with a handler and fails the test where the
// handler ran one query for each row of another: with the signature, the count,
// the place in the code and what to write instead.
//
//	rec := agenttest.New(t)
//	router := shop.NewRouter(rec.Agent(), db) // with agentgin.Middleware, and db measured
//	agenttest.NoNPlusOne(t, router, httptest.NewRequest(http.MethodGet, "/orders", nil))
//
// The handler may be built with any agent, as long as its middleware and its
// database adapter have the same one. The test also fails where nothing could
// have been found: no measured query ran, no query returned as many rows as
// make a finding (see Metrics.NPlusOne of agent.Config, 5 by default), or the
// answer's status is 400 or more.
func NoNPlusOne(tb TB, h http.Handler, r *http.Request) {
	tb.Helper()
	var seen probe.Probe
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(probe.With(r.Context(), &seen)))
	report := seen.Report()
	for _, f := range report.Findings {
		site := f.Site
		if site == "" {
			site = "an unknown place"
		}
		tb.Errorf("%s %s has an N+1 problem: a query ran %d times, %s in all, once for each row of another\n"+
			"  query:  %s\n  from:   %s\n  rows:   %s\n  fix:    %s",
			r.Method, f.Route, f.Count, f.Total.Round(time.Microsecond), f.Signature, site, f.Source, f.Fix)
	}
	switch {
	case w.Code >= http.StatusBadRequest:
		tb.Errorf("%s %s answered %d: a request that fails shows nothing about N+1 problems; make one that succeeds",
			r.Method, r.URL.Path, w.Code)
	case report.Queries == 0:
		tb.Errorf("%s %s ran no measured query, so that no N+1 problem could be seen: build the handler with the middleware of an agent "+
			"and its database with the adapter of the same agent, hand the request's context to each query, and leave Metrics.NPlusOne on",
			r.Method, r.URL.Path)
	case report.Rows < report.Threshold:
		tb.Errorf("%s %s read %d rows at most with one query, so that no N+1 problem could be seen: give the test data of which it reads %d or more",
			r.Method, r.URL.Path, report.Rows, report.Threshold)
	}
}
