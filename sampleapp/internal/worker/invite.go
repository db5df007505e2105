package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/cacheu/plumbline/sampleapp/internal/email"
	"github.com/cacheu/plumbline/sampleapp/internal/faults"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// Sender sends invites.
type Sender interface {
	// Send sends one invite. It must be idempotent: after a worker's death the
	// invite is sent again. It honours ctx.
	Send(ctx context.Context, invite jobs.Invite) error
}

// Permanent marks an error that no further attempt will change.
type Permanent struct{ Err error }

// Error implements error.
func (p Permanent) Error() string { return p.Err.Error() }

// Unwrap returns the marked error.
func (p Permanent) Unwrap() error { return p.Err }

// inviteWorker is River's worker for invites.
type inviteWorker struct {
	river.WorkerDefaults[jobs.Invite]
	db     *pgxpool.Pool
	sender Sender
	faults *faults.Source
	busy   *atomic.Int64 // jobs that run now
}

// Work implements [river.Worker].
func (w *inviteWorker) Work(ctx context.Context, job *river.Job[jobs.Invite]) error {
	w.busy.Add(1)
	defer w.busy.Add(-1)
	err := w.faults.DelayJob(ctx)
	if err == nil {
		err = w.sender.Send(ctx, job.Args)
	}
	if err == nil {
		return w.sent(ctx, job)
	}
	permanent := errors.As(err, new(Permanent))
	if !permanent && (errors.Is(err, context.Canceled) || job.Attempt < job.MaxAttempts) {
		return err // it will be tried again
	}
	if markErr := w.failed(ctx, job); markErr != nil {
		return errors.Join(err, markErr)
	}
	if permanent {
		return river.JobCancel(err)
	}
	return err
}

// sent records the effect in the transaction that completes the job.
func (w *inviteWorker) sent(ctx context.Context, job *river.Job[jobs.Invite]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return store.InTx(ctx, w.db, func(tx pgx.Tx) error {
		if err := store.MarkInvite(ctx, tx, job.Args.InviteID, store.InviteSent); err != nil {
			return err
		}
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
			return fmt.Errorf("complete job %d: %w", job.ID, err)
		}
		return nil
	})
}

// failed records that the invite is given up. A worker that dies right after it
// has its job tried once more, and an invite that is then sent is marked so.
func (w *inviteWorker) failed(ctx context.Context, job *river.Job[jobs.Invite]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return store.MarkInvite(ctx, w.db, job.Args.InviteID, store.InviteFailed)
}

// EmailSender sends invites through the email service. It is idempotent because
// that service is.
type EmailSender struct {
	// Email is the base URL of the email service.
	Email string
	// Client makes the requests. It must have a time-out.
	Client *http.Client
}

var _ Sender = EmailSender{}

// Send implements [Sender].
func (s EmailSender) Send(ctx context.Context, invite jobs.Invite) error {
	body, err := json.Marshal(email.Message{
		InviteID: invite.InviteID, To: invite.Email,
		Subject: invite.InviterName + " invites you",
		Text:    invite.InviterName + " thinks that you would like our shop. Come and see.",
	})
	if err != nil {
		return Permanent{fmt.Errorf("encode the email: %w", err)}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Email+"/emails", bytes.NewReader(body))
	if err != nil {
		return Permanent{fmt.Errorf("make the request to the email service: %w", err)}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.Client.Do(request)
	if err != nil {
		return fmt.Errorf("call the email service: %w", err)
	}
	defer response.Body.Close()
	// Read to the end, within reason, so that the connection is used again.
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read the email service's answer: %w", err)
	}
	return judge(response.StatusCode, answer)
}

// judge tells success, an error that may pass, and one that will not.
func judge(status int, answer []byte) error {
	switch {
	case status == http.StatusCreated, status == http.StatusOK:
		return nil
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return fmt.Errorf("the email service answers %d: %s", status, answer)
	default:
		return Permanent{fmt.Errorf("the email service refuses with %d: %s", status, answer)}
	}
}
