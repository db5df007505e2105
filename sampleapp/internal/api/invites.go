package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/queue"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// tracerName is the instrumentation scope of the api's own spans.
const tracerName = "github.com/cacheu/plumbline/sampleapp/internal/api"

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
		return h.enqueue(ctx, tx, queue.Invite{InviteID: invite.ID, Email: email, InviterName: inviter.Name})
	})
	return invite, created, err
}

// enqueue adds the job of an invite, with the trace that the worker is to
// continue.
func (h handlers) enqueue(ctx context.Context, tx pgx.Tx, invite queue.Invite) error {
	ctx, span := h.Agent.TracerProvider().Tracer(tracerName).Start(ctx, "send "+queue.Invites,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			attribute.String(catalog.AttrMessagingSystem, "postgresql"),
			attribute.String(catalog.AttrMessagingDestination, queue.Invites),
			attribute.String(catalog.AttrMessagingOperation, "send")))
	defer span.End()
	carrier := propagation.MapCarrier{}
	h.Agent.Propagator().Inject(ctx, carrier)
	_, err := h.Invites.Enqueue(ctx, tx, queue.KindInvite, invite, carrier)
	return err
}
