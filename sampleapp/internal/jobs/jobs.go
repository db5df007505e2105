// Package jobs is how sampleapp does work later: what its jobs look like, and
// the two ends of the queue. River keeps them in PostgreSQL; the agent measures
// both ends.
//
// A job is enqueued in the transaction that makes it necessary, so that there
// is neither a job for something that was rolled back nor something saved
// without its job. It runs at least once: that of a worker that died is found
// by the others and tried again, so what a job does must be idempotent.
//
// Everything is safe for concurrent use and starts no goroutine.
package jobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/sampleapp/internal/quiet"
)

const (
	// Invites is the queue of the jobs that send invites.
	Invites = "invites"
	// MaxAttempts is how often a job is tried.
	MaxAttempts = 8
)

// Args are the arguments of a job that knows its queue.
type Args interface {
	river.JobArgs
	river.JobArgsWithInsertOpts
}

// Invite sends one invite. It is River's arguments of the job.
type Invite struct {
	InviteID    int64  `json:"invite_id"`
	Email       string `json:"email"`
	InviterName string `json:"inviter_name"`
}

var _ Args = Invite{}

// Kind implements [river.JobArgs].
func (Invite) Kind() string { return "send_invite" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (Invite) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Invites, MaxAttempts: MaxAttempts}
}

// Inserter enqueues jobs and takes none.
type Inserter struct {
	agent  *agent.Agent
	client *river.Client[pgx.Tx]
}

// NewInserter returns an inserter into the database of the pool. A nil agent
// measures nothing.
func NewInserter(a *agent.Agent, db *pgxpool.Pool) (*Inserter, error) {
	client, err := river.NewClient(riverpgxv5.New(db), &river.Config{Logger: quiet.Logger(a)})
	if err != nil {
		return nil, fmt.Errorf("prepare to enqueue jobs: %w", err)
	}
	return &Inserter{a, client}, nil
}

// Enqueue adds a job, due at once, in the transaction that it belongs to. The
// trace of ctx goes with it.
func (i *Inserter) Enqueue(ctx context.Context, tx pgx.Tx, args Args) error {
	return agentjob.Enqueue(ctx, i.agent, args.InsertOpts().Queue, func(ctx context.Context) error {
		metadata, err := withTrace(agentjob.Inject(ctx, i.agent))
		if err != nil {
			return err
		}
		if _, err := i.client.InsertTx(ctx, tx, args, &river.InsertOpts{Metadata: metadata}); err != nil {
			return fmt.Errorf("enqueue a %s job: %w", args.Kind(), err)
		}
		return nil
	})
}
