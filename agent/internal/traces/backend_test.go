package traces_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/otlp"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// backend is an OTLP endpoint that can be told how to answer.
type backend struct {
	*httptest.Server
	hung chan struct{} // closed at the end: those that hang may go

	mu      sync.Mutex
	answer  func(http.ResponseWriter, *backend) // nil accepts
	spans   []*tracepb.Span
	batches []*tracepb.ResourceSpans
	headers []http.Header
	asked   int
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{hung: make(chan struct{})}
	b.Server = httptest.NewServer(b)
	t.Cleanup(func() {
		close(b.hung)
		b.Close()
	})
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	spans, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.asked++
	answer := b.answer
	if answer == nil {
		b.headers = append(b.headers, r.Header)
		for _, rs := range spans {
			b.batches = append(b.batches, rs)
			for _, ss := range rs.GetScopeSpans() {
				b.spans = append(b.spans, ss.GetSpans()...)
			}
		}
	}
	b.mu.Unlock()
	if answer != nil {
		answer(w, b)
	}
}

func read(r *http.Request) ([]*tracepb.ResourceSpans, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	request := &coltracepb.ExportTraceServiceRequest{}
	err = errors.Join(err, proto.Unmarshal(data, request))
	return request.GetResourceSpans(), err
}

// behave sets how the backend answers from now on.
func (b *backend) behave(answer func(http.ResponseWriter, *backend)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

func (b *backend) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

func (b *backend) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, s := range b.spans {
		names = append(names, s.GetName())
	}
	return names
}

// Ways to answer badly.
func status(code int, header ...string) func(http.ResponseWriter, *backend) {
	return func(w http.ResponseWriter, _ *backend) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, "the backend's own words", code)
	}
}

func hang(_ http.ResponseWriter, b *backend) { <-b.hung }

func truncate(w http.ResponseWriter, _ *backend) {
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "short")
}

func garbage(w http.ResponseWriter, _ *backend) {
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = io.WriteString(w, "\xff\xff\xff\xff")
}

// partial takes a request and refuses so many of its spans.
func partial(rejected int64) func(http.ResponseWriter, *backend) {
	return func(w http.ResponseWriter, _ *backend) {
		answer, _ := proto.Marshal(&coltracepb.ExportTraceServiceResponse{
			PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: "too old"},
		})
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}
}

func hangUp(http.ResponseWriter, *backend) { panic(http.ErrAbortHandler) }

// states keeps what OnState was told.
type states struct {
	mu   sync.Mutex
	errs []error
}

func (s *states) add(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// all returns the changes as words: "down" and "up".
func (s *states) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	words := []string{}
	for _, err := range s.errs {
		if err != nil {
			words = append(words, "down")
		} else {
			words = append(words, "up")
		}
	}
	return words
}

func start(t *testing.T, url string, options ...func(*traces.Config)) (*traces.Pipeline, *states) {
	t.Helper()
	s := &states{}
	config := traces.Config{
		Endpoint: otlp.Endpoint{URL: url, Timeout: 10 * time.Second},
		Resource: resource.NewSchemaless(attribute.String(catalog.ResServiceName, "shop")),
		Ratio:    1,
		Capacity: 1000,
		OnState:  s.add,
	}
	for _, set := range options {
		set(&config)
	}
	p, err := traces.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// record ends n spans of the given name.
func record(p *traces.Pipeline, name string, n int) {
	tracer := p.Provider().Tracer("test")
	for range n {
		_, span := tracer.Start(context.Background(), name)
		span.End()
	}
}

func stop(t *testing.T, p *traces.Pipeline) {
	t.Helper()
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func checkAccount(t *testing.T, s batch.Stats) {
	t.Helper()
	sum := s.Sent + s.Queued
	for _, n := range s.Dropped {
		sum += n
	}
	if sum != s.Produced {
		t.Errorf("produced %d != sent %d + dropped %v + queued %d", s.Produced, s.Sent, s.Dropped, s.Queued)
	}
}
