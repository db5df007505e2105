package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/cacheu/plumbline/internal/contract/synth"
)

const (
	// summedFor is as long as the longest window of the burn alerts.
	summedFor = 72 * time.Hour
	// hourFor is a little more than the longest window of rules on raw series.
	hourFor = 65 * time.Minute
	// margin is what queries read before their time range: the window of a rate.
	margin = 10 * time.Minute
	// blockLength is what Prometheus itself writes.
	blockLength = 2 * time.Hour
	// writers is how many blocks are written at a time.
	writers = 2
)

// history is the past of a population: everything up to end is in blocks.
type history struct {
	population *synth.Population
	epoch, end time.Time
	whole      time.Duration
	samples    atomic.Int64
}

func newHistory(p *synth.Population, now time.Time, hours int) *history {
	end := now.Truncate(synth.RecordInterval)
	return &history{population: p, epoch: end.Add(-2 * summedFor), end: end, whole: time.Duration(hours)*time.Hour + margin}
}

// from is where a series that is worth so much begins.
func (h *history) from(d synth.Depth) time.Time {
	switch d {
	case synth.Whole:
		return h.end.Add(-h.whole)
	case synth.Hour:
		return h.end.Add(-min(hourFor, h.whole))
	default:
		return h.end
	}
}

// tick is the number of the first interval that begins at t or later.
func (h *history) tick(t time.Time) int64 {
	return int64((t.Sub(h.epoch) + synth.Interval - 1) / synth.Interval)
}

// at is when a target is scraped in an interval.
func (h *history) at(t *synth.Target, tick int64) time.Time {
	return h.epoch.Add(time.Duration(tick)*synth.Interval + t.Phase)
}

// write writes the blocks into a folder, which becomes that of a Prometheus.
func (h *history) write(ctx context.Context, dir string) (Stored, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Stored{}, err
	}
	starts := make(chan time.Time)
	go func() {
		defer close(starts)
		for t := h.end.Add(-max(summedFor, h.whole)).Truncate(blockLength); t.Before(h.end); t = t.Add(blockLength) {
			starts <- t
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for start := range starts {
				if ctx.Err() != nil {
					continue // let the others end
				}
				if err := h.block(ctx, dir, start); err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	depths, all := h.population.Count()
	return Stored{
		Samples: h.samples.Load(), Short: depths[synth.Short], Hour: depths[synth.Hour],
		Whole: depths[synth.Whole], All: all, Recorded: len(h.population.Recorded),
	}, context.Cause(ctx)
}

// block writes what lies within one block.
func (h *history) block(ctx context.Context, dir string, start time.Time) (err error) {
	// The writer refuses what is older than half of a block's length before the
	// newest sample, so it is told of a block of twice the length.
	w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, 2*blockLength.Milliseconds())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	stop := start.Add(blockLength)
	if stop.After(h.end) {
		stop = h.end
	}
	for _, t := range h.population.Targets {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := h.commit(ctx, w, func(a storage.Appender) error { return h.target(a, t, start, stop) }); err != nil {
			return err
		}
	}
	if err := h.commit(ctx, w, func(a storage.Appender) error { return h.recorded(a, start, stop) }); err != nil {
		return err
	}
	_, err = w.Flush(ctx)
	return err
}

func (h *history) commit(ctx context.Context, w *tsdb.BlockWriter, appending func(storage.Appender) error) error {
	a := w.Appender(ctx)
	if err := appending(a); err != nil {
		return errors.Join(err, a.Rollback())
	}
	return a.Commit()
}

func (h *history) target(a storage.Appender, t *synth.Target, start, stop time.Time) error {
	for _, s := range t.Series {
		from := h.from(t.Depth(s))
		if from.Before(start) {
			from = start
		}
		var ref storage.SeriesRef
		var l labels.Labels
		for tick := h.tick(from.Add(-t.Phase)); ; tick++ {
			at := h.at(t, tick)
			if !at.Before(stop) {
				break
			}
			if ref == 0 {
				l = labels.New(s.AppendLabels(nil, t)...)
			}
			var err error
			if s.Native() {
				ref, err = a.AppendHistogram(ref, l, at.UnixMilli(), s.Histogram(t, tick), nil)
			} else {
				ref, err = a.Append(ref, l, at.UnixMilli(), s.Number(t, tick))
			}
			if err != nil {
				return err
			}
			h.samples.Add(1)
		}
	}
	return nil
}

func (h *history) recorded(a storage.Appender, start, stop time.Time) error {
	for _, r := range h.population.Recorded {
		from := h.end.Add(-h.whole)
		if r.Summed {
			from = h.end.Add(-max(summedFor, h.whole))
		}
		if from.Before(start) {
			from = start
		}
		var ref storage.SeriesRef
		l := labels.New(r.Labels...)
		for at := from.Truncate(synth.RecordInterval); at.Before(stop); at = at.Add(synth.RecordInterval) {
			if at.Before(start) {
				continue
			}
			var err error
			if ref, err = a.Append(ref, l, at.UnixMilli(), r.Value); err != nil {
				return err
			}
			h.samples.Add(1)
		}
	}
	return nil
}
