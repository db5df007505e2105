package dbcall_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/dbcall"
	"github.com/cacheu/plumbline/agent/internal/sqlsig"
)

var postgres = dbcall.Target{Component: catalog.DB, System: "postgresql"}

// query runs one operation that takes d.
func query(ctx context.Context, r *dbcall.Recorder, sql string, d time.Duration) {
	_, call := r.Start(ctx, dbcall.Query{Signature: r.Signature(sql)})
	<-time.After(d)
	call.End(nil, "", -1)
}

// TestOperationsAreBookedExactly runs on a clock of its own: a query of 3 ms is
// one of 3 ms, in the histogram, the span and the request's account.
func TestOperationsAreBookedExactly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recorder := agenttest.New(t)
		a := recorder.Agent()
		r := dbcall.New(a, postgres)
		request, served := a.StartRequest(httptest.NewRequest(http.MethodGet, "/users/7", nil), "/users/:id")
		ctx := served.Context()

		done := r.Wait(ctx) // for a connection
		<-time.After(time.Millisecond)
		done()
		_, call := r.Start(ctx, dbcall.Query{
			Signature: r.Signature("SELECT * FROM users WHERE id = 7"), Namespace: "shop", Host: "db.local", Port: 5432, Batch: 2,
		})
		<-time.After(3 * time.Millisecond)
		call.End(nil, "", 1)
		<-time.After(6 * time.Millisecond)
		request.End(agent.Response{Status: 200})

		series := recorder.Metric(catalog.DBClientOperationDuration)
		if len(series) != 1 {
			t.Fatalf("%d series, want 1", len(series))
		}
		want := map[string]string{
			string(catalog.ServiceName): "test", string(catalog.DBSystemName): "postgresql", string(catalog.DBOperationName): "SELECT",
			string(catalog.DBQuerySignature): "SELECT * FROM users WHERE id = ?",
		}
		if got := agenttest.Labels(series[0]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("labels %v, want %v", got, want)
		}
		h := series[0].GetHistogram()
		if h.GetSampleCount() != 1 || h.GetSampleSum() != 0.003 {
			t.Errorf("%d observations of %g s in all, want one of 0.003", h.GetSampleCount(), h.GetSampleSum())
		}
		for component, want := range map[string][2]float64{"db": {0.004, 1}, "self": {0.006, 1}} {
			seconds := value(recorder.Metric(catalog.HTTPServerComponentSeconds), component)
			calls := value(recorder.Metric(catalog.HTTPServerComponentCalls), component)
			if seconds != want[0] || calls != want[1] {
				t.Errorf("%s: %g s in %g calls, want %g in %g", component, seconds, calls, want[0], want[1])
			}
		}
		checkSpan(t, recorder)
	})
}

func value(series []*dto.Metric, component string) float64 {
	for _, s := range series {
		if agenttest.Labels(s)["component"] == component {
			return s.GetCounter().GetValue()
		}
	}
	return -1
}

func checkSpan(t *testing.T, recorder *agenttest.Recorder) {
	t.Helper()
	spans := recorder.Spans()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want those of the query and the request", len(spans))
	}
	s := spans[0]
	if s.Name() != "SELECT users" || s.Parent().SpanID() != spans[1].SpanContext().SpanID() {
		t.Errorf("span %q below %s, want SELECT users below the request", s.Name(), s.Parent().SpanID())
	}
	if d := s.EndTime().Sub(s.StartTime()); d != 3*time.Millisecond {
		t.Errorf("the span takes %s, want 3ms", d)
	}
	want := []attribute.KeyValue{
		attribute.String(catalog.AttrDBSystemName, "postgresql"),
		attribute.String(catalog.AttrDBOperationName, "SELECT"),
		attribute.String(catalog.AttrDBQueryText, "SELECT * FROM users WHERE id = ?"),
		attribute.String(catalog.AttrDBNamespace, "shop"),
		attribute.String(catalog.AttrServerAddress, "db.local"),
		attribute.Int(catalog.AttrServerPort, 5432),
		attribute.Int(catalog.AttrDBBatchSize, 2),
		attribute.Int64(catalog.AttrDBRows, 1),
	}
	if got := s.Attributes(); !slices.Equal(got, want) {
		t.Errorf("attributes\n got %v\nwant %v", got, want)
	}
}

// TestAPausedOperationIsChargedByItsSteps: while a caller works on the rows it
// has, the database is not what its user waits for.
func TestAPausedOperationIsChargedByItsSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recorder := agenttest.New(t)
		a := recorder.Agent()
		r := dbcall.New(a, postgres)
		request, served := a.StartRequest(httptest.NewRequest(http.MethodGet, "/", nil), "/")
		_, call := r.Start(served.Context(), dbcall.Query{Signature: r.Signature("SELECT 1")})
		<-time.After(2 * time.Millisecond)
		call.Pause()
		for range 3 {
			<-time.After(10 * time.Millisecond) // the caller's
			step := call.Resume()
			<-time.After(time.Millisecond)
			call.Booked(step)
		}
		call.End(nil, "", 3)
		request.End(agent.Response{})
		if got := recorder.Metric(catalog.DBClientOperationDuration)[0].GetHistogram().GetSampleSum(); got != 0.005 {
			t.Errorf("the operation took %g s, want 0.005", got)
		}
		if got := value(recorder.Metric(catalog.HTTPServerComponentSeconds), "db"); got != 0.005 {
			t.Errorf("the request was in the database for %g s, want 0.005", got)
		}
	})
}

// TestErrorsLeaveTheProcessAsClasses: the text of a database's error may quote
// the values of the query.
func TestErrorsLeaveTheProcessAsClasses(t *testing.T) {
	t.Parallel()
	recorder := agenttest.New(t)
	r := dbcall.New(recorder.Agent(), postgres)
	_, call := r.Start(t.Context(), dbcall.Query{Signature: r.Signature("INSERT INTO users (email) VALUES ('hunter2@example.com')")})
	call.End(errors.New(`duplicate key: (email)=(hunter2@example.com)`), "23505", -1)
	s := recorder.Spans()[0]
	if s.Status().Code != codes.Error || s.Status().Description != "23505" {
		t.Errorf("status %+v, want an error of class 23505", s.Status())
	}
	if !slices.Contains(s.Attributes(), attribute.String(catalog.AttrErrorType, "23505")) {
		t.Errorf("attributes %v lack the class", s.Attributes())
	}
	all := fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Status(), recorder.Lines(), recorder.Metric(catalog.DBClientOperationDuration))
	if strings.Contains(all, "hunter2") {
		t.Errorf("a value left the process: %s", all)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		target dbcall.Target
		query  func(r *dbcall.Recorder, i int) sqlsig.Signature
		most   int
		rest   map[string]string // operation to signature of what is past the cap
	}{
		"queries that are built from values": {
			postgres, func(r *dbcall.Recorder, i int) sqlsig.Signature {
				return r.Signature(fmt.Sprintf("SELECT c%d FROM t", i))
			},
			501, map[string]string{"SELECT": "other"},
		},
		"texts that are no SQL": {
			postgres, func(r *dbcall.Recorder, i int) sqlsig.Signature { return r.Signature(fmt.Sprintf("word%d x", i)) },
			501, map[string]string{"other": "other"},
		},
		"commands that do not exist": {
			dbcall.Target{Component: catalog.Cache, System: "redis"},
			func(_ *dbcall.Recorder, i int) sqlsig.Signature {
				name := fmt.Sprintf("CMD%d", i)
				return sqlsig.Signature{Text: name, Operation: name, Summary: name}
			},
			501, map[string]string{"other": "other"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := agenttest.New(t)
			r := dbcall.New(recorder.Agent(), test.target)
			const operations = 1500
			for i := range operations {
				_, call := r.Start(t.Context(), dbcall.Query{Signature: test.query(r, i)})
				call.End(nil, "", -1)
			}
			series := recorder.Metric(catalog.DBClientOperationDuration)
			if len(series) > test.most {
				t.Errorf("%d series, want at most %d", len(series), test.most)
			}
			var sum, rest uint64
			for _, s := range series {
				n := s.GetHistogram().GetSampleCount()
				sum += n
				if l := agenttest.Labels(s); l[string(catalog.DBQuerySignature)] == "other" {
					rest += n
					if _, ok := test.rest[l[string(catalog.DBOperationName)]]; !ok {
						t.Errorf("what is past the cap has operation %q", l[string(catalog.DBOperationName)])
					}
				}
			}
			if sum != operations || rest != operations-500 {
				t.Errorf("%d observations, %d of them past the cap; want %d and %d", sum, rest, operations, operations-500)
			}
		})
	}
}

func TestHostileTextsDoNotPanic(t *testing.T) {
	t.Parallel()
	recorder := agenttest.New(t)
	r := dbcall.New(recorder.Agent(), postgres)
	for _, sql := range []string{"", "\x00", "SELECT \xff", "\xfe\xff", strings.Repeat("SELECT é, ", 5000), "' OR 1=1 --", "\n", "𝄞"} {
		query(t.Context(), r, sql, 0)
	}
	for _, s := range recorder.Metric(catalog.DBClientOperationDuration) {
		if n := len(agenttest.Labels(s)[string(catalog.DBQuerySignature)]); n > sqlsig.MaxLength {
			t.Errorf("a signature has %d bytes", n)
		}
	}
	recorder.Spans() // would fail to be flushed
}

func TestSignatureIsTheSameFromMemory(t *testing.T) {
	t.Parallel()
	recorder := agenttest.New(t)
	r := dbcall.New(recorder.Agent(), postgres)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 3000 { // more than are remembered
				sql := fmt.Sprintf("SELECT * FROM t%d WHERE a = %d", i, i)
				if got, want := r.Signature(sql), sqlsig.Of(sql); got != want {
					t.Errorf("Signature(%q) = %+v, want %+v", sql, got, want)
				}
			}
		})
	}
	wg.Wait()
	huge := "SELECT " + strings.Repeat("x, ", 100_000) + "y"
	if got, want := r.Signature(huge), sqlsig.Of(huge); got != want {
		t.Errorf("a huge text has signature %.40q", got.Text)
	}
}

func TestANilAgentMeasuresNothing(t *testing.T) {
	t.Parallel()
	r := dbcall.New(nil, postgres)
	if r != nil {
		t.Fatalf("recorder %v, want nil", r)
	}
	if got := r.Signature("SELECT 1"); got != (sqlsig.Signature{}) {
		t.Errorf("signature %+v", got)
	}
	ctx, call := r.Start(t.Context(), dbcall.Query{})
	if ctx != t.Context() {
		t.Error("the context is another")
	}
	call.Pause()
	call.Booked(call.Resume())
	call.End(errors.New("x"), "y", 1)
	r.Wait(t.Context())()
	r.Step(t.Context()).End()
}

func TestPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint16{"5432": 5432, "0": 0, "65535": 65535, "65536": 0, "-1": 0, "": 0, "postgres": 0, " 5432": 0} {
		if got := dbcall.Port(text); got != want {
			t.Errorf("Port(%q) = %d, want %d", text, got, want)
		}
	}
}
