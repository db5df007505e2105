package scripts_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// newReplica prepares a folder for a replica of a running primary.
func newReplica(t *testing.T, primary *cluster) *cluster {
	t.Helper()
	r := newCluster(t)
	port := r.env[len(r.env)-1]
	r.env = append(r.env[:len(r.env)-1], "POSTGRES_PRIMARY_HOST=127.0.0.1",
		"POSTGRES_PRIMARY_PORT="+strconv.Itoa(primary.port), "POSTGRES_REPLICA=replica7", port)
	return r
}

// until waits for a condition that a server reaches by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !done(); {
		select {
		case <-late:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// fault runs fault.sh on a replica, and returns what it prints.
func (c *cluster) fault(t *testing.T, argument string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", script(t, "compose", "config", "postgres", "fault.sh"), argument)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("fault.sh %s: %v: %s", argument, err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// sees reports whether the replica shows a row.
func sees(t *testing.T, replica *pgx.Conn, n int) bool {
	t.Helper()
	return ask[bool](t, replica, "SELECT exists (SELECT FROM seen WHERE n = "+strconv.Itoa(n)+")")
}

func TestPostgresReplica(t *testing.T) {
	t.Parallel()
	skipShort(t)
	p := newCluster(t)
	p.start(t)
	primary := p.mustConnect(t, "plumbline")
	write := func(n int) {
		t.Helper()
		if _, err := primary.Exec(t.Context(), "INSERT INTO seen VALUES ($1)", n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := primary.Exec(t.Context(), "CREATE TABLE seen (n int)"); err != nil {
		t.Fatal(err)
	}
	if ask[bool](t, primary, "SELECT rolsuper OR NOT rolreplication FROM pg_roles WHERE rolname = 'plumbline_replica'") {
		t.Error("the replicas' role has the wrong rights")
	}
	write(1)
	c := newReplica(t, p)
	s := c.start(t)
	replica := c.mustConnect(t, "plumbline")
	until(t, "the first row is on the replica", func() bool { return sees(t, replica, 1) })
	if !ask[bool](t, replica, "SELECT pg_is_in_recovery()") {
		t.Error("the replica is none")
	}
	const sender = "SELECT count(*)::int FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE r.application_name = 'replica7' AND s.slot_name = 'replica7' AND s.active"
	until(t, "the primary lists it by name and slot", func() bool { return ask[int](t, primary, sender) == 1 })
	if got := ask[string](t, p.mustConnect(t, "postgres"), "SHOW max_slot_wal_keep_size"); got != "1GB" {
		t.Errorf("max_slot_wal_keep_size = %s: a replica that is down would fill the disk", got)
	}
	passfile, err := os.Stat(filepath.Join(c.dir, "data.pgpass"))
	if err != nil || passfile.Mode().Perm() != 0o600 {
		t.Errorf("the password file: %v, %v, want mode 0600", passfile, err)
	}

	t.Run("log for a slot to keep", func(t *testing.T) {
		from := ask[string](t, primary, "SELECT pg_current_wal_insert_lsn()::text")
		p.fault(t, "fill=3")
		const megabytes = 3 << 20
		if written := ask[int64](t, primary, "SELECT (pg_current_wal_insert_lsn() - '"+from+"')::bigint"); written < megabytes || written > 2*megabytes {
			t.Errorf("fill=3 wrote %d bytes of log", written)
		}
	})
	t.Run("faults", func(t *testing.T) {
		if got := c.fault(t, "show"); got != "" {
			t.Errorf("show = %q before any fault", got)
		}
		c.fault(t, "lag=3")
		if got := c.fault(t, "show"); got != "lag=3" {
			t.Errorf("show = %q, want lag=3", got)
		}
		// The replay learns of it a moment after the server.
		row := 100
		until(t, "a row is 3 s late", func() bool {
			row++
			began := time.Now()
			write(row)
			until(t, "the row is there", func() bool { return sees(t, replica, row) })
			return time.Since(began) > 2500*time.Millisecond
		})
		c.fault(t, "clear")
		c.fault(t, "pause")
		if got := c.fault(t, "show"); got != "pause" {
			t.Errorf("show = %q, want pause", got)
		}
		write(3)
		received := "SELECT pg_last_wal_receive_lsn() >= '" + ask[string](t, primary, "SELECT pg_current_wal_flush_lsn()::text") + "'"
		until(t, "the replica has received the row", func() bool { return ask[bool](t, replica, received) })
		if sees(t, replica, 3) {
			t.Error("it replays though it is paused")
		}
		c.fault(t, "clear")
		until(t, "it replays again", func() bool { return sees(t, replica, 3) })
		c.fault(t, "lag=100")
	})
	// A restart ends the faults, finds the slot, and needs no second copy.
	if err := s.stop(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	write(4)
	again := c.start(t)
	if strings.Contains(again.started, "copying the primary") {
		t.Error("the second start copies everything again")
	}
	replica = c.mustConnect(t, "plumbline")
	until(t, "it has caught up", func() bool { return sees(t, replica, 4) })
	// So does one that has lost its data: its slot is there already.
	if err := again.stop(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(c.dir, "data")); err != nil {
		t.Fatal(err)
	}
	third := c.start(t)
	replica = c.mustConnect(t, "plumbline")
	until(t, "the new copy streams", func() bool { return sees(t, replica, 4) && ask[int](t, primary, sender) == 1 })
	if strings.Contains(third.started+again.started, "it's") {
		t.Error("the log holds the password")
	}
}

// TestPostgresFromBeforeThereWereReplicas lets them in at the next start.
func TestPostgresFromBeforeThereWereReplicas(t *testing.T) {
	t.Parallel()
	skipShort(t)
	c := newCluster(t)
	s := c.start(t)
	admin := c.mustConnect(t, "postgres")
	if _, err := admin.Exec(t.Context(), "DROP ROLE plumbline_replica"); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	hba := filepath.Join(c.dir, "data", "pg_hba.conf")
	var old []string
	for line := range strings.Lines(readFile(t, hba)) {
		if !strings.HasPrefix(line, "host replication") {
			old = append(old, line)
		}
	}
	if err := os.WriteFile(hba, []byte(strings.Join(old, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start(t)
	admin = c.mustConnect(t, "postgres")
	if !ask[bool](t, admin, "SELECT rolreplication AND rolcanlogin FROM pg_roles WHERE rolname = 'plumbline_replica'") ||
		ask[int](t, admin, "SELECT count(*)::int FROM pg_hba_file_rules WHERE 'replication' = ANY (database)") != 2 {
		t.Error("the cluster does not let replicas in")
	}
}

func TestFaultSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for name, k := range map[string]struct{ argument, env, want string }{
		"nothing asked for":    {"", "", "want lag=SECONDS"},
		"an unknown fault":     {"explode", "", "want lag=SECONDS"},
		"a lag that is SQL":    {"lag=1'; DROP TABLE x --", "", "is no lag"},
		"a lag without number": {"lag=", "", "is no lag"},
		"log that is SQL":      {"fill=1); DROP TABLE x --", "", "is no size"},
		"log without a number": {"fill=", "", "is no size"},
		"no password file":     {"show", "POSTGRES_PASSWORD_FILE=/nonexistent", "cannot be read"},
		"no server":            {"show", "", "onnection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/bin/sh", script(t, "compose", "config", "postgres", "fault.sh"), k.argument)
			cmd.Env = append(append([]string{}, c.env...), k.env)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), k.want) || strings.Contains(string(out), "it's") {
				t.Errorf("fault.sh %s: %v: %s, want %q", k.argument, err, out, k.want)
			}
		})
	}
}
