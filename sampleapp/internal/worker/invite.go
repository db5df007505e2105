package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/cacheu/plumbline/sampleapp/internal/email"
	"github.com/cacheu/plumbline/sampleapp/internal/queue"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
)

// InviteTask sends invites through the email service. It is idempotent because
// that service is.
type InviteTask struct {
	// Email is the base URL of the email service.
	Email string
	// Client makes the requests. It must have a time-out.
	Client *http.Client
}

var _ Task = InviteTask{}

// Do implements [Task].
func (t InviteTask) Do(ctx context.Context, j queue.Job) error {
	invite, err := decode(j)
	if err != nil {
		return Permanent{err}
	}
	body, err := json.Marshal(email.Message{
		InviteID: invite.InviteID, To: invite.Email,
		Subject: invite.InviterName + " invites you",
		Text:    invite.InviterName + " thinks that you would like our shop. Come and see.",
	})
	if err != nil {
		return Permanent{fmt.Errorf("encode the email: %w", err)}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Email+"/emails", bytes.NewReader(body))
	if err != nil {
		return Permanent{fmt.Errorf("make the request to the email service: %w", err)}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := t.Client.Do(request)
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

// Succeeded implements [Task].
func (InviteTask) Succeeded(ctx context.Context, tx store.DB, j queue.Job) error {
	return mark(ctx, tx, j, store.InviteSent)
}

// Failed implements [Task].
func (InviteTask) Failed(ctx context.Context, tx store.DB, j queue.Job) error {
	if _, err := decode(j); err != nil {
		return nil // nobody knows which invite it was; the job keeps the payload
	}
	return mark(ctx, tx, j, store.InviteFailed)
}

func mark(ctx context.Context, tx store.DB, j queue.Job, status string) error {
	invite, err := decode(j)
	if err != nil {
		return err
	}
	return store.MarkInvite(ctx, tx, invite.InviteID, status)
}

func decode(j queue.Job) (queue.Invite, error) {
	var invite queue.Invite
	if err := json.Unmarshal(j.Payload, &invite); err != nil {
		return queue.Invite{}, fmt.Errorf("decode job %d: %w", j.ID, err)
	}
	return invite, nil
}
