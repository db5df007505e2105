package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// The times of the example: 990 of 1000 requests take the one, 10 the other.
const (
	ledgerDelay  = 50 * time.Millisecond
	archiveDelay = 5 * time.Second
	// oneIn is which customers are old ones, whose statement is in the archive.
	oneIn = 100
)

// The parts of the example: a third party's ledger, and its cold archive.
const (
	partLedger  = "ledger"
	partArchive = "archive"
)

// averageIsALiar answers customers' balances. One customer in a hundred has an
// old contract, whose report the archive makes anew each time; or, after, whose
// report was made once, when the service was set up, and is read from a table.
func averageIsALiar(ctx context.Context, env Env, variant, part string) (*Set, error) {
	switch part {
	case partLedger:
		return &Set{Handler: delayed(ledgerDelay)}, nil
	case partArchive:
		return &Set{Handler: delayed(archiveDelay)}, nil
	case Main:
	default:
		return nil, unknownPart(part)
	}
	started := env.parts()
	ledger, err := started.start(ctx, partLedger)
	if err != nil {
		return nil, err
	}
	archive, err := started.start(ctx, partArchive)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: agenthttp.Transport(env.Agent, nil), Timeout: timeout}
	report := func(ctx context.Context, id int64) (json.RawMessage, error) {
		return call(ctx, client, http.MethodGet, fmt.Sprintf("%s/reports/%d", archive.URL, id), nil)
	}
	if variant != scenario.Before {
		if err := precompute(ctx, env, report); err != nil {
			return nil, err
		}
		report = func(ctx context.Context, id int64) (answer json.RawMessage, err error) {
			// Every old contract has the same report here: one row stands for all.
			err = env.DB.QueryRow(ctx, "select body from customer_reports where id = $1", id%oneIn).Scan(&answer)
			return answer, err
		}
	}
	engine := env.engine()
	engine.GET("/api/customers/:id/balance", env.handle(func(c *gin.Context) error {
		id, err := web.OptionalID("id", c.Param("id"), 0)
		if err != nil {
			return err
		}
		ctx := c.Request.Context()
		var answer json.RawMessage
		if id%oneIn == 0 {
			answer, err = report(ctx, id)
		} else {
			answer, err = call(ctx, client, http.MethodGet, fmt.Sprintf("%s/balances/%d", ledger.URL, id), nil)
		}
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, gin.H{"id": id, "balance": answer})
		return nil
	}))
	return &Set{Handler: engine, Close: started.close}, nil
}

// precompute makes the reports ahead of the requests, as a nightly job would.
func precompute(ctx context.Context, env Env, report func(context.Context, int64) (json.RawMessage, error)) error {
	body, err := report(ctx, 0)
	if err != nil {
		return err
	}
	if err := exec(ctx, env.DB, "create table if not exists customer_reports (id bigint primary key, body jsonb not null)"); err != nil {
		return err
	}
	_, err = env.DB.Exec(ctx, "insert into customer_reports values (0, $1) on conflict (id) do nothing", body)
	return err
}
