package otlp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cacheu/plumbline/agent/internal/otlp"
)

func newSender(t *testing.T, h http.HandlerFunc) *otlp.Sender {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s, err := otlp.NewSender(otlp.Endpoint{URL: server.URL, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestAnAnswerBeforeTheEnd: a backend that answers without having read the
// request may be still being sent it, while the sender's caller fills the buffer
// with the next batch. The race detector watches.
func TestAnAnswerBeforeTheEnd(t *testing.T) {
	t.Parallel()
	s := newSender(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	message := make([]byte, 8<<20)
	for i := range 5 {
		for at := range message {
			message[at] = byte(i)
		}
		if err := s.Send(t.Context(), message); err == nil {
			t.Error("an answer of 413 is no error")
		}
	}
}

// TestTriesAgain: what a backend may take later is sent again, whole.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	message := bytes.Repeat([]byte("spans"), 10_000)
	for _, status := range []int{429, 502, 503, 504} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			s := newSender(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if !bytes.Equal(body, message) {
					t.Errorf("%d bytes arrived, want %d", len(body), len(message))
				}
				if asked.Add(1) == 1 {
					w.WriteHeader(status)
				}
			})
			if err := s.Send(t.Context(), message); err != nil || asked.Load() != 2 {
				t.Errorf("error %v after %d requests, want none after 2", err, asked.Load())
			}
			if got, want := s.BytesSent(), uint64(2*len(message)); got != want {
				t.Errorf("%d bytes are counted, want %d", got, want)
			}
		})
	}
}

// TestDoesNotWaitInVain: a wait that would outlive the context is not begun.
func TestDoesNotWaitInVain(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"seconds": "3600",
		"a date":  time.Now().Add(time.Hour).UTC().Format(http.TimeFormat),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				http.Error(w, "too\nbusy", http.StatusServiceUnavailable)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
			defer cancel()
			if err := s.Send(ctx, []byte("spans")); err == nil || !strings.Contains(err.Error(), "503 Service Unavailable: too busy") {
				t.Errorf("error %v, want the backend's", err)
			}
		})
	}
}

func TestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newSender(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		time.AfterFunc(10*time.Millisecond, cancel)
	})
	if err := s.Send(ctx, []byte("spans")); err == nil {
		t.Error("no error")
	}
}

// TestMessagesOfEachLength: the length before a message takes as many bytes as
// it needs.
func TestMessagesOfEachLength(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 16_383, 16_384, 1 << 21} {
		inner := bytes.Repeat([]byte{7}, n)
		b, outer := otlp.Begin([]byte("before"), 1)
		b, message := otlp.Begin(b, 16)
		b = otlp.End(append(b, inner...), message)
		b = otlp.Varint(otlp.End(b, outer), 2, 5)

		want := protowire.AppendBytes(protowire.AppendTag(nil, 16, protowire.BytesType), inner)
		want = protowire.AppendBytes(protowire.AppendTag([]byte("before"), 1, protowire.BytesType), want)
		want = protowire.AppendVarint(protowire.AppendTag(want, 2, protowire.VarintType), 5)
		if !bytes.Equal(b, want) {
			t.Errorf("a message of %d bytes is encoded wrong", n)
		}
	}
}
