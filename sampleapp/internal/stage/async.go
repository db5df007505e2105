package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/internal/worker"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// The parts of the scenario async.
const (
	partEmail  = "email"
	partWorker = "worker"
)

// Times of the scenario async.
const (
	// emailDelay is how long the provider takes to answer.
	emailDelay = 300 * time.Millisecond
	// sendTimeout bounds one attempt, and rescueAfter is when a job that does
	// not end is taken for one whose worker died: short, because a benchmark
	// waits for it.
	sendTimeout = 2 * time.Second
	rescueAfter = 8 * time.Second
	// drainTimeout bounds the wait for an empty queue: a worker that was killed
	// led the others, and its lease must end first.
	drainTimeout = 90 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// Facts of the scenario async.
const (
	factInvites    = "invites"
	factEmailsSent = "emails_sent"
	factEmailsLost = "emails_lost"
	factSentTwice  = "emails_sent_twice"
	factRepeats    = "emails_asked_for_again"
	factTriedAgain = "jobs_tried_again"
)

// inviter answers invites and sends their emails: itself, or by a worker.
type inviter struct {
	env     Env
	parts   *parts
	email   string // the provider's base address, for another worker
	guests  atomic.Int64
	deliver func(ctx context.Context, tx pgx.Tx, invite jobs.Invite) error // in the invite's transaction
	send    func(ctx context.Context, invite jobs.Invite) error            // after it
}

// async saves an invite and sends its email while the user waits, or enqueues
// the sending in the same transaction. Its event kills the worker in the middle
// of a job, where there is one.
func async(ctx context.Context, env Env, variant, part string) (*Set, error) {
	switch part {
	case partEmail:
		return emailProvider(env), nil
	case partWorker:
		return inviteWorker(ctx, env)
	case Main:
	default:
		return nil, unknownPart(part)
	}
	if err := exec(ctx, env.DB, "create table if not exists email_deliveries (invite_id bigint not null, sent_at timestamptz not null default now())"); err != nil {
		return nil, err
	}
	i := &inviter{
		env: env, parts: env.parts(),
		deliver: func(context.Context, pgx.Tx, jobs.Invite) error { return nil },
		send:    func(context.Context, jobs.Invite) error { return nil },
	}
	start := i.startInline
	set := &Set{Facts: i.facts, Close: i.parts.close}
	if variant != scenario.Before {
		start, set.Event = i.startQueued, i.killWorker
	}
	if err := start(ctx); err != nil {
		return nil, errors.Join(err, i.parts.close())
	}
	engine := env.engine()
	engine.POST("/api/invites", env.handle(i.invite))
	set.Handler = engine
	return set, nil
}

// startInline starts the provider, which requests call themselves.
func (i *inviter) startInline(ctx context.Context) error {
	provider, err := i.parts.start(ctx, partEmail)
	if err != nil {
		return err
	}
	i.send = sender(i.env, provider.URL).Send
	return nil
}

// startQueued starts the provider, and a worker that calls it.
func (i *inviter) startQueued(ctx context.Context) error {
	inserter, err := jobs.NewInserter(i.env.Agent, i.env.DB)
	if err != nil {
		return err
	}
	i.deliver = func(ctx context.Context, tx pgx.Tx, invite jobs.Invite) error {
		return inserter.Enqueue(ctx, tx, invite)
	}
	provider, err := i.parts.start(ctx, partEmail)
	if err != nil {
		return err
	}
	i.email = provider.URL
	_, err = i.parts.startCalling(ctx, partWorker, i.email)
	return err
}

func sender(env Env, address string) worker.EmailSender {
	return worker.EmailSender{Email: address, Client: &http.Client{Transport: agenthttp.Transport(env.Agent, nil), Timeout: timeout}}
}

// invite answers POST /api/invites: the inviter's next guest is invited.
func (i *inviter) invite(c *gin.Context) error {
	id, err := web.ID("inviter_id", c.Query("inviter_id"))
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	user, err := store.GetUser(ctx, i.env.DB, id)
	if err != nil {
		return err
	}
	var job jobs.Invite
	err = store.InTx(ctx, i.env.DB, func(tx pgx.Tx) error {
		invite, _, err := store.CreateInvite(ctx, tx, user.ID, fmt.Sprintf("guest-%d@example.com", i.guests.Add(1)))
		if err != nil {
			return err
		}
		job = jobs.Invite{InviteID: invite.ID, Email: invite.Email, InviterName: user.Name}
		return i.deliver(ctx, tx, job)
	})
	if err != nil {
		return err
	}
	if err := i.send(ctx, job); err != nil {
		return fmt.Errorf("invite %d was saved and not sent: %w", job.InviteID, err)
	}
	c.JSON(http.StatusAccepted, gin.H{"id": job.InviteID})
	return nil
}

// inviteWorker is the worker as the shop has it, with shorter times.
func inviteWorker(ctx context.Context, env Env) (*Set, error) {
	w, err := worker.New(worker.Config{
		Agent: env.Agent, DB: env.DB, Sender: sender(env, env.Upstream), Concurrency: 16, Poll: 100 * time.Millisecond,
		AttemptTimeout: sendTimeout, RescueAfter: rescueAfter, Drain: sendTimeout,
		Backoff: func(int) time.Duration { return 100 * time.Millisecond },
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return &Set{Handler: http.NotFoundHandler(), Close: func() error { cancel(); <-done; return nil }}, nil
}

// killWorker kills the worker while it does a job, and starts another one.
func (i *inviter) killWorker(ctx context.Context) error {
	err := i.until(ctx, "select exists (select from river_job where state = 'running')")
	if err != nil {
		return fmt.Errorf("wait for a job that runs: %w", err)
	}
	if err := i.parts.running[partWorker].Kill(); err != nil {
		return err
	}
	_, err = i.parts.startCalling(ctx, partWorker, i.email)
	return err
}

// until asks the database again and again until it says yes.
func (i *inviter) until(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var yes bool
		if err := i.env.DB.QueryRow(ctx, sql).Scan(&yes); err != nil || yes {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// facts waits until no job is left, and then counts what became of the invites.
func (i *inviter) facts(ctx context.Context) (map[string]float64, error) {
	err := i.until(ctx, "select not exists (select from river_job where finalized_at is null)")
	if err != nil {
		return nil, fmt.Errorf("wait for an empty queue: %w", err)
	}
	var invites, sent, lost, twice, again float64
	err = i.env.DB.QueryRow(ctx, `select (select count(*) from invites), (select count(*) from email_deliveries),
		(select count(*) from invites where not exists (select from email_deliveries where invite_id = invites.id)),
		(select count(*) - count(distinct invite_id) from email_deliveries), (select count(*) from river_job where attempt > 1)`).
		Scan(&invites, &sent, &lost, &twice, &again)
	if err != nil {
		return nil, fmt.Errorf("count invites and emails: %w", err)
	}
	facts := i.parts.facts(ctx)
	return map[string]float64{
		factInvites: invites, factEmailsSent: sent, factEmailsLost: lost, factSentTwice: twice, factTriedAgain: again,
		factRepeats: facts[factRepeats],
	}, nil
}
