package stage

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/sampleapp/internal/email"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// emailProvider is a provider that sends a message at once and takes its time to
// say so, as the real ones do. The message's id is its idempotency key: one
// that was sent before is not sent again, and answered with 200.
func emailProvider(env Env) *Set {
	var repeats atomic.Int64
	engine := env.engine()
	engine.POST("/emails", env.handle(func(c *gin.Context) error {
		var m email.Message
		if err := web.Body(c.Writer, c.Request, &m); err != nil {
			return err
		}
		// What was accepted is sent, also when the caller dies meanwhile.
		first, err := sendOnce(context.WithoutCancel(c.Request.Context()), env, m)
		if err != nil {
			return err
		}
		wait(c.Request.Context(), emailDelay)
		status := http.StatusCreated
		if !first {
			repeats.Add(1)
			status = http.StatusOK
		}
		c.JSON(status, gin.H{"invite_id": m.InviteID})
		return nil
	}))
	return &Set{Handler: engine, Facts: func(context.Context) (map[string]float64, error) {
		return map[string]float64{factRepeats: float64(repeats.Load())}, nil
	}}
}

// sendOnce notes the key and sends the message, or does nothing for a key that
// is known.
func sendOnce(ctx context.Context, env Env, m email.Message) (first bool, err error) {
	err = store.InTx(ctx, env.DB, func(tx pgx.Tx) error {
		_, first, err = store.SaveMessage(ctx, tx, store.Message{InviteID: m.InviteID, Recipient: m.To, Subject: m.Subject, Body: m.Text})
		if err != nil || !first {
			return err
		}
		_, err := tx.Exec(ctx, "insert into email_deliveries (invite_id) values ($1)", m.InviteID)
		return err
	})
	return first, err
}

// wait returns after a while, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	done := time.NewTimer(d)
	defer done.Stop()
	select {
	case <-done.C:
	case <-ctx.Done():
	}
}
