package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cacheu/plumbline/internal/contract/boards"
	"github.com/cacheu/plumbline/internal/contract/stores"
	"github.com/cacheu/plumbline/internal/contract/synth"
	"github.com/cacheu/plumbline/internal/measured"
)

const (
	// pixels is how wide a panel is: as wide as a screen.
	pixels = 1280
	// giveUp bounds one query: Grafana waits for a data source no longer.
	giveUp = 30 * time.Second
	// onceFrom is where a query is so slow that it is not sent again.
	onceFrom = time.Second
	// tooLong is where a dashboard is so slow that the rest of it is not asked.
	tooLong = 30 * time.Second
)

// Span is what the dashboards took over a time range.
type Span struct {
	Hours  int     `json:"hours"`
	Boards []Board `json:"dashboards"`
}

// Board is what the queries of a dashboard took.
type Board struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
	// Variables is how long it took to fill the choices in, in seconds.
	Variables float64 `json:"variables_seconds"`
	// Error is why they could not be filled in, and nothing was asked.
	Error   string  `json:"error,omitempty"`
	Queries []Query `json:"queries"`
}

// Query is one query of a panel.
type Query struct {
	Panel string `json:"panel"`
	Ref   string `json:"ref"`
	Expr  string `json:"expr"`
	// Instant is set for one time, not a range.
	Instant bool `json:"instant,omitempty"`
	// Seconds is how long it took, the median of the times that it was sent.
	Seconds float64 `json:"seconds"`
	// Points is how much it had to draw.
	Points int `json:"points"`
	// Error is why it has no answer.
	Error string `json:"error,omitempty"`
	// Unasked is set where the queries before it took long enough.
	Unasked bool `json:"unasked,omitempty"`
}

// opensWith is the time range of every dashboard when it is opened, in hours.
const opensWith = 1

// panels sends every query of every dashboard, one after the other: over the
// range that they are opened with, and over the one that was asked for.
func (o options) panels(ctx context.Context, server *prometheus) ([]Span, error) {
	var all []Span
	for _, length := range slices.Compact([]int{opensWith, o.hours}) {
		boards, err := o.over(ctx, server, length)
		if err != nil {
			return nil, err
		}
		all = append(all, Span{length, boards})
	}
	return all, nil
}

func (o options) over(ctx context.Context, server *prometheus, length int) ([]Board, error) {
	all, err := boards.Generated()
	if err != nil {
		return nil, err
	}
	client := stores.Prometheus{URL: server.url, Timeout: giveUp}
	var measured []Board
	for _, b := range all {
		m, err := o.board(ctx, client, b, length)
		if err != nil {
			return nil, err
		}
		o.say("%s over %s: %d queries in %.2f s", b.UID, hours(length), len(m.Queries), m.sum())
		measured = append(measured, m)
	}
	return measured, nil
}

// span is a time range of the dashboards, which Grafana aligns to the step.
func span(hours int) stores.Range {
	length := time.Duration(hours) * time.Hour
	step := boards.Step(length, pixels, synth.Interval)
	to := time.Now().Truncate(step)
	return stores.Range{From: to.Add(-length), To: to, Step: step}
}

func (o options) board(ctx context.Context, client stores.Prometheus, b boards.Board, length int) (Board, error) {
	m := Board{UID: b.UID, Title: b.Title}
	r := span(length)
	ask := func(ctx context.Context, label, selector string) ([]string, error) {
		return client.LabelValues(ctx, label, selector, r.From, r.To)
	}
	began := time.Now()
	values, err := b.Resolve(ctx, ask, boards.Builtin(r.To.Sub(r.From), r.Step, synth.Interval))
	m.Variables = time.Since(began).Seconds()
	if err != nil {
		m.Error = reason(err)
		return m, ctx.Err()
	}
	for _, p := range b.Panels {
		for _, t := range p.Targets {
			if t.Datasource.Type != boards.Prometheus {
				continue
			}
			q := Query{Panel: p.Title, Ref: t.RefID, Expr: values.Fill(t.Expr), Instant: t.Instant}
			if m.sum() >= tooLong.Seconds() {
				q.Unasked = true
			} else {
				o.query(ctx, client, &q, length)
			}
			if ctx.Err() != nil {
				return m, ctx.Err()
			}
			m.Queries = append(m.Queries, q)
		}
	}
	return m, nil
}

// query sends a query as often as is wanted, or once if it is slow or fails.
func (o options) query(ctx context.Context, client stores.Prometheus, q *Query, length int) {
	var took []float64
	for range o.rounds {
		began := time.Now()
		points, err := client.Points(ctx, q.Expr, q.Instant, span(length))
		lasted := time.Since(began)
		took = append(took, lasted.Seconds())
		q.Points = points
		if err != nil {
			q.Error = reason(err)
			break
		}
		if lasted > onceFrom {
			break
		}
	}
	q.Seconds = measured.Median(took)
}

// reason is what the document says of an error, without the query.
func reason(err error) string {
	var refused *stores.StatusError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", giveUp)
	case errors.As(err, &refused):
		return fmt.Sprintf("status %d: %s", refused.Status, refused.Body)
	}
	return err.Error()
}
