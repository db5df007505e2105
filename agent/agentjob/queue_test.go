package agentjob_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// scrape renders the state of a queue as metrics show it.
func scrape(rec *agenttest.Recorder) string {
	text := ""
	for _, m := range rec.Metric(catalog.JobQueueDepth) {
		text += fmt.Sprintf("%s has %v", agenttest.Labels(m)[string(catalog.Queue)], m.GetGauge().GetValue())
	}
	for _, m := range rec.Metric(catalog.JobQueueOldestAge) {
		text += fmt.Sprintf(" since %v s", m.GetGauge().GetValue())
	}
	for _, m := range rec.Metric(catalog.JobQueueCollectErrors) {
		text += fmt.Sprintf(", %v errors", m.GetCounter().GetValue())
	}
	return text
}

// counted counts the readings of a queue that answers from the outside.
type counted struct {
	reads atomic.Int64
	read  agentjob.ReadQueue
}

func (c *counted) Read(ctx context.Context) (int64, time.Duration, error) {
	c.reads.Add(1)
	return c.read(ctx)
}

// observe runs f in a bubble of synctest with an observed queue.
func observe(t *testing.T, read agentjob.ReadQueue, f func(t *testing.T, rec *agenttest.Recorder, q *counted)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec, q := agenttest.New(t), &counted{read: read}
		if err := agentjob.ObserveQueue(rec.Agent(), "mail", q.Read); err != nil {
			t.Fatal(err)
		}
		f(t, rec, q)
	})
}

func pass(d time.Duration) { <-time.After(d) }

func TestAQueueIsReadWhenMetricsAreAndThenNotForAWhile(t *testing.T) {
	depth := int64(3)
	observe(t, func(context.Context) (int64, time.Duration, error) {
		depth++
		return depth, 90 * time.Second, nil
	}, func(t *testing.T, rec *agenttest.Recorder, q *counted) {
		pass(time.Hour)
		if n := q.reads.Load(); n != 0 {
			t.Errorf("%d readings before anybody asked", n)
		}
		first := scrape(rec)
		pass(agentjob.DefaultInterval - time.Nanosecond)
		second := scrape(rec)
		pass(time.Nanosecond)
		third := scrape(rec)
		for i, got := range []string{first, second, third} {
			if want := fmt.Sprintf("mail has %d since 90 s, 0 errors", 4+i/2); got != want {
				t.Errorf("scrape %d: %q, want %q", i+1, got, want)
			}
		}
		if n := q.reads.Load(); n != 2 {
			t.Errorf("%d readings, want 2", n)
		}
	})
}

func TestManyScrapesAtATimeAreOneReading(t *testing.T) {
	observe(t, func(ctx context.Context) (int64, time.Duration, error) {
		pass(time.Second)
		return 7, 0, ctx.Err()
	}, func(t *testing.T, rec *agenttest.Recorder, q *counted) {
		var scrapes sync.WaitGroup
		for range 20 {
			scrapes.Go(func() {
				if m := rec.Metric(catalog.JobQueueDepth); len(m) != 1 || m[0].GetGauge().GetValue() != 7 {
					t.Errorf("depth %v", m)
				}
			})
		}
		scrapes.Wait()
		if n := q.reads.Load(); n != 1 {
			t.Errorf("%d readings, want 1", n)
		}
	})
}

func TestAQueueThatCannotBeReadHasNoDepth(t *testing.T) {
	fail := true
	observe(t, func(context.Context) (int64, time.Duration, error) {
		if fail {
			return 5, time.Second, errors.New("no connection")
		}
		return 5, time.Second, nil
	}, func(t *testing.T, rec *agenttest.Recorder, q *counted) {
		for range 3 {
			scrape(rec)
			pass(agentjob.DefaultInterval)
		}
		if got := scrape(rec); got != ", 4 errors" {
			t.Errorf("%q, want four errors and nothing else", got)
		}
		fail = false
		pass(agentjob.DefaultInterval)
		if got := scrape(rec); got != "mail has 5 since 1 s, 4 errors" {
			t.Errorf("%q", got)
		}
		log := strings.Join(rec.Lines(), "\n")
		if strings.Count(log, "cannot be read") != 1 || strings.Count(log, "can be read again") != 1 || !strings.Contains(log, `queue=mail msg="the queue cannot`) || !strings.Contains(log, `err="no connection"`) {
			t.Errorf("log %s\nwant one line for each change", log)
		}
	})
}

func TestAReadingThatHeedsItsContextEndsWithIt(t *testing.T) {
	observe(t, func(ctx context.Context) (int64, time.Duration, error) {
		<-ctx.Done()
		return 0, 0, ctx.Err()
	}, func(t *testing.T, rec *agenttest.Recorder, q *counted) {
		start := time.Now()
		if m := rec.Metric(catalog.JobQueueDepth); m != nil {
			t.Errorf("depth %v", m)
		}
		if d := time.Since(start); d != agentjob.DefaultTimeout {
			t.Errorf("the scrape took %s, want %s", d, agentjob.DefaultTimeout)
		}
		if got := scrape(rec); got != ", 1 errors" {
			t.Errorf("%q", got)
		}
	})
}

// TestAReadingThatHangsIsNotRepeated: the function ignores its context. The
// first scrape waits, the others do not, no second reading begins, and when it
// ends at last the next one may.
func TestAReadingThatHangsIsNotRepeated(t *testing.T) {
	var once sync.Once
	observe(t, func(context.Context) (int64, time.Duration, error) {
		hang := false
		once.Do(func() { hang = true })
		if hang {
			pass(time.Hour)
			return 1, 0, nil
		}
		return 2, 0, nil
	}, func(t *testing.T, rec *agenttest.Recorder, q *counted) {
		start := time.Now()
		for range 10 {
			if m := rec.Metric(catalog.JobQueueDepth); m != nil {
				t.Errorf("depth %v", m)
			}
			pass(time.Minute)
		}
		if d := time.Since(start) - 10*time.Minute; d > 3*time.Second {
			t.Errorf("ten scrapes waited %s in all, want to wait once", d)
		}
		if got, n := scrape(rec), q.reads.Load(); got != ", 1 errors" || n != 1 {
			t.Errorf("%q after %d readings", got, n)
		}
		pass(time.Hour)
		if got, n := scrape(rec), q.reads.Load(); got != "mail has 2 since 0 s, 1 errors" || n != 2 {
			t.Errorf("%q after %d readings", got, n)
		}
	})
}

func TestAPanicOfTheReaderIsAnError(t *testing.T) {
	observe(t, func(context.Context) (int64, time.Duration, error) { panic("boom") },
		func(t *testing.T, rec *agenttest.Recorder, q *counted) {
			if got := scrape(rec); got != ", 1 errors" {
				t.Errorf("%q", got)
			}
			if log := strings.Join(rec.Lines(), "\n"); !strings.Contains(log, `err="panic: boom"`) {
				t.Errorf("log %s", log)
			}
		})
}

func TestOptionsOfAQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec, q := agenttest.New(t), &counted{read: func(ctx context.Context) (int64, time.Duration, error) {
			<-ctx.Done()
			return 0, 0, ctx.Err()
		}}
		err := agentjob.ObserveQueue(rec.Agent(), "mail", q.Read,
			agentjob.WithInterval(time.Minute), agentjob.WithTimeout(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 60 { // 61 s with the first reading's time-out
			rec.Metric(catalog.JobQueueDepth)
			pass(time.Second)
		}
		if n := q.reads.Load(); n != 1 {
			t.Errorf("%d readings within a minute, want 1", n)
		}
		if d := time.Since(start); d != time.Minute+100*time.Millisecond {
			t.Errorf("took %s", d)
		}
	})
}

func TestQueuesHaveNamesOfTheirOwnAndAreNotTooMany(t *testing.T) {
	t.Parallel()
	rec := agenttest.New(t)
	read := func(context.Context) (int64, time.Duration, error) { return 1, 0, nil }
	if err := agentjob.ObserveQueue(rec.Agent(), "queue 0", read); err != nil {
		t.Fatal(err)
	}
	if err := agentjob.ObserveQueue(rec.Agent(), "queue 0", read); err == nil || !strings.Contains(err.Error(), `observe queue "queue 0"`) {
		t.Errorf("a second queue of the same name: %v", err)
	}
	for i := range 99 {
		if err := agentjob.ObserveQueue(rec.Agent(), fmt.Sprint("queue ", i+1), read); err != nil {
			t.Fatal(err)
		}
	}
	if err := agentjob.ObserveQueue(rec.Agent(), "one more", read); err == nil || !strings.Contains(err.Error(), "100 queues are observed already") {
		t.Errorf("the 101st queue: %v", err)
	}
	if n := len(rec.Metric(catalog.JobQueueDepth)); n != 100 {
		t.Errorf("%d depths, want 100", n)
	}
}
