package traces_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/batch"
	"github.com/cacheu/plumbline/agent/internal/certtest"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// refusedURL is an address at which nobody listens.
func refusedURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String() + "/v1/traces"
}

// trouble is what can be wrong with a backend. Where a retry may help, the
// exporter keeps the batch and tries again, until the time for it is over.
var trouble = map[string]struct {
	answer func(http.ResponseWriter, *backend)
	kept   bool   // the batch is kept for a retry
	says   string // part of the error
}{
	"refused connections":                {says: "refused"}, // without an answer: nobody listens
	"status 500":                         {answer: status(500), says: "the backend's own words"},
	"status 401":                         {answer: status(401), says: "401"},
	"status 404":                         {answer: status(404), says: "404"},
	"status 413":                         {answer: status(413), says: "413"},
	"a redirect":                         {answer: status(302, "Location", "/elsewhere"), says: "302"},
	"status 429 with Retry-After":        {answer: status(429, "Retry-After", "1"), kept: true},
	"status 503":                         {answer: status(503), kept: true},
	"a black hole":                       {answer: hang, kept: true},
	"an answer that is cut off":          {answer: truncate, says: "EOF"},
	"an answer that is garbage":          {answer: garbage, says: "proto"},
	"a connection that is dropped":       {answer: hangUp, says: "EOF"},
	"an answer that comes after a while": {answer: func(w http.ResponseWriter, _ *backend) { <-time.After(30 * time.Millisecond) }},
}

func urlOf(t *testing.T, b *backend, answer func(http.ResponseWriter, *backend)) string {
	if answer == nil {
		return refusedURL(t)
	}
	b.behave(answer)
	return b.URL
}

// TestTroubleAtStart starts against a backend in trouble: Start does not care,
// ending spans is as fast as ever, and what is lost is counted.
func TestTroubleAtStart(t *testing.T) {
	t.Parallel()
	for name, bad := range trouble {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			leaktest.Run(t, func() {
				p, s := start(t, urlOf(t, b, bad.answer))
				record(p, "s", 5)
				if bad.kept {
					leaktest.Eventually(t, "the batch is tried", func() bool { return b.requests() > 0 || bad.answer == nil })
					if got := p.Stats(); got.Queued != 5 {
						t.Errorf("%+v: the batch is not kept for a retry", got)
					}
				} else if err := p.Flush(t.Context()); err != nil {
					t.Errorf("flush: %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				err := p.Stop(ctx)
				want := batch.Stats{Produced: 5, Dropped: map[string]uint64{catalog.ReasonExport: 5}}
				wantStates := []string{"down"}
				switch {
				case bad.kept: // that the time was over is no fault of the backend
					want = batch.Stats{Produced: 5, Up: true, Dropped: map[string]uint64{catalog.ReasonShutdown: 5}}
					wantStates = []string{}
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("stop: %v, want its context's error", err)
					}
				case bad.says == "": // slow, and well
					want = batch.Stats{Produced: 5, Sent: 5, Up: true, Dropped: map[string]uint64{}}
					wantStates = []string{}
				default:
					if err != nil {
						t.Errorf("stop: %v", err)
					}
					if !strings.Contains(s.errs[0].Error(), bad.says) {
						t.Errorf("the state is %v, want one with %q", s.errs[0], bad.says)
					}
				}
				if got := p.Stats(); !reflect.DeepEqual(got, want) {
					t.Errorf("stats %+v, want %+v", got, want)
				}
				if got := s.all(); !slices.Equal(got, wantStates) {
					t.Errorf("states %q, want %q", got, wantStates)
				}
			})
		})
	}
}

// TestTroubleUnderLoad breaks a backend in the middle, and repairs it.
func TestTroubleUnderLoad(t *testing.T) {
	t.Parallel()
	for name, bad := range trouble {
		if bad.answer == nil || bad.kept || bad.says == "" {
			continue // these have no end within the test's patience, or no fault
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			p, s := start(t, b.URL)
			flush := func(name string) {
				t.Helper()
				record(p, name, 3)
				if err := p.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				checkAccount(t, p.Stats())
			}
			flush("before")
			b.behave(bad.answer)
			flush("during")
			flush("during")
			b.behave(nil)
			flush("after")
			stop(t, p)
			want := batch.Stats{Produced: 12, Sent: 6, Up: true, Dropped: map[string]uint64{catalog.ReasonExport: 6}}
			if got := p.Stats(); !reflect.DeepEqual(got, want) {
				t.Errorf("stats %+v, want %+v", got, want)
			}
			if got := s.all(); !slices.Equal(got, []string{"down", "up"}) {
				t.Errorf("states %q, want one down and one up", got)
			}
			if got, want := b.names(), slices.Concat(slices.Repeat([]string{"before"}, 3), slices.Repeat([]string{"after"}, 3)); !slices.Equal(got, want) {
				t.Errorf("arrived %q, want %q", got, want)
			}
		})
	}
}

// TestABlackHoleUnderLoad: the queue fills, the newest spans are dropped and
// counted, and nobody waits.
func TestABlackHoleUnderLoad(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	b.behave(hang)
	p, _ := start(t, b.URL, func(c *traces.Config) { c.Capacity = 100 })
	record(p, "s", 1000)
	want := batch.Stats{Produced: 1000, Queued: 100, Up: true, Dropped: map[string]uint64{catalog.ReasonQueueFull: 900}}
	if got := p.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "spans") {
		t.Errorf("stop: %v", err)
	}
	record(p, "late", 3)
	want = batch.Stats{Produced: 1003, Up: true, Dropped: map[string]uint64{catalog.ReasonQueueFull: 900, catalog.ReasonShutdown: 103}}
	if got := p.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestARetryLosesNothing waits for the exporter's own policy to try again, a
// few seconds after a 429.
func TestARetryLosesNothing(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	b.behave(func(w http.ResponseWriter, b *backend) {
		b.behave(nil)
		status(429, "Retry-After", "1")(w, b)
	})
	p, s := start(t, b.URL)
	record(p, "s", 5)
	ctx, cancel := context.WithTimeout(t.Context(), leaktest.Patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got, want := p.Stats(), (batch.Stats{Produced: 5, Sent: 5, Up: true, Dropped: map[string]uint64{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if len(s.all()) != 0 || b.requests() != 2 {
		t.Errorf("states %q and %d requests, want none and 2", s.all(), b.requests())
	}
}

func TestAWrongCertificateIsCounted(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is what the test is about
	server.StartTLS()
	defer server.Close()
	p, s := start(t, server.URL, func(c *traces.Config) { c.Endpoint.CAFile = certtest.New(t).File })
	record(p, "s", 2)
	stop(t, p)
	if got, want := p.Stats(), (batch.Stats{Produced: 2, Dropped: map[string]uint64{catalog.ReasonExport: 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if len(s.errs) != 1 || !strings.Contains(s.errs[0].Error(), "unknown authority") {
		t.Errorf("states %v, want one about the authority", s.errs)
	}
}
