package stage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent/agentlog"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// The times of the example: what the database, the logic and the logging
// service take.
const (
	databaseTime = 10 * time.Millisecond
	logicTime    = 5 * time.Millisecond
	sinkDelay    = 500 * time.Millisecond
)

// partSink is the logging service.
const partSink = "log-sink"

// syncLogging answers a product, and logs that it did: to a logging service
// that it waits for, or to the agent's queue.
func syncLogging(ctx context.Context, env Env, variant, part string) (*Set, error) {
	switch part {
	case partSink:
		return &Set{Handler: delayed(sinkDelay)}, nil
	case Main:
	default:
		return nil, unknownPart(part)
	}
	logger := env.Agent.Logger
	set := &Set{}
	if variant == scenario.Before {
		started := env.parts()
		sink, err := started.start(ctx, partSink)
		if err != nil {
			return nil, err
		}
		set.Close = started.close
		client := &http.Client{Timeout: timeout}
		logger = func(ctx context.Context) kitlog.Logger {
			return kitlog.NewLogfmtLogger(agentlog.Writer(ctx, env.Agent, &sinkWriter{ctx, client, sink.URL}))
		}
	}
	engine := env.engine()
	engine.GET("/api/products/:id", env.handle(func(c *gin.Context) error {
		id, err := web.ID("id", c.Param("id"))
		if err != nil {
			return err
		}
		ctx := c.Request.Context()
		// The product and, in the same statement, what makes the query take
		// the example's 10 ms on any machine.
		var name string
		var cents int64
		err = env.DB.QueryRow(ctx, "select name, price_cents from products, pg_sleep($2) where id = $1", id, databaseTime.Seconds()).Scan(&name, &cents)
		if err != nil {
			return err
		}
		total, err := quote(cents)
		if err != nil {
			return err
		}
		if err := level.Info(logger(ctx)).Log(catalog.LogMessage, "product shown", "product_id", id); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		c.JSON(http.StatusOK, gin.H{"id": id, "name": name, "total_cents": total})
		return nil
	}))
	set.Handler = engine
	return set, nil
}

// quote calculates prices for as long as the example's business logic takes.
func quote(cents int64) (total int64, err error) {
	for begin := time.Now(); time.Since(begin) < logicTime; {
		_, sum, err := pricing.Itemise("east", []pricing.Line{{Category: "toys", UnitPriceCents: cents, Quantity: 3}})
		if err != nil {
			return 0, err
		}
		total = sum.Total
	}
	return total, nil
}

// sinkWriter sends each line to a logging service and waits for its receipt.
type sinkWriter struct {
	ctx    context.Context // of the request that logs
	client *http.Client
	url    string
}

// Write implements [io.Writer].
func (w *sinkWriter) Write(line []byte) (int, error) {
	if _, err := call(w.ctx, w.client, http.MethodPost, w.url+"/lines", line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// call sends a request to another part and returns its answer, which must be a
// success.
func call(ctx context.Context, client *http.Client, method, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, web.MaxBody))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s answers %d: %s", url, response.StatusCode, answer)
	}
	return answer, nil
}

// delayed is a third party that takes its time. It is the one thing here that
// is simulated: a real one cannot be had on demand.
func delayed(d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, web.MaxBody))
		done := time.NewTimer(d)
		defer done.Stop()
		select {
		case <-done.C:
			_, _ = io.WriteString(w, `{"status": "done"}`) // a caller that has gone needs no answer
		case <-r.Context().Done():
		}
	})
}
