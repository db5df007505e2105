package store

import (
	"context"
	"fmt"
	"time"
)

// Invite asks somebody to join, in the name of a user.
type Invite struct {
	ID        int64     `json:"id"`
	InviterID int64     `json:"inviter_id"`
	Email     string    `json:"email"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
}

// The states of an invite.
const (
	InviteQueued = "queued"
	InviteSent   = "sent"
	InviteFailed = "failed"
)

// CreateInvite saves an invite, or returns the one that the user has already
// sent to that address; created tells which. It wraps [ErrNotFound] when the
// user does not exist.
func CreateInvite(ctx context.Context, db DB, inviterID int64, email string) (i Invite, created bool, err error) {
	tag, err := db.Exec(ctx, `insert into invites (inviter_id, email) values ($1, $2)
		on conflict (inviter_id, email) do nothing`, inviterID, email)
	if err != nil {
		return Invite{}, false, fmt.Errorf("save the invite: %w", missing(err))
	}
	err = db.QueryRow(ctx, `select id, inviter_id, email, status, created_at
		from invites where inviter_id = $1 and email = $2`, inviterID, email).
		Scan(&i.ID, &i.InviterID, &i.Email, &i.Status, &i.CreatedAt)
	if err != nil {
		return Invite{}, false, fmt.Errorf("read the invite: %w", missing(err))
	}
	return i, tag.RowsAffected() == 1, nil
}

// MarkInvite records how an invite ended: [InviteSent] or [InviteFailed].
func MarkInvite(ctx context.Context, db DB, id int64, status string) error {
	_, err := db.Exec(ctx, `update invites set status = $2,
		sent_at = case when $2 = 'sent' then now() end where id = $1`, id, status)
	if err != nil {
		return fmt.Errorf("mark invite %d as %s: %w", id, status, err)
	}
	return nil
}

// Message is an email that the email service has sent.
type Message struct {
	InviteID  int64     `json:"invite_id"`
	Recipient string    `json:"recipient"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body"`
	SentAt    time.Time `json:"sent_at"`
}

// SaveMessage records a message unless one for the same invite is there, and
// returns what is then in the table; created tells whether it is the new one.
func SaveMessage(ctx context.Context, db DB, m Message) (saved Message, created bool, err error) {
	tag, err := db.Exec(ctx, `insert into email_messages (invite_id, recipient, subject, body)
		values ($1, $2, $3, $4) on conflict (invite_id) do nothing`, m.InviteID, m.Recipient, m.Subject, m.Body)
	if err != nil {
		return Message{}, false, fmt.Errorf("record message %d: %w", m.InviteID, err)
	}
	saved, err = GetMessage(ctx, db, m.InviteID)
	return saved, tag.RowsAffected() == 1, err
}

// GetMessage returns the message that was sent for an invite.
func GetMessage(ctx context.Context, db DB, inviteID int64) (m Message, err error) {
	err = db.QueryRow(ctx, "select invite_id, recipient, subject, body, sent_at from email_messages where invite_id = $1", inviteID).
		Scan(&m.InviteID, &m.Recipient, &m.Subject, &m.Body, &m.SentAt)
	if err != nil {
		return Message{}, fmt.Errorf("read message %d: %w", inviteID, missing(err))
	}
	return m, nil
}
