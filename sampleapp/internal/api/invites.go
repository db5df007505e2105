package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// newInvite is the body of POST /api/invites.
type newInvite struct {
	InviterID int64  `json:"inviter_id"`
	Email     string `json:"email"`
}

// createInvite answers POST /api/invites: 202 for a new invite, whose email is
// sent later, and 200 for one that the user has sent to that address before,
// for which no second email is sent.
func (h handlers) createInvite(c *gin.Context) error {
	ctx := c.Request.Context()
	var body newInvite
	if err := web.Body(c.Writer, c.Request, &body); err != nil {
		return err
	}
	if body.InviterID < 1 {
		return web.Invalid("inviter_id", "want a whole number of at least 1")
	}
	email, err := web.Email("email", body.Email)
	if err != nil {
		return err
	}
	inviter, err := h.user(ctx, "inviter_id", body.InviterID)
	if err != nil {
		return err
	}
	invite, created, err := h.saveInvite(ctx, inviter, email)
	if err != nil {
		return notFound(err, "inviter_id", inviter.ID)
	}
	if !created {
		c.JSON(http.StatusOK, invite)
		return nil
	}
	level.Info(h.Agent.Logger(ctx)).Log(catalog.LogMessage, "invite queued", "invite_id", invite.ID)
	c.JSON(http.StatusAccepted, invite)
	return nil
}

// saveInvite saves the invite and enqueues its job, both or neither.
func (h handlers) saveInvite(ctx context.Context, inviter store.User, email string) (invite store.Invite, created bool, err error) {
	err = h.write(ctx, func(tx pgx.Tx) error {
		invite, created, err = store.CreateInvite(ctx, tx, inviter.ID, email)
		if err != nil || !created {
			return err
		}
		return h.Jobs.Enqueue(ctx, tx, jobs.Invite{InviteID: invite.ID, Email: email, InviterName: inviter.Name})
	})
	return invite, created, err
}
