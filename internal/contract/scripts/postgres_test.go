package scripts_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cacheu/plumbline/internal/contract/repo"
)

// patience bounds each wait for PostgreSQL: initdb syncs hundreds of files,
// which takes long on a busy disk.
const patience = 2 * time.Minute

// password has everything that a shell, SQL and the script could trip over.
const password = `it's "$HOME" \ 100% %s`

// script returns the path of a file of the repository.
func script(t *testing.T, elements ...string) string {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elements...)...)
}

// cluster is a folder of its own in which start.sh runs.
type cluster struct {
	dir       string
	port      int
	env       []string // PGPORT last
	arguments []string // of the server
}

// newCluster prepares a folder that an unprivileged user owns: nobody, if the
// tests run as root, else whoever runs them. t.TempDir is no use to nobody.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "plumbline-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text, err := os.ReadFile(script(t, "compose", "config", "postgres", "start.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"start.sh": string(text), "password": password + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		for _, path := range []string{dir, filepath.Join(dir, "start.sh"), filepath.Join(dir, "password")} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return &cluster{dir: dir, port: port, arguments: []string{"-c", "fsync=off"}, env: []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"PGDATA=" + filepath.Join(dir, "data"),
		"POSTGRES_PASSWORD_FILE=" + filepath.Join(dir, "password"),
		"PGPORT=" + strconv.Itoa(port),
	}}
}

// nobody is Debian's user without rights.
const nobody = 65534

// command is start.sh as the unprivileged user, with variables added.
func (c *cluster) command(ctx context.Context, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{filepath.Join(c.dir, "start.sh")}, c.arguments...)...)
	cmd.Dir = c.dir
	cmd.Env = append(append([]string{}, c.env...), env...)
	// A group of its own, so that nothing is left if the script does not exec.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}
	}
	return cmd
}

// server is a running start.sh.
type server struct {
	cmd     *exec.Cmd
	started string // the log up to readiness
	log     *strings.Builder
	eof     chan struct{} // closed when log is complete
}

// start runs start.sh and returns when PostgreSQL says that it takes
// connections. The test stops it at its end, if it still runs.
func (c *cluster) start(t *testing.T) *server {
	t.Helper()
	cmd := c.command(context.Background())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, log: &strings.Builder{}, eof: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		defer close(s.eof)
		lines := bufio.NewScanner(stderr)
		for told := false; lines.Scan(); {
			s.log.WriteString(lines.Text() + "\n")
			if !told && strings.Contains(lines.Text(), "ready to accept ") { // read-only connections, of a replica
				s.started, told = s.log.String(), true
				close(ready)
			}
		}
	}()
	t.Cleanup(func() { _ = s.stop(syscall.SIGQUIT) })
	select {
	case <-ready:
	case <-s.eof:
		t.Fatalf("start.sh ended: %s", s.log)
	case <-time.After(patience):
		t.Fatalf("PostgreSQL is not ready after %v", patience)
	}
	return s
}

// stop sends a signal and waits for the end of the process.
func (s *server) stop(sig os.Signal) error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	kill := time.AfterFunc(patience/4, func() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) })
	defer kill.Stop()
	<-s.eof
	return s.cmd.Wait()
}

// connect logs in over TCP.
func (c *cluster) connect(t *testing.T, user, pass, database string) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=%s database=%s sslmode=disable", c.port, user, database))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = pass
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func (c *cluster) mustConnect(t *testing.T, user string) *pgx.Conn {
	t.Helper()
	database := "plumbline"
	if user == "postgres" {
		database = "postgres"
	}
	conn, err := c.connect(t, user, password, database)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// mustConnectURL logs in with nothing but a connection string.
func (c *cluster) mustConnectURL(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// skipShort leaves out what creates a database cluster, which takes seconds.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("creates a database cluster")
	}
}

// stopSignal returns the signal with a name of Compose.
func stopSignal(t *testing.T, name string) os.Signal {
	t.Helper()
	signal, ok := map[string]os.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "": syscall.SIGTERM}[name]
	if !ok {
		t.Fatalf("the stop signal is %q", name)
	}
	return signal
}

func ask[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestPostgresFirstStart(t *testing.T) {
	t.Parallel()
	skipShort(t)
	c := newCluster(t)
	// What a first start leaves that was killed half way.
	half := filepath.Join(c.dir, "data.new")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "-R", strconv.Itoa(nobody), half).CombinedOutput(); err != nil {
			t.Fatalf("chown: %v: %s", err, out)
		}
	}
	s := c.start(t)

	app := c.mustConnect(t, "plumbline")
	if ask[bool](t, app, "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = 'plumbline'") {
		t.Error("the application's role has rights that it does not need")
	}
	if got := ask[string](t, app, "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'plumbline'"); got != "plumbline" {
		t.Errorf("the database belongs to %s, want plumbline", got)
	}
	if !ask[bool](t, app, "SELECT pg_has_role('plumbline', 'pg_monitor', 'member')") {
		t.Error("the application's role cannot read the server's statistics")
	}
	if got := ask[string](t, app, "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listen_addresses = %s, want 127.0.0.1", got)
	}
	if got := ask[string](t, app, "SHOW unix_socket_directories"); got != "" {
		t.Errorf("unix_socket_directories = %q, want none", got)
	}
	if got := ask[string](t, app, "SHOW fsync"); got != "off" {
		t.Errorf("fsync = %s, want off: arguments do not reach the server", got)
	}
	if got := ask[string](t, app, "SHOW server_encoding"); got != "UTF8" {
		t.Errorf("server_encoding = %s, want UTF8", got)
	}

	admin := c.mustConnect(t, "postgres")
	for _, role := range []string{"postgres", "plumbline"} {
		if got := ask[string](t, admin, "SELECT rolpassword FROM pg_authid WHERE rolname = '"+role+"'"); !strings.HasPrefix(got, "SCRAM-SHA-256$") {
			t.Errorf("the password of %s is kept as %.8s..., want SCRAM-SHA-256", role, got)
		}
	}
	if got := ask[int](t, admin, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"); got != 0 {
		t.Errorf("%d ways in ask for no password", got)
	}

	if pid := strings.SplitN(readFile(t, filepath.Join(c.dir, "data", "postmaster.pid")), "\n", 2)[0]; pid != strconv.Itoa(s.cmd.Process.Pid) {
		t.Errorf("the server is process %s, the script was %d: it did not exec", pid, s.cmd.Process.Pid)
	}
	if err := s.stop(syscall.SIGINT); err != nil {
		t.Errorf("SIGINT with two clients connected: %v, want exit status 0", err)
	}
	if strings.Contains(s.log.String(), password) || strings.Contains(s.log.String(), "it's") {
		t.Errorf("the log holds the password: %s", s.log)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-made cluster is still there: %v", err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPostgresRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	skipShort(t)
	c := newCluster(t)
	c.start(t)
	for _, wrong := range []string{"", "plumbline", "postgres", password + "x"} {
		_, err := c.connect(t, "plumbline", wrong, "plumbline")
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "28P01" {
			t.Errorf("logging in with %q: %v, want an authentication failure", wrong, err)
		}
	}
}

func TestPostgresKeepsDataOverACrashAndNeedsThePasswordFileOnce(t *testing.T) {
	t.Parallel()
	skipShort(t)
	c := newCluster(t)
	first := c.start(t)
	if _, err := c.mustConnect(t, "plumbline").Exec(t.Context(), "CREATE TABLE kept AS SELECT 42 AS answer"); err != nil {
		t.Fatal(err)
	}
	if err := first.stop(syscall.SIGQUIT); err != nil { // immediately, as in a crash
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.dir, "password")); err != nil {
		t.Fatal(err)
	}
	second := c.start(t)
	if !strings.Contains(second.started, "was not properly shut down") {
		t.Errorf("the second start had nothing to recover, so this test crashed nothing: %s", second.started)
	}
	if got := ask[int](t, c.mustConnect(t, "plumbline"), "SELECT answer FROM kept"); got != 42 {
		t.Errorf("after a crash and a restart the answer is %d, want 42", got)
	}
}

func TestPostgresSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "id"), []byte("#!/bin/sh\necho 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"root":                                   {[]string{"PATH=" + bin + ":/usr/bin:/bin"}, "refuses to run as root"},
		"no data folder":                         {[]string{"PGDATA="}, "PGDATA is not set"},
		"no password file named":                 {[]string{"POSTGRES_PASSWORD_FILE="}, "POSTGRES_PASSWORD_FILE is not set"},
		"a password file that is not there":      {[]string{"POSTGRES_PASSWORD_FILE=/nonexistent"}, "POSTGRES_PASSWORD_FILE /nonexistent cannot be read"},
		"an empty password file":                 {[]string{"POSTGRES_PASSWORD_FILE=/dev/null"}, "POSTGRES_PASSWORD_FILE /dev/null is empty"},
		"a role that is no plain name":           {[]string{"POSTGRES_USER=x; DROP TABLE y"}, `POSTGRES_USER is "x; DROP TABLE y"`},
		"a database that is no plain name":       {[]string{"POSTGRES_DB=Shop"}, `POSTGRES_DB is "Shop"`},
		"a role that PostgreSQL keeps to itself": {[]string{"POSTGRES_USER=pg_mine"}, "cannot create role pg_mine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := cluster.command(ctx, c.env...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("start.sh: %v, want exit status 1", err)
			}
			if !strings.Contains(string(out), c.want) {
				t.Errorf("start.sh says %q, want %q", out, c.want)
			}
			if strings.Contains(string(out), "it's") {
				t.Errorf("start.sh prints the password: %q", out)
			}
			if _, err := os.Stat(filepath.Join(cluster.dir, "data")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is a data folder after a failed first start: %v", err)
			}
		})
	}
}
