// Package email is the role that sends emails.
//
// It stands in for a provider that a shop would pay: a real HTTP service with a
// store of its own, which "sends" a message by recording it. Sending is
// idempotent by the invite's id: the queue delivers at least once, and the
// recipient must get the message once.
package email

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// Limits of a message, in bytes.
const (
	maxSubject = 200
	maxText    = 10_000
	timeout    = 5 * time.Second
)

// Message is the body of POST /emails.
type Message struct {
	// InviteID identifies the message: the same one is sent once.
	InviteID int64  `json:"invite_id"`
	To       string `json:"to"`
	Subject  string `json:"subject"`
	Text     string `json:"text"`
}

// check returns the first thing that is wrong, naming its field.
func (m *Message) check() (err error) {
	switch {
	case m.InviteID < 1:
		return web.Invalid("invite_id", "want a whole number of at least 1")
	case m.Subject == "" || len(m.Subject) > maxSubject:
		return web.Invalid("subject", "want 1 to %d characters", maxSubject)
	case m.Text == "" || len(m.Text) > maxText:
		return web.Invalid("text", "want 1 to %d characters", maxText)
	}
	m.To, err = web.Email("to", m.To)
	return err
}

// New returns the service's handler.
func New(a *agent.Agent, db *pgxpool.Pool) http.Handler {
	engine := web.NewEngine(a, timeout)
	engine.POST("/emails", web.Handle(a, func(c *gin.Context) error { return send(c, a, db) }))
	engine.GET("/emails/:invite_id", web.Handle(a, func(c *gin.Context) error { return get(c, db) }))
	return engine
}

// send answers POST /emails: 201 for a message that was sent now, 200 for one
// that had been sent before, and 409 when the id belongs to a message for
// somebody else.
func send(c *gin.Context, a *agent.Agent, db *pgxpool.Pool) error {
	ctx := c.Request.Context()
	var m Message
	if err := web.Body(c.Writer, c.Request, &m); err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	saved, created, err := store.SaveMessage(ctx, db, store.Message{
		InviteID: m.InviteID, Recipient: m.To, Subject: m.Subject, Body: m.Text,
	})
	switch {
	case err != nil:
		return err
	case saved.Recipient != m.To:
		return &web.Error{Status: http.StatusConflict, Field: "invite_id", Message: "a message with this id went to another address"}
	case !created:
		c.JSON(http.StatusOK, saved)
		return nil
	}
	level.Info(a.Logger(ctx)).Log(catalog.LogMessage, "email sent", "invite_id", m.InviteID)
	c.JSON(http.StatusCreated, saved)
	return nil
}

// get answers GET /emails/:invite_id.
func get(c *gin.Context, db *pgxpool.Pool) error {
	id, err := web.ID("invite_id", c.Param("invite_id"))
	if err != nil {
		return err
	}
	m, err := store.GetMessage(c.Request.Context(), db, id)
	if errors.Is(err, store.ErrNotFound) {
		return web.NotFound("invite_id", id)
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, m)
	return nil
}
