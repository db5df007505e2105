package migrate_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/cacheu/plumbline/sampleapp/internal/migrate"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

var server *testdb.Server

func TestMain(m *testing.M) {
	os.Exit(testdb.Main(m, &server))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// names returns the recorded migrations.
func names(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var all string
	err := conn.QueryRow(t.Context(), "select coalesce(string_agg(version || ' ' || name, ', ' order by version), '') from schema_migrations").Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ofRiver is the number of River's own migrations.
func ofRiver(t *testing.T) int {
	t.Helper()
	migrator, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(migrator.AllVersions())
}

// TestJobsThatWaitMoveToRiver upgrades a shop of the time before River.
func TestJobsThatWaitMoveToRiver(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Empty(t))
	list, err := migrate.List()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrate.Apply(t.Context(), conn, list[:3]); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), `insert into jobs (queue, kind, payload, trace, state, max_attempts, due_at) values
		('invites', 'send_invite', '{"invite_id": 7}', '{"traceparent": "tp"}', 'pending', 8, '2026-01-02'),
		('invites', 'send_invite', '{"invite_id": 8}', '{}', 'done', 8, '2026-01-02')`)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := migrate.Run(t.Context(), conn); err != nil || n != 1+ofRiver(t) {
		t.Fatalf("applied %d (%v)", n, err)
	}
	var got string
	err = conn.QueryRow(t.Context(), `select string_agg(concat_ws(' ', queue, kind, args, metadata, state, attempt, max_attempts, scheduled_at::date), ', ') from river_job`).Scan(&got)
	const want = `invites send_invite {"invite_id": 7} {"trace": {"traceparent": "tp"}} available 0 8 2026-01-02`
	if err != nil || got != want {
		t.Errorf("the jobs are %s (%v), want %s", got, err, want)
	}
}

func TestMigrationsAreAppliedOnceInOrder(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Empty(t))
	const want = "1 0001_shop, 2 0002_invites_and_jobs, 3 0003_email_messages, 4 0004_jobs_by_river"
	for i, applied := range []int{4 + ofRiver(t), 0} {
		got, err := migrate.Run(t.Context(), conn)
		if err != nil || got != applied {
			t.Errorf("run %d applied %d (%v), want %d", i+1, got, err, applied)
		}
		if all := names(t, conn); all != want {
			t.Errorf("recorded: %s, want %s", all, want)
		}
	}
}

func TestManyProcessesMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	url := server.Empty(t)
	const processes = 6
	applied := make([]int, processes)
	var wg sync.WaitGroup
	for i := range processes {
		conn := connect(t, url)
		wg.Go(func() {
			err := migrate.Locked(t.Context(), conn, func(ctx context.Context) (err error) {
				applied[i], err = migrate.Run(ctx, conn)
				return err
			})
			if err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	worked := 0
	for _, n := range applied {
		if n == 4+ofRiver(t) {
			worked++
		} else if n != 0 {
			t.Errorf("a process applied %d migrations, want all or none", n)
		}
	}
	if worked != 1 {
		t.Errorf("%d processes applied the migrations, want 1", worked)
	}
}

func TestFailingMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Empty(t))
	list := []migrate.Migration{
		migrate.New(1, "0001_good", "create table good (id integer)"),
		migrate.New(2, "0002_bad", "create table half (id integer); create table half (id integer)"),
	}
	applied, err := migrate.Apply(t.Context(), conn, list)
	if err == nil || applied != 1 {
		t.Fatalf("applied %d with error %v, want 1 and an error", applied, err)
	}
	var half bool
	if err := conn.QueryRow(t.Context(), "select to_regclass('half') is not null").Scan(&half); err != nil || half {
		t.Errorf("half a migration is there: %v %v", half, err)
	}
	if all := names(t, conn); all != "1 0001_good" {
		t.Errorf("recorded: %s, want the good one alone", all)
	}
	// Repaired, it goes on where it stopped.
	list[1] = migrate.New(2, "0002_bad", "create table half (id integer)")
	if applied, err := migrate.Apply(t.Context(), conn, list); err != nil || applied != 1 {
		t.Errorf("after the repair: applied %d, %v, want 1", applied, err)
	}
}

func TestEditedMigrationIsRefused(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Empty(t))
	if _, err := migrate.Apply(t.Context(), conn, []migrate.Migration{migrate.New(1, "0001_a", "select 1")}); err != nil {
		t.Fatal(err)
	}
	_, err := migrate.Apply(t.Context(), conn, []migrate.Migration{migrate.New(1, "0001_a", "select 2")})
	if !errors.Is(err, migrate.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	t.Parallel()
	url := server.Empty(t)
	holder, waiter := connect(t, url), connect(t, url)
	err := migrate.Locked(t.Context(), holder, func(context.Context) error {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		err := migrate.Locked(ctx, waiter, func(context.Context) error {
			t.Error("both hold the lock")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// The lock is free again.
	if err := migrate.Locked(t.Context(), connect(t, url), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}
