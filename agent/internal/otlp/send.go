package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// What a sender waits between two tries where the backend does not say how
// long: twice as long each time, give or take a half, so that services that
// lost their backend together do not come back together.
const (
	firstWait   = time.Second
	longestWait = 15 * time.Second
)

// maxAnswer bounds what is read of an answer, maxQuote what an error quotes of
// it.
const (
	maxAnswer = 64 << 10
	maxQuote  = 300
)

// Sender posts encoded batches to one endpoint. It is used by one goroutine at
// a time. Source: the OTLP/HTTP section of the OTLP specification 1.x.
type Sender struct {
	endpoint Endpoint
	client   *Client
	zip      *gzip.Writer // nil: not compressed
	zipped   bytes.Buffer
}

// NewSender returns a sender. Its errors name the certificate file that cannot
// be used. [Sender.Close] must follow.
func NewSender(e Endpoint) (*Sender, error) {
	client, err := NewClient(e)
	if err != nil {
		return nil, err
	}
	s := &Sender{endpoint: e, client: client}
	if e.Gzip {
		// The fastest level: a batch of spans gets 3 % larger than by the default
		// one, in half the time (BenchmarkCompress of package traces).
		s.zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one of gzip's own
	}
	return s, nil
}

// Send posts a message, which is not kept. Where the backend says that it may
// take it later (429, 502, 503, 504) or does not answer in time, it tries again,
// until ctx ends or the next try would come after that. A nil error means that
// the backend took all of it.
func (s *Sender) Send(ctx context.Context, message []byte) error {
	if s.zip != nil {
		s.zipped.Reset()
		s.zip.Reset(&s.zipped)
		_, err := s.zip.Write(message)
		if err := errors.Join(err, s.zip.Close()); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		message = s.zipped.Bytes()
	}
	wait := firstWait
	for {
		again, after, err := s.try(ctx, message)
		if err == nil || !again || ctx.Err() != nil {
			return err
		}
		after = max(after, time.Duration(float64(wait)*(0.5+rand.Float64()))) //nolint:gosec // not a secret
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < after {
			return err
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return err
		}
		wait = min(2*wait, longestWait)
	}
}

// BytesSent returns the bytes of request bodies sent so far, retries included.
func (s *Sender) BytesSent() uint64 { return s.client.BytesSent() }

// Close drops idle connections, so that no goroutine of the sender remains.
func (s *Sender) Close() { s.client.Close() }

// try posts once. Where that fails, it says whether to try again, and how long
// the backend asks to wait before.
func (s *Sender) try(ctx context.Context, message []byte) (again bool, after time.Duration, _ error) {
	body := &body{message: message}
	defer body.detach()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint.URL, body.reader())
	if err != nil {
		return false, 0, err
	}
	request.ContentLength = int64(len(message))
	// With it, a connection that the backend closed while it was idle is
	// replaced without a word.
	request.GetBody = func() (io.ReadCloser, error) { return body.reader(), nil }
	request.Header.Set("User-Agent", "plumbline")
	for name, value := range s.endpoint.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if s.zip != nil {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := s.client.Do(request)
	if err != nil {
		var failure *url.Error
		timeout := errors.As(err, &failure) && failure.Timeout()
		if failure != nil {
			err = failure.Err // without the address, which may hold a secret
		}
		return timeout, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		if err != nil {
			return false, 0, fmt.Errorf("read the answer: %w", err)
		}
		return false, 0, refused(response.Header.Get("Content-Type"), answer)
	}
	err = fmt.Errorf("%s: %s", response.Status, quote(answer))
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, retryAfter(response.Header.Get("Retry-After")), err
	}
	return false, 0, err
}

// quote returns the beginning of a backend's own words, as one line.
func quote(answer []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(answer[:min(len(answer), maxQuote)]), "")), " ")
	if text == "" {
		return "(no explanation)"
	}
	return text
}

// retryAfter reads a header of this name: seconds, or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return time.Until(date)
	}
	return 0
}

// refused reads the partial success of an answer: a backend that took a request
// may still have refused some of it. Its mere warnings are no refusals.
func refused(contentType string, answer []byte) error {
	if contentType != "application/x-protobuf" {
		return nil // many answer with nothing, or with "ok"
	}
	var partial []byte
	if err := fields(answer, func(f Field, _ uint64, b []byte) {
		if f == 1 {
			partial = b
		}
	}); err != nil {
		return err
	}
	var rejected uint64
	var message string
	if err := fields(partial, func(f Field, n uint64, b []byte) {
		switch f {
		case 1:
			rejected = n
		case 2:
			message = quote(b)
		}
	}); err != nil {
		return err
	}
	if rejected > 0 {
		return fmt.Errorf("the backend refused %d of a batch: %s", rejected, message)
	}
	return nil
}

// fields reads a message's fields: varints as n, and messages and strings as b.
func fields(message []byte, f func(f Field, n uint64, b []byte)) error {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return fmt.Errorf("read the answer as protobuf: %w", protowire.ParseError(size))
		}
		message = message[size:]
		var n uint64
		var b []byte
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			b, size = protowire.ConsumeBytes(message)
		default:
			size = protowire.ConsumeFieldValue(field, kind, message)
		}
		if size < 0 {
			return fmt.Errorf("read the answer as protobuf: %w", protowire.ParseError(size))
		}
		f(field, n, b)
		message = message[size:]
	}
	return nil
}

// body is a message that net/http may go on reading after it has answered, as
// it does where the backend answers before it has read all. Detached, there is
// nothing left to read, and the message may be overwritten.
type body struct {
	mu      sync.Mutex
	message []byte
}

var errDetached = errors.New("the request is over")

func (b *body) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.message = nil
}

func (b *body) reader() io.ReadCloser { return &bodyReader{body: b} }

type bodyReader struct {
	body *body
	at   int
}

// Read implements [io.Reader].
func (r *bodyReader) Read(p []byte) (int, error) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if r.body.message == nil {
		return 0, errDetached
	}
	n := copy(p, r.body.message[r.at:])
	r.at += n
	if r.at == len(r.body.message) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements [io.Closer].
func (*bodyReader) Close() error { return nil }
