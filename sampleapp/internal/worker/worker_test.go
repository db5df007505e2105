package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
	"github.com/cacheu/plumbline/sampleapp/internal/worker"
)

// patience bounds every wait. Only a defect makes it pass.
const patience = 20 * time.Second

var server *testdb.Server

func TestMain(m *testing.M) {
	os.Exit(testdb.Main(m, &server))
}

// emails is an email service that answers with the given statuses in turn, and
// with 201 after the last one.
type emails struct {
	mu       sync.Mutex
	statuses []int
	bodies   []string
}

func (e *emails) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/emails" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e.bodies = append(e.bodies, string(body))
	status := http.StatusCreated
	if len(e.statuses) > 0 {
		status, e.statuses = e.statuses[0], e.statuses[1:]
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "answer %d", status)
}

func (e *emails) sent() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.bodies...)
}

// run runs a worker until the returned function is called, which waits for its
// end.
func run(t *testing.T, c worker.Config) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	wait := runUntil(ctx, t, c)
	stop = func() {
		t.Helper()
		cancel()
		wait()
	}
	t.Cleanup(stop)
	return stop
}

// runUntil runs a worker until ctx ends. The returned function waits for its
// end.
func runUntil(ctx context.Context, t *testing.T, c worker.Config) (wait func()) {
	t.Helper()
	if c.Poll == 0 {
		c.Poll = 5 * time.Millisecond
	}
	if c.Backoff == nil {
		c.Backoff = func(int) time.Duration { return 0 }
	}
	w, err := worker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	return func() {
		t.Helper()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("the worker does not end")
		}
	}
}

func sender(t *testing.T, e http.Handler) worker.Sender {
	t.Helper()
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return worker.EmailSender{Email: s.URL, Client: &http.Client{Timeout: patience}}
}

// invite saves an invite and its job, as the api does.
func invite(t *testing.T, db *pgxpool.Pool) (id int64) {
	t.Helper()
	inserter, err := jobs.NewInserter(nil, db)
	if err != nil {
		t.Fatal(err)
	}
	err = store.InTx(t.Context(), db, func(tx pgx.Tx) error {
		err := tx.QueryRow(t.Context(), "insert into invites (inviter_id, email) values (4, 'friend' || (select count(*) from invites) || '@example.com') returning id").Scan(&id)
		if err != nil {
			return err
		}
		return inserter.Enqueue(t.Context(), tx, jobs.Invite{InviteID: id, Email: "friend@example.com", InviterName: "Ada"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// waitFor polls the database until sql answers want.
func waitFor(t *testing.T, db *pgxpool.Pool, sql, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var got string
		if err := db.QueryRow(ctx, sql).Scan(&got); err != nil {
			t.Fatalf("%s: %v, want %s", sql, err, want)
		}
		if got == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s is %q, want %q", sql, got, want)
		}
	}
}

const (
	jobState    = "select state || ' ' || attempt || ' ' || coalesce(errors[array_length(errors, 1)] ->> 'error', '') from river_job"
	inviteState = "select status || ' ' || (sent_at is not null) from invites"
)

func TestInviteIsSentWithItsWords(t *testing.T) {
	t.Parallel()
	db, e := server.Pool(t), &emails{}
	id := invite(t, db)
	run(t, worker.Config{DB: db, Sender: sender(t, e)})
	waitFor(t, db, jobState, "completed 1 ")
	waitFor(t, db, inviteState, "sent true")
	want := fmt.Sprintf(`{"invite_id":%d,"to":"friend@example.com","subject":"Ada invites you","text":"Ada thinks that you would like our shop. Come and see."}`, id)
	if sent := e.sent(); len(sent) != 1 || sent[0] != want {
		t.Errorf("sent %v, want %s", sent, want)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		statuses    []int
		maxAttempts int
		job, invite string
		calls       int
		counted     string
	}{
		"a message that was sent before is a success":     {[]int{200}, 8, "completed 1 ", "sent true", 1, "map[ok:1]"},
		"a failing email service is tried again":          {[]int{500, 429, 503}, 8, "completed 4 the email service answers 503: answer 503", "sent true", 4, "map[ok:1 retry:3]"},
		"a refused message is not tried again":            {[]int{400}, 8, "cancelled 1 JobCancelError: the email service refuses with 400: answer 400", "failed false", 1, "map[error:1]"},
		"a job is given up after its last attempt":        {[]int{500, 500, 500, 500}, 3, "discarded 3 the email service answers 500: answer 500", "failed false", 3, "map[error:1 retry:2]"},
		"a conflict in the email service is not tried on": {[]int{409}, 8, "cancelled 1 JobCancelError: the email service refuses with 409: answer 409", "failed false", 1, "map[error:1]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			db, e, recorder := server.Pool(t), &emails{statuses: c.statuses}, agenttest.New(t)
			invite(t, db)
			if _, err := db.Exec(t.Context(), "update river_job set max_attempts = $1", c.maxAttempts); err != nil {
				t.Fatal(err)
			}
			stop := run(t, worker.Config{Agent: recorder.Agent(), DB: db, Sender: sender(t, e)})
			waitFor(t, db, jobState, c.job)
			waitFor(t, db, inviteState, c.invite)
			stop()
			if calls := len(e.sent()); calls != c.calls {
				t.Errorf("the email service was called %d times, want %d", calls, c.calls)
			}
			got := map[string]float64{}
			for _, m := range recorder.Metric(catalog.Jobs) {
				got[agenttest.Labels(m)[string(catalog.Outcome)]] = m.GetCounter().GetValue()
			}
			if fmt.Sprint(got) != c.counted {
				t.Errorf("counted %v, want %v", got, c.counted)
			}
			for _, h := range []catalog.Histogram{catalog.JobDuration, catalog.JobWait} {
				if n := recorder.Metric(h)[0].GetHistogram().GetSampleCount(); n != uint64(c.calls) {
					t.Errorf("%d observations of %s, want %d", n, h.Desc().Name, c.calls)
				}
			}
		})
	}
}

func TestJobsNobodyCanDoAreTriedAgainAndSayWhy(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ sql, want string }{
		"an unknown kind": {"update river_job set kind = 'dance', max_attempts = 2",
			"discarded 2 job kind is not registered in the client's Workers bundle: dance"},
		"a broken payload": {`update river_job set args = '"text"', max_attempts = 2`,
			"discarded 2 json: cannot unmarshal string into Go value of type jobs.Invite"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			db, e := server.Pool(t), &emails{}
			invite(t, db)
			if _, err := db.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			run(t, worker.Config{DB: db, Sender: sender(t, e)})
			waitFor(t, db, jobState, c.want)
			if sent := e.sent(); len(sent) != 0 {
				t.Errorf("sent %v, want nothing", sent)
			}
		})
	}
}

// slow is a sender that begins and then waits.
type slow struct {
	begun chan context.Context // the job's
	end   chan error
}

func (s slow) Send(ctx context.Context, _ jobs.Invite) error {
	s.begun <- ctx
	select {
	case err := <-s.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newSlow() slow { return slow{make(chan context.Context, 10), make(chan error, 10)} }

func TestStopWaitsForRunningJobs(t *testing.T) {
	t.Parallel()
	db, s := server.Pool(t), newSlow()
	invite(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	wait := runUntil(ctx, t, worker.Config{DB: db, Sender: s})
	job := <-s.begun
	cancel()
	if err := job.Err(); err != nil {
		t.Errorf("the job's context ended with the worker's: %v", err)
	}
	s.end <- nil
	wait()
	waitFor(t, db, jobState, "completed 1 ")
}

func TestJobThatOutlastsTheDrainIsGivenBack(t *testing.T) {
	t.Parallel()
	db, s, recorder := server.Pool(t), newSlow(), agenttest.New(t)
	invite(t, db)
	stop := run(t, worker.Config{Agent: recorder.Agent(), DB: db, Sender: s, Drain: time.Millisecond})
	<-s.begun
	stop()
	// No attempt is counted, and it is due for the next worker.
	waitFor(t, db, "select state || ' ' || attempt || ' ' || (scheduled_at <= now()) from river_job", "available 0 true")
	waitFor(t, db, inviteState, "queued false")
	if m := recorder.Metric(catalog.Jobs); len(m) != 1 || agenttest.Labels(m[0])[string(catalog.Outcome)] != "cancelled" {
		t.Errorf("counted %v, want one cancelled", m)
	}
}

func TestNoMoreJobsAtATimeThanAllowed(t *testing.T) {
	t.Parallel()
	db, s := server.Pool(t), newSlow()
	for range 5 {
		invite(t, db)
	}
	run(t, worker.Config{DB: db, Sender: s, Concurrency: 2})
	<-s.begun
	<-s.begun
	const taken = "select count(*) filter (where attempt > 0) || ' ' || count(*) filter (where state = 'completed') from river_job"
	waitFor(t, db, taken, "2 0")
	s.end <- nil
	<-s.begun
	waitFor(t, db, taken, "3 1")
	for range 4 {
		s.end <- nil
	}
	waitFor(t, db, taken, "5 5")
}

func TestWorkerWaitsForItsTablesAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	db, e, recorder := server.Pool(t), &emails{}, agenttest.New(t)
	invite(t, db)
	if _, err := db.Exec(t.Context(), "alter table river_queue rename to hidden"); err != nil {
		t.Fatal(err)
	}
	run(t, worker.Config{Agent: recorder.Agent(), DB: db, Sender: sender(t, e), Poll: time.Millisecond})
	count := func(words string) (n int) {
		for _, l := range recorder.Lines() {
			if strings.Contains(l, words) {
				n++
			}
		}
		return n
	}
	until := func(words string) {
		t.Helper()
		for deadline := time.Now().Add(patience); count(words) == 0; {
			if time.Now().After(deadline) {
				t.Fatalf("no line says %q: %q", words, recorder.Lines())
			}
		}
	}
	until("the queue cannot be read")
	// Several more looks fail, and say nothing.
	for looks := db.Stat().AcquireCount() + 10; db.Stat().AcquireCount() < looks; {
		until("the queue cannot be read")
	}
	if _, err := db.Exec(t.Context(), "alter table hidden rename to river_queue"); err != nil {
		t.Fatal(err)
	}
	until("the queue can be read again")
	if n := count("the queue cannot be read"); n != 1 {
		t.Errorf("the failure was logged %d times, want 1", n)
	}
	waitFor(t, db, jobState, "completed 1 ")
}

func TestPermanentErrorsKeepTheirCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	if err := error(worker.Permanent{Err: cause}); !errors.Is(err, cause) || err.Error() != "cause" {
		t.Errorf("got %v", err)
	}
}
