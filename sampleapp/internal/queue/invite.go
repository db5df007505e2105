package queue

// The queue of invites and what its jobs look like: the api enqueues them, the
// worker takes them.
const (
	// Invites is the name of the queue.
	Invites = "invites"
	// KindInvite is the kind of a job that sends one invite.
	KindInvite = "send_invite"
)

// Invite is the payload of a [KindInvite] job.
type Invite struct {
	InviteID    int64  `json:"invite_id"`
	Email       string `json:"email"`
	InviterName string `json:"inviter_name"`
}
