package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"github.com/cacheu/plumbline/internal/contract/synth"
)

const (
	// shortFor is a little more than the shortest window of the rules.
	shortFor = 6 * time.Minute
	// senders is how many requests are sent at a time.
	senders = 2
	// sendTimeout bounds one request. It is long, because queries that take all
	// of the machine may be what is measured.
	sendTimeout = 5 * time.Minute
)

// feed sends what targets export, each target in a request of its own when it
// would be scraped: from the end of the history as fast as Prometheus takes it,
// and from then on as time passes.
type feed struct {
	history *history
	url     string
	client  *http.Client
	short   time.Time // where the short series begin

	// caughtUp is closed when all senders have reached the present.
	caughtUp chan struct{}
	waiting  atomic.Int32
	late     atomic.Int64 // the most that a request was late since then, in ns
}

func newFeed(h *history, url string, now time.Time) *feed {
	short := now.Add(-shortFor)
	if short.Before(h.end) {
		short = h.end
	}
	return &feed{
		history: h, url: url, client: &http.Client{Timeout: sendTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: senders}},
		short: short, caughtUp: make(chan struct{}),
	}
}

// behind is how late the feed was at most.
func (f *feed) behind() time.Duration { return time.Duration(f.late.Load()) }

// run sends until the context ends, which is no error.
func (f *feed) run(ctx context.Context) error {
	defer f.client.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for i := range senders {
		running.Go(func() {
			s := sender{feed: f, request: &prompb.WriteRequest{}}
			if err := s.run(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// sender sends what every so manieth target exports. Its buffers are used again.
type sender struct {
	feed     *feed
	request  *prompb.WriteRequest
	pairs    []labels.Label
	plain    []byte
	packed   []byte
	caughtUp bool
}

func (s *sender) run(ctx context.Context, first int) error {
	h := s.feed.history
	for tick := h.tick(h.end); ; tick++ {
		for i := first; i < len(h.population.Targets); i += senders {
			t := h.population.Targets[i]
			at := h.at(t, tick)
			if err := s.wait(ctx, at); err != nil {
				return nil // it was told to end
			}
			if err := s.send(ctx, t, tick, at); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("send samples to Prometheus: %w", err)
			}
		}
	}
}

// wait waits until it is time.
func (s *sender) wait(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left > 0 && !s.caughtUp {
		s.caughtUp = true
		if s.feed.waiting.Add(1) == senders {
			close(s.feed.caughtUp)
		}
	}
	if left <= 0 {
		if s.caughtUp && -left.Nanoseconds() > s.feed.late.Load() {
			s.feed.late.Store(-left.Nanoseconds())
		}
		return ctx.Err()
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sender) send(ctx context.Context, t *synth.Target, tick int64, at time.Time) error {
	list := s.request.Timeseries[:0]
	for _, series := range t.Series {
		if at.Before(s.feed.short) && t.Depth(series) == synth.Short {
			continue
		}
		if len(list) < cap(list) {
			list = list[:len(list)+1]
		} else {
			list = append(list, prompb.TimeSeries{})
		}
		s.fill(&list[len(list)-1], series, t, tick, at.UnixMilli())
	}
	s.request.Timeseries = list
	if size := s.request.Size(); size > cap(s.plain) {
		s.plain = make([]byte, size)
	}
	n, err := s.request.MarshalTo(s.plain[:cap(s.plain)])
	if err != nil {
		return err
	}
	s.packed = snappy.Encode(s.packed[:cap(s.packed)], s.plain[:n])
	return s.post(ctx)
}

// fill puts one sample of a series into an entry, which may have been used.
func (s *sender) fill(to *prompb.TimeSeries, series *synth.Series, t *synth.Target, tick, ms int64) {
	s.pairs = series.AppendLabels(s.pairs[:0], t)
	to.Labels = to.Labels[:0]
	for _, l := range s.pairs {
		to.Labels = append(to.Labels, prompb.Label{Name: l.Name, Value: l.Value})
	}
	to.Samples, to.Histograms = to.Samples[:0], to.Histograms[:0]
	if series.Native() {
		to.Histograms = append(to.Histograms, prompb.FromIntHistogram(ms, series.Histogram(t, tick)))
		return
	}
	to.Samples = append(to.Samples, prompb.Sample{Timestamp: ms, Value: series.Number(t, tick)})
}

func (s *sender) post(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.feed.url+"/api/v1/write", bytes.NewReader(s.packed))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "snappy")
	r.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	answer, err := s.feed.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("status %d: %.300s", answer.StatusCode, text)
	}
	return nil
}
